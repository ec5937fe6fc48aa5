#include "events/file_reader.h"

#include "base/text.h"
#include "events/readers.h"

namespace perennial {
namespace {

Result<std::unique_ptr<FileReader>> make_reader(OpenFile file) {
  switch (file.shape.layout) {
    case Layout::csv:
      return make_csv_reader(std::move(file));
    case Layout::jsonl:
      return make_jsonl_reader(std::move(file));
    case Layout::double_colon:
    case Layout::tab:
      return make_table_reader(std::move(file));
    case Layout::sequence:
      return make_sequence_reader(std::move(file));
    case Layout::detect:
      break;
  }
  return internal_error("layout not detected");
}

Result<std::unique_ptr<FileReader>> open_lines(std::unique_ptr<LineSource> lines, const ReaderOptions& options,
                                               const Clock& clock) {
  PERENNIAL_TRY(money_from_major(0, options.currency).status());
  PERENNIAL_TRY_ASSIGN(const std::string_view start, lines->peek());
  PERENNIAL_TRY_ASSIGN(FileShape shape, shape_of(start, lines->peeked_all(), options));
  lines->set_limit(options.line_limit_bytes);
  return make_reader({std::move(lines), std::move(shape), options, clock.now_ms()});
}

}  // namespace

const char* layout_name(Layout layout) {
  switch (layout) {
    case Layout::detect:
      return "detect";
    case Layout::csv:
      return "csv";
    case Layout::jsonl:
      return "jsonl";
    case Layout::double_colon:
      return "double-colon";
    case Layout::tab:
      return "tab";
    case Layout::sequence:
      return "sequence";
  }
  return "unknown";
}

Result<std::unique_ptr<FileReader>> open_file(const fs::path& path, const ReaderOptions& options, const Clock& clock) {
  PERENNIAL_TRY_ASSIGN(auto lines, LineSource::open(path));
  auto reader = open_lines(std::move(lines), options, clock);
  if (!reader.ok()) return reader.status().with_context(path.string());
  return reader;
}

Result<bool> LineFileReader::next_line(Line& line) {
  do {
    PERENNIAL_TRY_ASSIGN(const bool more, file_.lines->next(line));
    if (!more) return false;
  } while (!line.too_long && trim(line.text).empty());
  return true;
}

Row make_rejected_row(int64_t line, Status status, std::string_view text) {
  Row row;
  row.line = line;
  row.status = std::move(status);
  size_t size = std::min(text.size(), kShownBytes);
  if (size < text.size())
    while (size > kShownBytes - 4 && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80)
      --size;  // not within a character
  row.text = text.substr(0, size);
  return row;
}

Row make_row(int64_t line, Record&& record, Status status, std::string_view text) {
  if (!status.ok()) return make_rejected_row(line, std::move(status), text);
  Row row;
  row.line = line;
  row.records.push_back(std::move(record));
  return row;
}

}  // namespace perennial
