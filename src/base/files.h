// Files as this project needs them: whole reads, atomic durable writes, a lock that dies with its process.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace perennial {

namespace fs = std::filesystem;

/// The whole file. Fails when it is over `limit_bytes`.
Result<std::string> read_file(const fs::path& path, size_t limit_bytes = size_t{1} << 34);

/// A file's bytes, brought from the disk as they are read and dropped again where memory is short. Where a file is cut
/// short meanwhile, or its disk fails, the process ends (SIGBUS): it is for files that are replaced and never changed.
class MappedFile {
 public:
  static Result<MappedFile> open(const fs::path& path);

  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

/// Writes beside `path`, fsyncs, renames over it, fsyncs the folder: after a crash the file holds the old bytes or the
/// new ones, never a part. The folder must exist. On failure `path` is unchanged, unless
/// only the folder could not be synced: then it has the new bytes, perhaps not for good. `mode` holds from the first
/// byte on.
Status write_file_atomically(const fs::path& path, std::string_view bytes, mode_t mode = 0644);

/// The same for bytes that come part by part: `write` hands each to its argument. An error that it returns is this
/// one's.
using BytesWriter = std::function<Status(std::string_view)>;
Status write_file_atomically(const fs::path& path, const std::function<Status(const BytesWriter&)>& write,
                             mode_t mode = 0644);

/// Removes what write_file_atomically() left when a process was killed, of files in the folder whose names begin so.
/// Nobody may be writing them.
Status remove_leftovers(const fs::path& folder, std::string_view beginning);

/// Makes the folder and those above it, so that they survive a power cut.
Status make_folder(const fs::path& path);

/// fsync of a folder, so that a rename or a new file in it survives a power cut.
Status sync_folder(const fs::path& path);

/// An exclusive lock (flock) on a file, made if absent; released when this object or its process ends.
class FileLock {
 public:
  /// failed_precondition when another process, or another FileLock of this one, holds it; the message names its pid
  /// and `rule`, which says what may not happen twice at a time.
  static Result<FileLock> acquire(const fs::path& path, std::string_view rule);

  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace perennial
