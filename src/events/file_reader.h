// A file of events, items or users as a stream of rows, whatever its layout: CSV, JSONL (Segment's or flat), MovieLens'
// `::`, tab and pipe tables, sequence lines; plain or gzip. The layout is detected from the first lines, or given.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "events/record.h"

namespace perennial {

enum class Layout {
  detect,
  csv,          // a header names the columns; delimiter comma, semicolon or tab
  jsonl,        // one JSON object a line: a Segment message, or flat fields named like CSV columns
  double_colon, // ratings.dat: user::item::rating::time
  tab,          // u.data: user<TAB>item<TAB>rating<TAB>time, no header
  sequence,     // user item item item ...
};
const char* layout_name(Layout layout);

enum class FileContent { detect, events, items, users };

struct ReaderOptions {
  Layout layout = Layout::detect;
  FileContent content = FileContent::detect;   // by header: an event needs a user and an item or event; an item row an item; a user row a user
  std::map<std::string, std::string> columns;  // standard name -> the file's column: {"user_id": "CustomerID"}
  std::string event_type;                      // for rows without one; default "rating" when the row has a value, else "interaction"
  std::string currency = "USD";
  size_t line_limit_bytes = 1 << 20;           // a longer line is one rejected row, however long
};

/// One row of the file: its records (an order has several), or why it is bad.
struct Row {
  int64_t line = 0;               // 1-based line in the uncompressed file; sequence lines have many rows
  std::vector<Record> records;    // message ids zero unless the file gave them: the importer derives them
  Status status;                  // not ok: rejected
  std::string text;               // of a rejected row: its text, cut to 500 bytes
};

class FileReader {
 public:
  virtual ~FileReader() = default;

  /// The next row, or none at the end. A failure is of the file, not of a row: unreadable, truncated gzip.
  virtual Result<std::optional<Row>> next() = 0;

  /// Bytes read from the file so far, compressed if it is; for progress.
  [[nodiscard]] virtual int64_t bytes_read() const = 0;

  [[nodiscard]] virtual Layout layout() const = 0;
  [[nodiscard]] virtual FileContent content() const = 0;
};

/// Opens and detects. invalid_argument for an empty file, missing columns (the message lists those found and the flag that
/// maps them) or text that is not UTF-8 from the start (Latin-1 rows further on are rejected one by one).
Result<std::unique_ptr<FileReader>> open_file(const fs::path& path, const ReaderOptions& options, const Clock& clock);

}  // namespace perennial
