// The rows that an import refused, as a TSV file for the person who will mend them: line, reason, text.
#pragma once

#include <cstdio>
#include <memory>
#include <string_view>

#include "base/files.h"

namespace perennial {

/// The file is made, in place of an older one, at the first row; without rows an older one stays. Thread rule: one
/// thread.
class RejectsFile {
 public:
  explicit RejectsFile(fs::path path) : path_(std::move(path)) {}

  /// Tabs, line ends and backslashes in the text become \t, \n, \r and \\.
  Status add(int64_t line, std::string_view reason, std::string_view text);

  /// On disk, as far as it has come.
  Status flush();

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  Status write(std::string_view text);

  fs::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace perennial
