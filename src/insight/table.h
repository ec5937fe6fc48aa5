// A report as data: what is counted in one sentence, columns with types, rows. It is written as text for a terminal, as
// JSON and as CSV, the same for every report and for whoever shows it. Covered by insight/table_test.cc.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace perennial {

/// What a cell holds, and how it is written for people: JSON and CSV have numbers as numbers, dates as ISO 8601.
enum class ColumnType : uint8_t {
  text,    // string
  date,    // int64_t, TimeMs: 2025-03-01
  month,   // int64_t, TimeMs: 2025-03
  count,   // int64_t: 1,234
  share,   // double: 0.123 is 12.3 %
  money,   // int64_t, minor units of the table's currency: 12.35
  days,    // double: 3.5
  mean,    // double, of counts: 1,234.5
  ratio,   // double: 1.37
  series,  // Series, equidistant in time: a sparkline
};

/// What makes a number of a text table visible at a glance, drawn beside it. Bars are relative to the largest of the
/// column, heat to the largest of all heat cells of its row (counts, money) or to 1 (shares).
enum class Look : uint8_t { plain, bar, heat };

struct Column {
  std::string name;  // of the field: small letters, digits and _
  ColumnType type = ColumnType::text;
  Look look = Look::plain;
  std::string head;  // for people; empty: the name with blanks for _

  [[nodiscard]] std::string heading() const;
};

using Series = std::vector<int64_t>;

/// Nothing when there is nothing to say: a blank, null, an empty field. A string may stand in a column of any type
/// ("all" among months). `incomplete`: its time is not over, so that the figure will still change, or began before the
/// log did.
struct Cell {
  std::variant<std::monostate, std::string, int64_t, double, Series> value;
  bool incomplete = false;

  Cell() = default;
  template <typename T>
  Cell(T held, bool still_changes = false) : value(std::move(held)), incomplete(still_changes) {}  // NOLINT: implicit
};

/// part / whole; nothing when whole is 0.
Cell quotient(int64_t part, int64_t whole, bool incomplete = false);

/// The value, or nothing.
Cell number_or_blank(std::optional<double> value);

struct Table {
  std::string name;         // of the report: small letters, digits and _
  std::string title;        // for people
  std::string explanation;  // what is counted, one sentence
  TimeMs at = 0;            // as of when
  std::string currency;     // of money, ISO 4217; empty when there is none
  bool dated = false;       // of intervals, so that cells may be incomplete
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // a cell a column
  std::vector<std::string> notes;       // what one must know to read it, a sentence each
};

struct TextStyle {
  bool colour = false;  // ANSI colours, for a terminal: heat as background, marks dimmed
};

/// Aligned, with units, thousands separators, bars and shades. Incomplete cells carry a * and are not shaded.
std::string to_text(const Table& table, const TextStyle& style = {});

/// {"report", "title", "explanation", "at", "currency", "rows": [{column: value}], "notes"}. Money in major units. A
/// row with incomplete cells names their columns under "incomplete".
json::object to_json(const Table& table);

/// RFC 4180: one header row, CRLF. Of a dated table the last column, "incomplete", names the row's columns that are
/// (blanks between). Where a spreadsheet that separates by commas, semicolons or tabs would take a text, or a part
/// of it, for a formula, a ' is put in front; texts with such signs are quoted.
std::string to_csv(const Table& table);

}  // namespace perennial
