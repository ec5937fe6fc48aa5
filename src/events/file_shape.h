// What the first lines of a file tell of its layout, content and delimiter. Covered by file_shape_test.cc.
#pragma once

#include <string>
#include <string_view>

#include "events/file_reader.h"

namespace perennial {

struct FileShape {
  Layout layout = Layout::csv;
  FileContent content = FileContent::detect;  // still `detect` for CSV and JSONL: their readers look at the names
  std::string delimiter;                      // of csv, double_colon and tab
};

/// `start` is the file's beginning, `whole` when it is all of it; what `options` gives is not questioned.
/// invalid_argument for an empty file, one that is not text (xz, Parquet, UTF-16 ... are named), not UTF-8, or of a
/// shape that is none of ours; the message says what to do.
Result<FileShape> shape_of(std::string_view start, bool whole, const ReaderOptions& options);

/// The text without blanks around, at its `delimiter`s.
std::vector<std::string_view> split(std::string_view text, std::string_view delimiter);

}  // namespace perennial
