#include "insight/interval.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace perennial {
namespace {

constexpr int64_t kThursdayToMonday = 3;  // 1970-01-01 was a Thursday
constexpr const char* kNames[] = {"day", "week", "month"};

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

const char* interval_name(Interval interval) { return kNames[static_cast<size_t>(interval)]; }

Result<Interval> parse_interval(std::string_view name) {
  for (const Interval interval : {Interval::day, Interval::week, Interval::month})
    if (name == interval_name(interval)) return interval;
  return invalid_argument("'{:.40}' is no interval: want day, week or month", name);
}

int64_t interval_of(Interval interval, TimeMs time) {
  const int64_t day = floor_divide(time, kDayMs);
  if (interval == Interval::day) return day;
  if (interval == Interval::week) return floor_divide(day + kThursdayToMonday, 7);
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return int64_t{static_cast<int>(date.year())} * 12 + static_cast<int64_t>(static_cast<unsigned>(date.month())) - 1;
}

TimeMs interval_start(Interval interval, int64_t number) {
  if (interval == Interval::day) return number * kDayMs;
  if (interval == Interval::week) return (number * 7 - kThursdayToMonday) * kDayMs;
  using namespace std::chrono;
  const int64_t year = floor_divide(number, 12);
  const sys_days day{std::chrono::year(static_cast<int>(year)) / month(static_cast<unsigned>(number - year * 12 + 1)) /
                     1};
  return day.time_since_epoch().count() * kDayMs;
}

std::string interval_label(Interval interval, int64_t number) {
  return format_iso8601(interval_start(interval, number)).substr(0, interval == Interval::month ? 7 : 10);
}

IntervalSpan intervals_until(Interval interval, TimeMs earliest, TimeMs now, int64_t most) {
  IntervalSpan span{interval, 0, 0, now, earliest};
  if (earliest >= now) return span;
  span.end = interval_of(interval, now - 1) + 1;
  span.first = std::max(interval_of(interval, earliest), span.end - std::max<int64_t>(most, 1));
  return span;
}

}  // namespace perennial
