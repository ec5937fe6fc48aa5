#include "insight/cell_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "events/money.h"

namespace perennial {
namespace {

constexpr std::array<const char*, 8> kShades = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<int, 8> kColours = {17, 18, 19, 25, 24, 30, 29, 28};
constexpr double kRoundedFrom = 0.0995;  // shares that are written as whole percents

size_t level_of(double part) {
  const double clamped = std::isfinite(part) ? std::clamp(part, 0.0, 1.0) : 0;
  return static_cast<size_t>(std::min(clamped * 8, 7.0));
}

/// From 0 to its own maximum; of zeros a dot.
std::string sparkline(const Series& series) {
  const int64_t most = series.empty() ? 0 : *std::max_element(series.begin(), series.end());
  std::string out;
  for (const int64_t value : series)
    out += value <= 0 ? "·" : shade_of(static_cast<double>(value) / static_cast<double>(most));
  return out;
}

std::string money_text(int64_t minor_units, const std::string& currency, bool whole_units) {
  const double scale = std::pow(10, minor_digits(currency));
  if (whole_units) return with_commas(std::llround(static_cast<double>(minor_units) / scale));
  const std::string exact = format_money({minor_units, currency});
  const size_t end = exact.find(' ');
  const size_t point = std::min(exact.find('.'), end);
  const int64_t major = minor_units / static_cast<int64_t>(scale);
  std::string text = with_commas(major) + exact.substr(point, end - point);
  return minor_units < 0 && major == 0 ? fmt::format("-{}", text) : text;
}

std::string real_text(const Column& column, double value) {
  if (!std::isfinite(value)) return "";
  switch (column.type) {
    case ColumnType::share:
      return fmt::format("{:.{}f} %", value * 100, column.look == Look::heat && value >= kRoundedFrom ? 0 : 1);
    case ColumnType::mean: {
      const auto tenths = static_cast<int64_t>(std::llround(value * 10));
      return fmt::format("{}.{}", with_commas(tenths / 10), std::abs(tenths % 10));
    }
    case ColumnType::days:
      return fmt::format("{:.1f}", value);
    default:
      return fmt::format("{:.2f}", value);
  }
}

}  // namespace

size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string blanks(width - std::min(width, width_of(text)), ' ');
  return right ? blanks + text : text + blanks;
}

std::string cell_text(const Table& table, const Column& column, const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell.value)) return printable(*text);
  if (const auto* series = std::get_if<Series>(&cell.value)) return sparkline(*series);
  if (const auto* real = std::get_if<double>(&cell.value)) return real_text(column, *real);
  const auto* whole = std::get_if<int64_t>(&cell.value);
  if (whole == nullptr) return "";
  if (column.type == ColumnType::date) return format_iso8601(*whole).substr(0, 10);
  if (column.type == ColumnType::month) return format_iso8601(*whole).substr(0, 7);
  if (column.type == ColumnType::money) return money_text(*whole, table.currency, column.look == Look::heat);
  return with_commas(*whole);
}

double number_of(const Cell& cell) {
  if (const auto* real = std::get_if<double>(&cell.value)) return std::isfinite(*real) ? *real : 0;
  const auto* whole = std::get_if<int64_t>(&cell.value);
  return whole == nullptr ? 0 : static_cast<double>(*whole);
}

const char* shade_of(double part) { return kShades[level_of(part)]; }

int colour_of(double part) { return kColours[level_of(part)]; }

}  // namespace perennial
