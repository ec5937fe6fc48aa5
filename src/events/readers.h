// The reader of each layout, and what they share. Made by open_file; covered by file_reader_test.cc and each reader's
// own test.
#pragma once

#include <memory>
#include <utility>

#include "events/file_reader.h"
#include "events/file_shape.h"
#include "events/flat_row.h"
#include "events/line_source.h"

namespace perennial {

/// An open file whose shape is known.
struct OpenFile {
  std::unique_ptr<LineSource> lines;
  FileShape shape;
  ReaderOptions options;
  TimeMs now = 0;
};

/// Thread rule: one thread an object.
class LineFileReader : public FileReader {
 public:
  explicit LineFileReader(OpenFile file) : file_(std::move(file)) {}

  [[nodiscard]] int64_t bytes_read() const override { return file_.lines->bytes_read(); }
  [[nodiscard]] Layout layout() const override { return file_.shape.layout; }
  [[nodiscard]] FileContent content() const override { return file_.shape.content; }

 protected:
  /// The next line that is not blank; false at the end.
  Result<bool> next_line(Line& line);

  OpenFile file_;
};

/// A row of one record, or a rejected one when `status` is not ok.
Row make_row(int64_t line, Record&& record, Status status, std::string_view text);
Row make_rejected_row(int64_t line, Status status, std::string_view text);

Result<std::unique_ptr<FileReader>> make_csv_reader(OpenFile file);
Result<std::unique_ptr<FileReader>> make_jsonl_reader(OpenFile file);
Result<std::unique_ptr<FileReader>> make_table_reader(OpenFile file);
Result<std::unique_ptr<FileReader>> make_sequence_reader(OpenFile file);

}  // namespace perennial
