#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

namespace perennial {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr TimeMs kYearZero = -62'167'219'200'000;       // 0000-01-01T00:00:00.000Z
constexpr TimeMs kEndOfYear9999 = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

/// Takes `digits` decimal digits off the front, or fails with -1.
int take_number(std::string_view& text, size_t digits) {
  int value = 0;
  if (text.size() < digits) return -1;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// Minutes east of UTC at the end of an ISO time. False when malformed.
bool take_zone(std::string_view& text, int& minutes) {
  minutes = 0;
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return text.empty();
  const int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
  if (sign == 0) return false;
  const int hours = take_number(text, 2);
  const bool colon = take(text, ':');
  const int rest = text.empty() && !colon ? 0 : take_number(text, 2);
  minutes = sign * (hours * 60 + rest);
  return hours >= 0 && hours < 24 && rest >= 0 && rest < 60 && text.empty();
}

/// hh:mm[:ss[.fff]] to milliseconds of the day, or -1.
int64_t take_time_of_day(std::string_view& text) {
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return -1;
  const int minute = take_number(text, 2);
  if (minute < 0 || minute > 59) return -1;
  int second = 0;
  int milliseconds = 0;
  if (take(text, ':')) {
    second = take_number(text, 2);
    if (second < 0 || second > 60) return -1;
    if (take(text, '.') || take(text, ',')) {
      int scale = 100;
      if (text.empty() || text.front() < '0' || text.front() > '9') return -1;
      for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), scale /= 10)
        milliseconds += (text.front() - '0') * scale;
    }
  }
  return ((hour * 60 + minute) * 60 + second) * int64_t{1000} + milliseconds;
}

/// std::from_chars takes a minus but no plus. One plus goes; a sign behind it stays and makes the number malformed.
std::string_view without_plus(std::string_view text) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  return plus ? text.substr(1) : text;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, substituted}));
    }
  }
  return row.back();
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  size_t i = 0;
  while (i < bytes.size()) {
    const auto lead = static_cast<uint8_t>(bytes[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || i + length > bytes.size()) return false;
    uint32_t point = lead & (0xFF >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<uint8_t>(bytes[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      point = point << 6 | (next & 0x3F);
    }
    if ((length == 3 && point < 0x800) || (length == 4 && point < 0x10000)) return false;
    if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    i += length;
  }
  return true;
}

Result<TimeMs> parse_iso8601(std::string_view text) {
  const std::string_view whole = text;
  const auto bad = [&] { return invalid_argument("not a date or time: '{:.40}' (want 2026-03-01T10:20:30Z)", whole); };
  const int year = take_number(text, 4);
  if (year < 0 || !take(text, '-')) return bad();
  const int month = take_number(text, 2);
  if (month < 0 || !take(text, '-')) return bad();
  const int day = take_number(text, 2);
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(month < 0 ? 0 : month),
                            std::chrono::day(day < 0 ? 0 : day)};
  if (day < 0 || !date.ok()) return bad();
  int64_t time = sys_days(date).time_since_epoch().count() * kDayMs;
  if (text.empty()) return time;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return bad();
  const int64_t of_day = take_time_of_day(text);
  int zone_minutes = 0;
  if (of_day < 0 || !take_zone(text, zone_minutes)) return bad();
  return time + of_day - zone_minutes * int64_t{60'000};
}

Result<TimeMs> parse_timestamp(std::string_view text) {
  text = trim(text);
  if (text.find_first_not_of("0123456789.+-eE") != std::string_view::npos ||
      text.find('-', 1) != std::string_view::npos)
    return parse_iso8601(text);
  const Result<double> number = parse_number(text);
  if (!number.ok()) return invalid_argument("not a time: '{:.40}' (want seconds, milliseconds or ISO 8601)", text);
  const double size = std::fabs(*number);
  if (size >= 1e17) return invalid_argument("time too large: {:.40}", text);
  return static_cast<TimeMs>(std::llround(size < 1e11 ? *number * 1000 : size < 1e14 ? *number : *number / 1000));
}

std::string format_iso8601(TimeMs time) {
  using namespace std::chrono;
  time = std::clamp(time, kYearZero, kEndOfYear9999);
  const auto days = floor<std::chrono::days>(milliseconds(time));
  const year_month_day date{sys_days(days)};
  const int64_t rest = time - days.count() * kDayMs;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), rest / 3'600'000,
                     rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
}

std::string with_commas(int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<ptrdiff_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
    digits.insert(digits.begin() + at, ',');
  return digits;
}

std::string format_duration(double seconds) {
  seconds = std::isnan(seconds) ? 0 : std::clamp(seconds, 0.0, 1e12);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);  // what would round up to 1000 ms is 1.0 s
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const auto next = static_cast<uint8_t>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool c1 = byte == 0xC2 && next >= 0x80 && next <= 0x9F;
    out += byte < 0x20 || byte == 0x7F || c1 ? '.' : text[i];
    if (c1) ++i;
  }
  return out;
}

Result<double> parse_number(std::string_view text) {
  const std::string_view digits = without_plus(trim(text));
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(number))
    return invalid_argument("not a number: '{:.40}'", text);
  return number;
}

Result<int64_t> parse_integer(std::string_view text) {
  const std::string_view digits = without_plus(trim(text));
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size())
    return invalid_argument("not a whole number: '{:.40}'", text);
  return number;
}

Result<double> parse_amount(std::string_view flag, const std::string& text, std::string_view units,
                            std::span<const double> sizes) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const size_t unit = end + 1 == text.data() + text.size() ? units.find(*end) : std::string_view::npos;
  if (error != std::errc() || unit == std::string_view::npos || !(number > 0 && number < 1e9))
    return invalid_argument("{} '{}' is no number above 0 with one of the units {}", flag, text, units);
  return number * sizes[unit];
}

Result<int64_t> parse_bytes(std::string_view flag, const std::string& text) {
  constexpr double kSizes[] = {1 << 20, 1 << 30};
  PERENNIAL_TRY_ASSIGN(const double bytes, parse_amount(flag, text, "MG", kSizes));
  return static_cast<int64_t>(bytes);
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (const std::string_view part = trim(text.substr(0, end)); !part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  const auto nearest = std::min_element(
      candidates.begin(), candidates.end(),
      [&](const std::string& a, const std::string& b) { return edit_distance(name, a) < edit_distance(name, b); });
  return nearest == candidates.end() ? std::string() : *nearest;
}

}  // namespace perennial
