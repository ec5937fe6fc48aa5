// A folder of its own for a test or a demonstration, gone with the object.
#pragma once

#include <unistd.h>

#include <cstdlib>

#include "base/check.h"
#include "base/files.h"

namespace perennial {

class TemporaryFolder {
 public:
  enum class Place { memory, disk };

  /// In memory where the system has such a place: most tests need no real disk, and some make thousands of commits.
  explicit TemporaryFolder(Place place = Place::memory) {
    const bool memory = place == Place::memory && ::access("/dev/shm", W_OK) == 0;
    std::string pattern = ((memory ? fs::path("/dev/shm") : fs::temp_directory_path()) / "perennial-XXXXXX").string();
    PERENNIAL_CHECK(::mkdtemp(pattern.data()) != nullptr, "no temporary folder can be made: {}", pattern);
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace perennial
