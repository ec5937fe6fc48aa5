// Days, weeks and months of UTC, numbered, so that "the interval after" is plus one.
// Covered by insight/interval_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace perennial {

inline constexpr TimeMs kDayMs = 86'400'000;

/// Weeks begin on Monday.
enum class Interval : uint8_t { day, week, month };
const char* interval_name(Interval interval);

/// day, week or month; invalid_argument for another word.
Result<Interval> parse_interval(std::string_view name);

/// The number of the interval that holds `time`; consecutive intervals have consecutive numbers, also before 1970.
int64_t interval_of(Interval interval, TimeMs time);

/// Its first instant.
TimeMs interval_start(Interval interval, int64_t number);

/// `2025-03` for a month, `2025-03-03` for a day, or for the week that begins on that day.
std::string interval_label(Interval interval, int64_t number);

/// Consecutive intervals, as of an instant. Only a part can be counted of an interval that is not over, and of one
/// within which the log begins.
struct IntervalSpan {
  Interval interval = Interval::month;
  int64_t first = 0;
  int64_t end = 0;  // one past the last
  TimeMs now = 0;
  TimeMs earliest = 0;  // of the log

  [[nodiscard]] int64_t size() const { return end - first; }
  [[nodiscard]] bool contains(int64_t number) const { return number >= first && number < end; }
  [[nodiscard]] TimeMs start_of(int64_t number) const { return interval_start(interval, number); }
  [[nodiscard]] bool over(int64_t number) const { return start_of(number + 1) <= now; }
  /// Whether the log begins within it, after its first day.
  [[nodiscard]] bool cut(int64_t number) const {
    return earliest >= start_of(number) + kDayMs && earliest < start_of(number + 1);
  }
  [[nodiscard]] bool whole(int64_t number) const { return over(number) && !cut(number); }
};

/// The newest intervals that began before `now`, at most `most` (at least 1 is taken), none before that of `earliest`;
/// empty when `earliest` is not before `now`.
IntervalSpan intervals_until(Interval interval, TimeMs earliest, TimeMs now, int64_t most);

}  // namespace perennial
