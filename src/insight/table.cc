#include "insight/table.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "events/money.h"

namespace perennial {
namespace {

constexpr const char* kIncomplete = "incomplete";

/// The cell's string for machines: a number without thousands separators, a date in ISO 8601.
std::string date_text(TimeMs time, ColumnType type) {
  return format_iso8601(time).substr(0, type == ColumnType::month ? 7 : 10);
}

bool is_date(ColumnType type) { return type == ColumnType::date || type == ColumnType::month; }

/// Exact, whatever the size: `-12.35`.
std::string money_text(int64_t minor_units, const std::string& currency) {
  const std::string text = format_money({minor_units, currency});
  return text.substr(0, text.find(' '));
}

std::string incomplete_columns(const Table& table, const std::vector<Cell>& row) {
  std::string names;
  for (size_t i = 0; i < row.size(); ++i)
    if (row[i].incomplete) names.append(names.empty() ? "" : " ").append(table.columns[i].name);
  return names;
}

json::value json_value(const Table& table, const Column& column, const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell.value)) return json::value(*text);
  if (const auto* series = std::get_if<Series>(&cell.value))
    return json::value(json::array(series->begin(), series->end()));
  if (const auto* real = std::get_if<double>(&cell.value))
    return std::isfinite(*real) ? json::value(*real) : json::value();
  const auto* whole = std::get_if<int64_t>(&cell.value);
  if (whole == nullptr) return {};
  if (is_date(column.type)) return json::value(date_text(*whole, column.type));
  if (column.type != ColumnType::money) return json::value(*whole);
  return static_cast<double>(*whole) / std::pow(10, minor_digits(table.currency));
}

constexpr std::string_view kSeparators = ",;\t\"\r\n";  // of fields, for one reader or another

/// Spreadsheets run cells that begin so; after a ' they show them. Where other signs separate than ours, a cell may
/// begin in the middle of the text: quotes do not prevent it, for they are none to a reader who has begun the field.
std::string neutral(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = i == 0 || kSeparators.find(text[i - 1]) != std::string_view::npos;
    const std::string_view signs = i == 0 ? std::string_view("=+-@\t\r\n") : std::string_view("=+-@");
    if (begins && signs.find(text[i]) != std::string_view::npos) out += '\'';
    out += text[i];
  }
  return out;
}

std::string csv_text(const Table& table, const Column& column, const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell.value)) return neutral(*text);
  if (const auto* real = std::get_if<double>(&cell.value)) return std::isfinite(*real) ? fmt::format("{}", *real) : "";
  if (const auto* series = std::get_if<Series>(&cell.value)) return fmt::format("{}", fmt::join(*series, " "));
  const auto* whole = std::get_if<int64_t>(&cell.value);
  if (whole == nullptr) return "";
  if (is_date(column.type)) return date_text(*whole, column.type);
  return column.type == ColumnType::money ? money_text(*whole, table.currency) : std::to_string(*whole);
}

void append_field(std::string& out, std::string_view text) {
  if (text.find_first_of(kSeparators) == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

}  // namespace

Cell quotient(int64_t part, int64_t whole, bool incomplete) {
  Cell cell;
  if (whole != 0) cell.value = static_cast<double>(part) / static_cast<double>(whole);
  cell.incomplete = incomplete && whole != 0;
  return cell;
}

Cell number_or_blank(std::optional<double> value) {
  Cell cell;
  if (value) cell.value = *value;
  return cell;
}

std::string Column::heading() const {
  std::string words = head.empty() ? name : head;
  if (head.empty()) std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

json::object to_json(const Table& table) {
  json::array rows;
  for (const std::vector<Cell>& cells : table.rows) {
    json::object row;
    json::array incomplete;
    for (size_t i = 0; i < cells.size(); ++i) {
      row[table.columns[i].name] = json_value(table, table.columns[i], cells[i]);
      if (cells[i].incomplete) incomplete.emplace_back(table.columns[i].name);
    }
    if (!incomplete.empty()) row[kIncomplete] = std::move(incomplete);
    rows.push_back(std::move(row));
  }
  json::object object = {{"report", table.name},
                         {"title", table.title},
                         {"explanation", table.explanation},
                         {"at", format_iso8601(table.at)}};
  if (!table.currency.empty()) object["currency"] = table.currency;
  object["rows"] = std::move(rows);
  object["notes"] = json::array(table.notes.begin(), table.notes.end());
  return object;
}

std::string to_csv(const Table& table) {
  std::string out;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_field(out, table.columns[i].name);
  }
  if (table.dated) out.append(",").append(kIncomplete);
  out += "\r\n";
  for (const std::vector<Cell>& row : table.rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      append_field(out, csv_text(table, table.columns[i], row[i]));
    }
    if (table.dated) out.append(",").append(incomplete_columns(table, row));
    out += "\r\n";
  }
  return out;
}

}  // namespace perennial
