// Files that are written and read a block at a time, and known whole by a digest at their end: a snapshot of gigabytes
// needs no memory of its size. Format: a magic line, blocks (uint64 length, bytes), an empty block, SHA-256
// of all before it. Covered by base/block_file_test.cc.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/files.h"

namespace perennial {

class BlockWriter {
 public:
  /// The bytes go to `put`; its errors are add()'s and finish()'s.
  BlockWriter(std::string_view magic, BytesWriter put);

  /// Not an empty one.
  Status add(std::string_view block);
  Status finish();

 private:
  Status write(std::string_view bytes);

  std::string head_;  // what goes before the next block
  BytesWriter put_;
  Sha256Stream digest_;
};

class BlockReader {
 public:
  /// Reads the file once to the end: not_found when there is none, data_loss when it does not begin with the magic or
  /// is not as it was written.
  static Result<BlockReader> open(const fs::path& path, std::string_view magic);

  /// The next block, good until the next call; an empty one after the last.
  Result<std::string_view> next();

 private:
  BlockReader(std::FILE* file, fs::path path, uint64_t size)
      : file_(file, std::fclose), path_(std::move(path)), left_(size) {}

  Status check();
  Status read(size_t size);

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  fs::path path_;
  uint64_t left_;  // bytes of the file
  std::string block_;
};

}  // namespace perennial
