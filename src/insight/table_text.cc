// Tables as people read them in a terminal.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "insight/cell_text.h"
#include "insight/table.h"

namespace perennial {
namespace {

constexpr size_t kBarWidth = 16;
constexpr size_t kWrapAt = 100;

std::string bar(double part) {
  const auto filled = static_cast<size_t>(std::lround(std::clamp(part, 0.0, 1.0) * kBarWidth));
  std::string out;
  for (size_t i = 0; i < kBarWidth; ++i) out += i < filled ? "━" : " ";
  return out;
}

class TextTable {
 public:
  TextTable(const Table& table, const TextStyle& style) : table_(table), style_(style) {
    for (size_t i = 0; i < table.columns.size(); ++i) measure(i);
  }

  std::string text() {
    out_ = style_.colour ? fmt::format("\x1b[1m{}\x1b[0m\n", table_.title) : table_.title + "\n";
    wrap(table_.explanation, "");
    out_ += '\n';
    if (table_.rows.empty())
      out_ += fmt::format("Nothing to show at {:.16} UTC.\n", format_iso8601(table_.at));
    else
      add_rows();
    add_notes();
    return std::move(out_);
  }

 private:
  struct Shape {
    size_t width = 0;
    double most = 0;  // of the column's numbers
    bool marked = false;
    bool right = false;
  };

  void measure(size_t i) {
    const Column& column = table_.columns[i];
    Shape& shape = shapes_.emplace_back();
    shape.right = column.type != ColumnType::text && column.type != ColumnType::series &&
                  column.type != ColumnType::date && column.type != ColumnType::month;
    for (const std::vector<Cell>& row : table_.rows) {
      shape.width = std::max(shape.width, width_of(cell_text(table_, column, row[i])));
      shape.most = std::max(shape.most, number_of(row[i]));
      shape.marked = shape.marked || row[i].incomplete;
    }
    shape.width += extra(i);
    shape.width = std::max(shape.width, width_of(head_of(i)));
  }

  /// Places behind the number: mark, shade or bar.
  [[nodiscard]] size_t extra(size_t i) const {
    const Look look = table_.columns[i].look;
    return (shapes_[i].marked && look != Look::heat ? 1 : 0) + (look == Look::heat  ? 1
                                                                : look == Look::bar ? kBarWidth + 1
                                                                                    : 0);
  }

  [[nodiscard]] std::string head_of(size_t i) const {
    const Column& column = table_.columns[i];
    const bool unit = column.type == ColumnType::money && column.look != Look::heat;
    return unit ? column.heading() + " " + table_.currency : column.heading();
  }

  void add_rows() {
    std::string line;
    for (size_t i = 0; i < table_.columns.size(); ++i) {
      // Over the number, not over what is drawn beside it, where there is room for both.
      const size_t beside = std::min(extra(i), shapes_[i].width - width_of(head_of(i)));
      line += padded(head_of(i), shapes_[i].width - beside, shapes_[i].right) + std::string(beside, ' ') + "  ";
    }
    end_line(line);
    for (const std::vector<Cell>& row : table_.rows) {
      line.clear();
      for (size_t i = 0; i < row.size(); ++i) line += shown(row, i) + "  ";
      end_line(line);
    }
  }

  void end_line(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out_ += line + '\n';
  }

  std::string shown(const std::vector<Cell>& row, size_t i) const {
    const Cell& cell = row[i];
    const Shape& shape = shapes_[i];
    const std::string number = padded(cell_text(table_, table_.columns[i], cell), shape.width - extra(i), shape.right);
    const std::string mark = cell.incomplete ? dim("*") : " ";
    if (table_.columns[i].look == Look::heat) return heat(row, i, number);
    std::string with_mark = number + (shape.marked ? mark : "");
    if (table_.columns[i].look != Look::bar) return with_mark;
    const double part = shape.most > 0 && !cell.incomplete ? number_of(cell) / shape.most : 0;
    return with_mark + " " + bar(part);
  }

  std::string heat(const std::vector<Cell>& row, size_t i, const std::string& number) const {
    if (row[i].incomplete) return number + dim("*");
    const bool share = table_.columns[i].type == ColumnType::share;
    const double most = share ? 1 : most_of_row(row);
    const double part = most > 0 ? number_of(row[i]) / most : 0;
    if (number_of(row[i]) <= 0) return number + " ";
    if (!style_.colour) return number + shade_of(part);
    return fmt::format("\x1b[97;48;5;{}m{} \x1b[0m", colour_of(part), number);
  }

  double most_of_row(const std::vector<Cell>& row) const {
    double most = 0;
    for (size_t i = 0; i < row.size(); ++i)
      if (table_.columns[i].look == Look::heat && !row[i].incomplete) most = std::max(most, number_of(row[i]));
    return most;
  }

  std::string dim(const std::string& text) const {
    return style_.colour ? fmt::format("\x1b[2m{}\x1b[0m", text) : text;
  }

  void add_notes() {
    const bool marked = std::any_of(shapes_.begin(), shapes_.end(), [](const Shape& shape) { return shape.marked; });
    if (marked || !table_.notes.empty()) out_ += '\n';
    if (marked) wrap("* not whole: what is not over will still change.", "");
    for (const std::string& note : table_.notes) wrap(note, "");
  }

  void wrap(std::string_view text, std::string_view indent) {
    size_t column = 0;
    while (!text.empty()) {
      const size_t end = std::min(text.find(' '), text.size());
      const std::string_view word = text.substr(0, end);
      if (column > 0 && column + 1 + width_of(word) > kWrapAt) {
        out_.append("\n").append(indent);
        column = 0;
      } else if (column > 0) {
        out_ += ' ';
        ++column;
      }
      out_ += word;
      column += width_of(word);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    out_ += '\n';
  }

  const Table& table_;
  TextStyle style_;
  std::vector<Shape> shapes_;
  std::string out_;
};

}  // namespace

std::string to_text(const Table& table, const TextStyle& style) { return TextTable(table, style).text(); }

}  // namespace perennial
