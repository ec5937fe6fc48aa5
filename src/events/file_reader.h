// A file of events, items or users as a stream of rows, whatever its layout: CSV, JSONL (Segment's or flat), MovieLens'
// `::`, tab and pipe tables, sequence lines; plain or gzip. The layout is detected from the first lines, or given.
// Of a Segment message without receivedAt, sentAt is left aside: the time of an import says nothing of a clock back
// then.
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
  csv,           // a header names the columns; delimiter comma, semicolon, tab or pipe
  jsonl,         // one JSON object a line: a Segment message, or flat fields named like CSV columns
  double_colon,  // ratings.dat: user::item::rating::time; movies.dat: item::title::a|b; users.dat:
                 // user::gender::age::occupation::zip
  tab,       // u.data: user<TAB>item<TAB>rating<TAB>time, no header; the same with blanks; u.user and u.item with pipes
  sequence,  // user item item item ..., split by blanks or tabs
};
const char* layout_name(Layout layout);  // "csv", "double-colon": as options write it

enum class FileContent { detect, events, items, users };

struct ReaderOptions {
  Layout layout = Layout::detect;
  FileContent content =
      FileContent::detect;  // by header: a user and an item or event: events; only an item: items; only a user: users
  std::map<std::string, std::string> columns;  // standard name -> the file's column: {"user_id": "CustomerID"}
  std::string event_type;  // for rows without one; default "rating" when the row has a value, else "interaction"
  std::string currency = "USD";
  size_t line_limit_bytes =
      1 << 20;  // a longer line is one rejected row, however long; sequence lines may be 64 times as long
};

/// One row of the file: its records (an order has several), or why it is bad.
struct Row {
  int64_t line = 0;             // 1-based line in the uncompressed file; sequence lines have many rows
  std::vector<Record> records;  // message ids zero unless the file gave them: the importer derives them
  Status status;                // not ok: rejected
  std::string text;             // of a rejected row: its text, cut to 500 bytes
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

/// Opens and detects. invalid_argument for an empty file, missing columns (the message lists those found and the flag
/// that maps them) or text that is not UTF-8 from the start (Latin-1 rows further on are rejected one by one). A header
/// without rows is a file of no rows. Rows of items and users have a time only when a column `timestamp` gives one:
/// else they stand before all events. Other columns become properties, fields or traits under the file's names.
Result<std::unique_ptr<FileReader>> open_file(const fs::path& path, const ReaderOptions& options, const Clock& clock);

}  // namespace perennial
