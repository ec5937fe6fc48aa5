// What the tests of this folder share: a folder of their own, files in it, and all rows of a file at once.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/temporary_folder.h"
#include "events/file_reader.h"

namespace perennial {

inline constexpr TimeMs kTestNow = 1'772'359'200'000;  // 2026-03-01T10:00:00Z

struct TestFolder : TemporaryFolder {
  fs::path write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path() / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path() / name;
  }
};

inline std::string gzip(std::string_view text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  deflateEnd(&stream);
  return out.substr(0, stream.total_out);
}

/// Everything that a file gives.
struct FileRows {
  Status opened;
  Status failed;  // of the file, after the rows
  Layout layout = Layout::detect;
  FileContent content = FileContent::detect;
  std::vector<Row> good;
  std::vector<Row> bad;

  [[nodiscard]] const Record& record(size_t i) const { return good.at(i).records.at(0); }
  [[nodiscard]] const Event& event(size_t i) const { return std::get<Event>(record(i).payload); }
  [[nodiscard]] const std::string& fields(size_t i) const { return std::get<ItemUpsert>(record(i).payload).fields; }
  [[nodiscard]] const std::string& traits(size_t i) const { return std::get<UserTraits>(record(i).payload).traits; }
};

inline FileRows read_path(const fs::path& path, const ReaderOptions& options = {}) {
  const FakeClock clock(kTestNow);
  FileRows rows;
  auto reader = open_file(path, options, clock);
  rows.opened = reader.status();
  if (!reader.ok()) return rows;
  rows.layout = (*reader)->layout();
  rows.content = (*reader)->content();
  while (true) {
    auto row = (*reader)->next();
    rows.failed = row.status();
    if (!row.ok() || !row->has_value()) return rows;
    ((*row)->status.ok() ? rows.good : rows.bad).push_back(std::move(**row));
  }
}

inline FileRows read_text(std::string_view text, const ReaderOptions& options = {}) {
  const TestFolder folder;
  return read_path(folder.write("input", text), options);
}

inline testing::AssertionResult says(const Status& status, std::string_view words) {
  if (!status.ok() && status.message().find(words) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "expected a failure that says '" << words << "', got '" << status.message()
                                     << "'";
}

}  // namespace perennial
