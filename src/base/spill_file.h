// Bytes out of memory: a file without a name, which ends with the process. Covered by base/spill_file_test.cc.
// Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"

namespace perennial {

/// Where bytes lie in a SpillFile. Empty when they lie nowhere.
struct SpillPlace {
  uint64_t unit : 36 = 0;  // of SpillFile::kUnit bytes: a tebibyte at most
  uint64_t size : 28 = 0;  // in bytes

  [[nodiscard]] bool empty() const { return size == 0; }
};

class SpillFile {
 public:
  static constexpr size_t kUnit = 16;
  static constexpr size_t kMostBytes = (size_t{1} << 28) - 1;  // of one put

  /// In the folder, which must exist.
  static Result<SpillFile> create(const fs::path& folder);

  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&&) = delete;
  ~SpillFile();

  /// 1 to kMostBytes. resource_exhausted when the disk is full: then nothing has changed.
  Result<SpillPlace> put(std::string_view bytes);

  Result<std::string> get(SpillPlace place) const;

  /// Gives the place to a later put. The bytes lie there until then, or until scrub().
  void free(SpillPlace place);

  /// Overwrites with zeros what was given back, so that nothing that was erased stays on the disk; at most so many
  /// places, false when there are more.
  Result<bool> scrub(size_t most = SIZE_MAX);

  [[nodiscard]] uint64_t file_bytes() const { return end_; }

  /// Reads places that lie near each other in the file without asking the system for each. Thread rule: one thread.
  class Window {
   public:
    explicit Window(const SpillFile& file) : file_(file) {}

    /// Good until the next call.
    Result<std::string_view> get(SpillPlace place);

   private:
    const SpillFile& file_;
    std::string bytes_;
    uint64_t at_ = 0;    // where bytes_ begin in the file
    uint64_t next_ = 0;  // the end of the last place
  };

 private:
  SpillFile(int descriptor, fs::path folder) : descriptor_(descriptor), folder_(std::move(folder)) {}

  struct Free {
    std::vector<uint64_t> units;  // of the places
    size_t scrubbed = 0;          // of them, from the first
  };

  Status read(uint64_t at, char* bytes, size_t size) const;
  Status write(uint64_t at, std::string_view bytes);
  Status flush();
  [[nodiscard]] Status failed(const char* what) const;

  int descriptor_;
  fs::path folder_;              // for messages
  uint64_t end_ = 0;             // in bytes, of what was put
  uint64_t written_ = 0;         // what is in the file; the rest is in tail_
  std::string tail_;             // puts come in thousands when a snapshot is loaded
  std::map<size_t, Free> free_;  // by length in units
};

}  // namespace perennial
