#include "insight/activity.h"

namespace perennial {
namespace {

struct Counts {
  int64_t fresh = 0;
  int64_t returning = 0;
  int64_t resurrecting = 0;
  int64_t dormant = 0;

  [[nodiscard]] int64_t active() const { return fresh + returning + resurrecting; }
};

/// Of the span's intervals, after one of the interval before it.
std::vector<Counts> count_activity(const Lives& lives, uint8_t signal, const IntervalSpan& span) {
  std::vector<Counts> counts(static_cast<size_t>(span.size()) + 1);
  const auto add = [&](int64_t number, int64_t Counts::*member) {
    if (number >= span.first - 1 && number < span.end) ++(counts[static_cast<size_t>(number - span.first + 1)].*member);
  };
  lives.for_each([&](UserId, const Life& life) {
    const std::vector<int64_t> active = active_intervals(span.interval, life, signal, life.first_seen, span.now);
    for (size_t i = 0; i < active.size(); ++i) {
      const bool stayed = i > 0 && active[i - 1] + 1 == active[i];
      add(active[i], i == 0 ? &Counts::fresh : stayed ? &Counts::returning : &Counts::resurrecting);
      const bool stays = i + 1 < active.size() && active[i + 1] == active[i] + 1;
      if (!stays) add(active[i] + 1, &Counts::dormant);
    }
  });
  return counts;
}

std::vector<Cell> row_of(const IntervalSpan& span, int64_t number, const Counts& counts, int64_t active_before) {
  const bool incomplete = !span.whole(number);
  const bool compared = incomplete || span.cut(number - 1);
  std::vector<Cell> row = {span.start_of(number)};
  for (const int64_t count : {counts.active(), counts.fresh}) row.emplace_back(count, incomplete);
  for (const int64_t count : {counts.returning, counts.resurrecting, counts.dormant}) row.emplace_back(count, compared);
  row.push_back(quotient(counts.dormant, active_before, compared));
  row.push_back(quotient(counts.fresh + counts.resurrecting, counts.dormant, compared));
  return row;
}

}  // namespace

Result<Table> activity(const Lives& lives, const ActivityOptions& options, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const uint8_t signal, signal_named(lives.definition(), options.signal));
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  const IntervalSpan span = intervals_until(options.intervals.interval, earliest, now, options.intervals.most);
  const char* unit = interval_name(span.interval);
  Table table{.name = "activity", .title = fmt::format("Activity by {}", unit), .at = now, .dated = true};
  table.explanation =
      fmt::format("Users who had the signal '{}' in each {}, and who of the {} before did not come again.",
                  lives.definition().signals[signal].name, unit, unit);
  table.columns = {{.name = unit, .type = span.interval == Interval::month ? ColumnType::month : ColumnType::date},
                   {.name = "active", .type = ColumnType::count, .look = Look::bar}};
  for (const char* name : {"new", "returning", "resurrecting", "dormant"})
    table.columns.push_back({.name = name, .type = ColumnType::count});
  table.columns.push_back({.name = "churn_rate", .type = ColumnType::share});
  table.columns.push_back({.name = "quick_ratio", .type = ColumnType::ratio});
  const std::vector<Counts> counts = count_activity(lives, signal, span);
  for (int64_t i = 0; i < span.size(); ++i)
    table.rows.push_back(
        row_of(span, span.first + i, counts[static_cast<size_t>(i) + 1], counts[static_cast<size_t>(i)].active()));
  table.notes = {
      fmt::format(
          "Active = new (first time ever) + returning (also the {} before) + resurrecting (earlier, but not the {} "
          "before).",
          unit, unit),
      fmt::format("Dormant: active the {} before, not in this one. Churn rate: dormant / active the {} before.", unit,
                  unit),
      "Quick ratio: (new + resurrecting) / dormant; above 1 the number of active users grows."};
  note_cut(span, table);
  return table;
}

}  // namespace perennial
