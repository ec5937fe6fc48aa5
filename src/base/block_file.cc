#include "base/block_file.h"

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"

namespace perennial {
namespace {

constexpr size_t kCheckedAtOnce = 1 << 20;

}  // namespace

BlockWriter::BlockWriter(std::string_view magic, BytesWriter put) : head_(magic), put_(std::move(put)) {}

Status BlockWriter::write(std::string_view bytes) {
  digest_.add(bytes);
  return put_(bytes);
}

Status BlockWriter::add(std::string_view block) {
  put(head_, static_cast<uint64_t>(block.size()));
  PERENNIAL_TRY(write(std::exchange(head_, {})));
  return block.empty() ? Status() : write(block);
}

Status BlockWriter::finish() {
  PERENNIAL_TRY(add({}));
  const Sha256 digest = digest_.finish();
  return put_({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Result<BlockReader> BlockReader::open(const fs::path& path, std::string_view magic) {
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return errno_status(errno, fmt::format("opening {}", path.string()));
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  BlockReader reader(file, path, error ? 0 : size);
  PERENNIAL_TRY(reader.read(magic.size()));
  if (reader.block_ != magic) return data_loss("{} is not of this version's format", path.string());
  PERENNIAL_TRY(reader.check());
  return reader;
}

/// From behind the magic to the end, and back.
Status BlockReader::check() {
  const uint64_t all = left_;
  const auto begin = static_cast<int64_t>(block_.size());
  Sha256Stream stream;
  stream.add(block_);
  constexpr size_t kDigestBytes = sizeof(Sha256);
  while (left_ > kDigestBytes) {
    PERENNIAL_TRY(read(std::min<uint64_t>(kCheckedAtOnce, left_ - kDigestBytes)));
    stream.add(block_);
  }
  PERENNIAL_TRY(read(kDigestBytes));
  const Sha256 digest = stream.finish();
  if (block_ != std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()))
    return data_loss("{} is damaged: its digest is another", path_.string());
  if (::fseeko(file_.get(), begin, SEEK_SET) != 0)
    return errno_status(errno, fmt::format("reading {}", path_.string()));
  left_ = all;
  return {};
}

Status BlockReader::read(size_t size) {
  if (size > left_) return data_loss("{} is cut short", path_.string());
  block_.resize(size);
  if (std::fread(block_.data(), 1, size, file_.get()) != size)
    return errno_status(std::ferror(file_.get()) != 0 ? errno : EIO, fmt::format("reading {}", path_.string()));
  left_ -= size;
  return {};
}

Result<std::string_view> BlockReader::next() {
  PERENNIAL_TRY(read(sizeof(uint64_t)));
  const auto size = ByteReader(block_).get<uint64_t>();
  PERENNIAL_TRY(read(size));
  return std::string_view(block_);
}

}  // namespace perennial
