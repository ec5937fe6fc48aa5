#include "base/block_file.h"

#include <cerrno>

#include "base/bytes.h"

namespace perennial {

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
  reader.digest_.add(reader.block_);
  if (reader.block_ != magic) return data_loss("{} is not of this version's format", path.string());
  return reader;
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
  digest_.add(block_);
  const auto size = ByteReader(block_).get<uint64_t>();
  if (size > 0) {
    PERENNIAL_TRY(read(size));
    digest_.add(block_);
    return std::string_view(block_);
  }
  const Sha256 digest = digest_.finish();
  PERENNIAL_TRY(read(digest.size()));
  if (left_ > 0 || block_ != std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()))
    return data_loss("{} is damaged: its digest is another", path_.string());
  return std::string_view();
}

}  // namespace perennial
