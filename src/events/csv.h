// CSV as RFC 4180 has it: fields split by a delimiter, quotes round fields that hold delimiters, quotes or newlines.
// Lenient where nothing is lost (blanks round quotes, quotes inside an unquoted field), strict where a row could be
// torn. Covered by csv_test.cc.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "events/line_source.h"

namespace perennial {

struct CsvRecord {
  int64_t line = 0;                      // where it starts
  std::vector<std::string_view> fields;  // unquoted
  std::string_view text;                 // as it stands in the file; of a bad record its first line
  Status status;                         // not ok: a bad record, without fields
};

/// Splits one record that may go over several lines. Feed lines until the outcome is not `open`.
class CsvSplitter {
 public:
  enum class Outcome { complete, open, malformed };

  explicit CsvSplitter(char delimiter) : delimiter_(delimiter) {}

  void begin();

  /// `line` is without its newline; a carriage return at its end is dropped unless it stands inside quotes.
  Outcome add(std::string_view line);

  [[nodiscard]] size_t field_count() const { return ends_.size() + 1; }

  /// Of a complete record; good until the next begin().
  void fields(std::vector<std::string_view>& out) const;

 private:
  enum class State { field_start, plain, quoted, after_quote };

  size_t take_plain(std::string_view line, size_t at);
  size_t take_quoted(std::string_view line, size_t at);
  void end_field();

  char delimiter_;
  State state_ = State::field_start;
  std::string text_;          // of all fields, unquoted
  std::vector<size_t> ends_;  // of all fields but the last
  bool malformed_ = false;
};

/// Thread rule: one thread an object.
class CsvSource {
 public:
  /// `limit_bytes` bounds a record over all its lines.
  CsvSource(LineSource& lines, char delimiter, size_t limit_bytes);

  /// Records with more fields than this are bad; needed so that an unclosed quote ends soon. 0: no bound.
  void set_field_limit(size_t fields) { field_limit_ = fields; }

  /// False at the end. Blank lines are skipped. A quote that is never closed, or not within the limit, makes its first
  /// line a bad record; reading goes on with the line after it. `record` is good until the next call.
  Result<bool> next(CsvRecord& record);

 private:
  struct HeldLine {
    std::string text;
    int64_t number = 0;
    size_t size = 0;
    bool too_long = false;
  };

  Result<bool> next_line(Line& line);
  void split_simple(std::string_view text, CsvRecord& record) const;
  Result<bool> next_quoted(const Line& first, CsvRecord& record, Status problem);
  void hold_back();
  void reject(CsvRecord& record, Status status) const;

  LineSource& lines_;
  size_t limit_bytes_;
  size_t field_limit_ = 0;
  char delimiter_;
  CsvSplitter splitter_;
  std::vector<HeldLine> taken_;  // the lines of the record under way
  std::deque<HeldLine> held_;    // lines to be read again
  HeldLine current_;             // the held line that was given last
  std::string joined_;
};

/// What is wrong with a line before it is looked into: too long, a NUL byte, not UTF-8.
Status check_line(const Line& line, size_t limit_bytes);

/// The same for its text alone.
Status check_text(std::string_view text);

}  // namespace perennial
