#include "events/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace perennial {
namespace {

constexpr size_t kInputBytes = 64 << 10;
constexpr int kGzipWindow = 15 + 16;  // inflate's largest window, gzip wrapping only

class FileByteSource final : public ByteSource {
 public:
  FileByteSource(int descriptor, std::string name)
      : descriptor_(descriptor), name_(std::move(name)), input_(kInputBytes) {}
  FileByteSource(const FileByteSource&) = delete;
  FileByteSource& operator=(const FileByteSource&) = delete;
  ~FileByteSource() override {
    if (gzip_) inflateEnd(&stream_);
    close(descriptor_);
  }

  /// Tells plain from gzip by the first two bytes.
  Status begin() {
    while (available() < 2 && !ended_) PERENNIAL_TRY(fill());
    if (available() < 2 || input_[0] != 0x1F || input_[1] != 0x8B) return {};
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) return internal_error("zlib cannot start on {}", name_);
    gzip_ = true;
    return {};
  }

  Result<size_t> read(char* out, size_t capacity) override {
    return gzip_ ? read_gzip(out, capacity) : read_plain(out, capacity);
  }

  [[nodiscard]] bool compressed() const override { return gzip_; }
  [[nodiscard]] int64_t bytes_read() const override { return taken_ - static_cast<int64_t>(available()); }

 private:
  [[nodiscard]] size_t available() const { return input_end_ - input_begin_; }

  Result<size_t> read_descriptor(void* out, size_t capacity) {
    ssize_t count = 0;
    do count = ::read(descriptor_, out, capacity);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno_status(errno, "reading " + name_);
    taken_ += count;
    ended_ = count == 0;
    return static_cast<size_t>(count);
  }

  /// Reads more behind what is there.
  Status fill() {
    if (input_begin_ == input_end_) input_begin_ = input_end_ = 0;
    PERENNIAL_TRY_ASSIGN(const size_t count, read_descriptor(input_.data() + input_end_, input_.size() - input_end_));
    input_end_ += count;
    return {};
  }

  Result<size_t> read_plain(char* out, size_t capacity) {
    if (available() == 0) return ended_ ? size_t{0} : read_descriptor(out, capacity);
    const size_t count = std::min(capacity, available());
    std::copy_n(input_.data() + input_begin_, count, reinterpret_cast<uint8_t*>(out));
    input_begin_ += count;
    return count;
  }

  Result<size_t> read_gzip(char* out, size_t capacity) {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(std::min(capacity, size_t{1} << 30));
    const size_t room = stream_.avail_out;
    Status status;
    while (stream_.avail_out == room && !done_ && status.ok()) status = inflate_some();
    const size_t count = room - stream_.avail_out;
    if (count == 0 && !status.ok()) return status;  // with bytes in hand, zlib fails in the same way at the next call
    given_ += static_cast<int64_t>(count);
    return count;
  }

  Status inflate_some() {
    if (available() == 0 && !ended_) PERENNIAL_TRY(fill());
    if (between_members_) return begin_member();
    if (available() == 0)
      return data_loss("gzip data of {} is cut short after {} bytes ({} when unpacked): get the file again", name_,
                       taken_, given_);
    stream_.next_in = input_.data() + input_begin_;
    stream_.avail_in = static_cast<uInt>(available());
    const int outcome = inflate(&stream_, Z_NO_FLUSH);
    input_begin_ = input_end_ - stream_.avail_in;
    if (outcome == Z_STREAM_END) return between_members_ = true, Status();
    if (outcome == Z_OK || outcome == Z_BUF_ERROR) return {};
    return data_loss("gzip data of {} is damaged at about byte {} ({} when unpacked): {}; get the file again", name_,
                     bytes_read(), given_, stream_.msg == nullptr ? "unknown format" : stream_.msg);
  }

  /// After a member: another one, zeros up to the end, or the end.
  Status begin_member() {
    while (available() > 0 && input_[input_begin_] == 0) ++input_begin_, padding_ = true;
    if (available() == 0) return done_ = ended_, Status();
    if (padding_ || input_[input_begin_] != 0x1F || (available() > 1 && input_[input_begin_ + 1] != 0x8B))
      return data_loss("{} has bytes that are not gzip behind its gzip data, from byte {}: unpack it and look", name_,
                       bytes_read());
    inflateReset(&stream_);
    between_members_ = false;
    return {};
  }

  int descriptor_;
  std::string name_;
  std::vector<uint8_t> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  int64_t taken_ = 0;  // from the file
  int64_t given_ = 0;  // to the caller, of gzip
  bool ended_ = false;
  z_stream stream_ = {};
  bool gzip_ = false;
  bool between_members_ = false;
  bool padding_ = false;
  bool done_ = false;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> ByteSource::open(const fs::path& path) {
  // Not blocking, so that a pipe without a writer is refused as well.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return errno_status(errno, "opening " + path.string());
  auto source = std::make_unique<FileByteSource>(descriptor, path.string());
  struct stat info = {};
  if (fstat(descriptor, &info) != 0) return errno_status(errno, "reading " + path.string());
  if (S_ISDIR(info.st_mode)) return invalid_argument("{} is a folder: name a file in it", path.string());
  if (!S_ISREG(info.st_mode))
    return invalid_argument("{} is not a regular file, and is read more than once: write it to a file first",
                            path.string());
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  PERENNIAL_TRY(source->begin());
  return std::unique_ptr<ByteSource>(std::move(source));
}

}  // namespace perennial
