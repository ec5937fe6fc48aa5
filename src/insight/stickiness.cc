#include "insight/stickiness.h"

#include <algorithm>
#include <array>

namespace perennial {
namespace {

constexpr int64_t kLongestMonth = 31;
constexpr int64_t kWeekDays = 7;

struct Days {
  int64_t from;
  int64_t to;
};
constexpr std::array<Days, 5> kClasses = {{{1, 1}, {2, 3}, {4, 7}, {8, 14}, {15, kLongestMonth}}};

struct Month {
  int64_t first_day = 0;                           // of the log
  int64_t days = 0;                                // so far, of the log
  int64_t day_users = 0;                           // sum over days of users active on the day
  int64_t week_users = 0;                          // sum over days of users active in the seven days that end with it
  std::array<int64_t, kLongestMonth + 1> users{};  // by number of active days

  [[nodiscard]] int64_t active() const {
    int64_t sum = 0;
    for (const int64_t count : users) sum += count;
    return sum;
  }
};

std::vector<Month> months_of(const IntervalSpan& span) {
  std::vector<Month> months;
  for (int64_t number = span.first; number < span.end; ++number) {
    const int64_t first = interval_of(Interval::day, std::max(span.start_of(number), span.earliest));
    const int64_t end = interval_of(Interval::day, std::min(span.start_of(number + 1), span.now) - 1) + 1;
    months.push_back({.first_day = first, .days = end - first});
  }
  return months;
}

int64_t shared_days(const Month& month, int64_t begin, int64_t end) {
  return std::max<int64_t>(0, std::min(end, month.first_day + month.days) - std::max(begin, month.first_day));
}

/// `days`: those on which one user was active, rising.
void add_user(std::vector<Month>& months, const std::vector<int64_t>& days) {
  size_t next = 0;
  for (Month& month : months) {
    const int64_t end = month.first_day + month.days;
    while (next < days.size() && days[next] < month.first_day) ++next;
    size_t last = next;
    while (last < days.size() && days[last] < end) ++last;
    const auto active = static_cast<int64_t>(last - next);
    if (active > 0) ++month.users[static_cast<size_t>(active)];
    month.day_users += active;
    // Days of the month that lie in [day, day + 7) of an active day, each counted once.
    size_t i = next;
    while (i > 0 && days[i - 1] + kWeekDays > month.first_day) --i;
    for (int64_t counted = month.first_day; i < last; ++i) {
      const int64_t until = days[i] + kWeekDays;
      month.week_users += shared_days(month, std::max(days[i], counted), until);
      counted = std::max(counted, until);
    }
    next = last;
  }
}

/// Whether the week before the month is of a month within which the log begins, and the log does not have all of it.
bool week_before_is_cut(const IntervalSpan& span, int64_t number) {
  return span.cut(number - 1) &&
         interval_of(Interval::day, span.earliest) > span.start_of(number) / kDayMs - (kWeekDays - 1);
}

std::vector<Cell> row_of(const IntervalSpan& span, int64_t number, const Month& month) {
  const int64_t active = month.active();
  const bool incomplete = !span.whole(number);
  const bool weeks_incomplete = incomplete || week_before_is_cut(span, number);
  std::vector<Cell> row = {span.start_of(number), Cell(active, incomplete)};
  row.push_back(quotient(month.day_users, month.days, incomplete));
  row.push_back(quotient(month.week_users, month.days, weeks_incomplete));
  row.push_back(quotient(month.day_users, active * month.days, incomplete));
  row.push_back(quotient(month.day_users, month.week_users, weeks_incomplete));
  for (const Days& days : kClasses) {
    int64_t users = 0;
    for (int64_t i = days.from; i <= days.to; ++i) users += month.users[static_cast<size_t>(i)];
    row.push_back(quotient(users, active, incomplete));
  }
  row.emplace_back(Series(month.users.begin() + 1, month.users.end()), incomplete);
  return row;
}

std::vector<Column> columns() {
  std::vector<Column> columns = {{.name = "month", .type = ColumnType::month},
                                 {.name = "mau", .type = ColumnType::count, .head = "MAU"},
                                 {.name = "dau", .type = ColumnType::mean, .head = "DAU"},
                                 {.name = "wau", .type = ColumnType::mean, .head = "WAU"},
                                 {.name = "dau_mau", .type = ColumnType::share, .head = "DAU/MAU"},
                                 {.name = "dau_wau", .type = ColumnType::share, .head = "DAU/WAU"}};
  for (const Days& days : kClasses) {
    const bool one = days.from == days.to;
    const std::string words = one                        ? std::to_string(days.from)
                              : days.to == kLongestMonth ? fmt::format("{}+", days.from)
                                                         : fmt::format("{}-{}", days.from, days.to);
    columns.push_back({.name = one ? "share_1_day" : fmt::format("share_{}_to_{}_days", days.from, days.to),
                       .type = ColumnType::share,
                       .look = Look::heat,
                       .head = words + (one ? " day" : " days")});
  }
  columns.push_back({.name = "users_by_active_days", .type = ColumnType::series, .head = "users by days 1 to 31"});
  return columns;
}

}  // namespace

Result<Table> stickiness(const Lives& lives, const StickinessOptions& options, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const uint8_t signal, signal_named(lives.definition(), options.signal));
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  const IntervalSpan span = intervals_until(Interval::month, earliest, now, options.months);
  std::vector<Month> months = months_of(span);
  lives.for_each([&](UserId, const Life& life) {
    add_user(months, active_intervals(Interval::day, life, signal, life.first_seen, now));
  });
  Table table{.name = "stickiness", .title = "Stickiness", .at = now, .dated = true, .columns = columns()};
  table.explanation = fmt::format("On how many days of a month its users are there (signal '{}').",
                                  lives.definition().signals[signal].name);
  for (int64_t i = 0; i < span.size(); ++i)
    table.rows.push_back(row_of(span, span.first + i, months[static_cast<size_t>(i)]));
  table.notes = {
      "MAU: users active in the month. DAU: the mean over its days of users active on the day. WAU: the mean over its "
      "days "
      "of users active on the day or the six before.",
      "DAU/MAU 10 %: a user of the month is there on one day in ten. The shares say how many were there on so many "
      "days."};
  note_cut(span, table);
  return table;
}

}  // namespace perennial
