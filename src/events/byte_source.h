// The bytes of a file as they were before compression: plain, or gzip of one or more members.
// Stricter than zlib's gzread, which takes a cut file or text behind the gzip data for a good end.
// Covered by line_source_test.cc.
#pragma once

#include <memory>

#include "base/files.h"

namespace perennial {

/// Thread rule: one thread an object.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// not_found, invalid_argument for a folder or a pipe (an import reads a file more than once), or what the system
  /// says.
  static Result<std::unique_ptr<ByteSource>> open(const fs::path& path);

  /// Overwrites up to `capacity` bytes at `out` and returns how many; 0 only at the end. data_loss when gzip data is
  /// cut short, damaged, or followed by bytes that are not gzip (zeros are: tapes pad); all good bytes come first.
  virtual Result<size_t> read(char* out, size_t capacity) = 0;

  [[nodiscard]] virtual bool compressed() const = 0;

  /// Bytes taken from the file so far, compressed if it is.
  [[nodiscard]] virtual int64_t bytes_read() const = 0;
};

}  // namespace perennial
