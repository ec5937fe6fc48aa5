// Reads bytes as a file of events and checks what every reader promises, whatever the bytes are.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "events/file_reader.h"

namespace perennial {

inline constexpr TimeMs kFuzzNow = 1'772'359'200'000;

/// A file in memory that has a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    PERENNIAL_CHECK(descriptor_ >= 0, "no memory file");
    for (size_t written = 0; written < bytes.size();) {
      const ssize_t count = write(descriptor_, bytes.data() + written, bytes.size() - written);
      PERENNIAL_CHECK(count > 0, "cannot write a memory file");
      written += static_cast<size_t>(count);
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(descriptor_); }

  [[nodiscard]] fs::path path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_;
};

inline void check_row(const Row& row, int64_t last_line) {
  PERENNIAL_CHECK(row.line >= last_line && row.line >= 1, "line {} after line {}", row.line, last_line);
  PERENNIAL_CHECK(row.text.size() <= 500, "{} bytes shown", row.text.size());
  PERENNIAL_CHECK(row.status.ok() == !row.records.empty(), "a row has records or a reason, line {}", row.line);
  PERENNIAL_CHECK(row.status.ok() || !row.status.message().empty(), "a reason without words, line {}", row.line);
  for (const Record& record : row.records) {
    const Status valid = validate(record, kFuzzNow);
    PERENNIAL_CHECK(valid.ok(), "line {} gave a record that is not valid: {}", row.line, valid.message());
  }
}

/// Rows come in the order of their lines, each with valid records or a reason; the file ends or fails once.
inline void check_rows_of(std::string_view bytes, const ReaderOptions& options) {
  const MemoryFile file(bytes);
  const FakeClock clock(kFuzzNow);
  auto reader = open_file(file.path(), options, clock);
  if (!reader.ok()) {
    PERENNIAL_CHECK(!reader.status().message().empty(), "a failure without words");
    return;
  }
  int64_t last_line = 0;
  while (true) {
    const auto row = (*reader)->next();
    if (!row.ok() || !row->has_value()) return;
    check_row(**row, last_line);
    last_line = (*row)->line;
  }
}

}  // namespace perennial
