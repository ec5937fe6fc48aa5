#include "insight/retention.h"

#include "insight/activation.h"

namespace perennial {
namespace {

struct Cohort {
  int64_t users = 0;
  std::vector<int64_t> active;  // by interval after the cohort's
};

class RetentionCount {
 public:
  RetentionCount(const Lives& lives, const RetentionOptions& options, uint8_t signal, const IntervalSpan& span)
      : lives_(lives), options_(options), signal_(signal), span_(span) {
    for (int64_t number = span.first; number < span.end; ++number)
      cohorts_.push_back({0, std::vector<int64_t>(static_cast<size_t>(span.end - number))});
    lives.for_each([&](UserId, const Life& life) { add(life); });
  }

  [[nodiscard]] const std::vector<Cohort>& cohorts() const { return cohorts_; }

 private:
  void add(const Life& life) {
    if (!known_at(life, span_.now)) return;
    TimeMs start = life.first_seen;
    if (options_.cohort == CohortEvent::activation) {
      const auto activated = activation_time(lives_.definition(), life, span_.now);
      if (!activated) return;
      start = *activated;
    }
    const int64_t first = interval_of(span_.interval, start);
    if (!span_.contains(first)) return;
    Cohort& cohort = cohorts_[static_cast<size_t>(first - span_.first)];
    ++cohort.users;
    const std::vector<int64_t> active = active_intervals(span_.interval, life, signal_, start, span_.now);
    if (active.empty()) return;
    if (options_.variant == RetentionVariant::on) {
      for (const int64_t number : active) count(cohort, number - first);
    } else {
      const int64_t last = active.back() - first;
      for (int64_t after = 0; after <= last; ++after) count(cohort, after);
    }
  }

  static void count(Cohort& cohort, int64_t after) {
    if (static_cast<size_t>(after) < cohort.active.size()) ++cohort.active[static_cast<size_t>(after)];
  }

  const Lives& lives_;
  const RetentionOptions& options_;
  uint8_t signal_;
  IntervalSpan span_;
  std::vector<Cohort> cohorts_;
};

/// A share of users who came in an interval or later rises whenever one of the others comes.
Cell share_cell(int64_t active, int64_t users, RetentionVariant variant, bool over) {
  const bool can_rise = variant == RetentionVariant::on_or_after && active < users;
  return quotient(active, users, !over || can_rise);
}

std::vector<Cell> cohort_row(const Cohort& cohort, int64_t number, const IntervalSpan& span, RetentionVariant variant) {
  std::vector<Cell> row = {span.start_of(number), Cell(cohort.users, !span.over(number))};
  for (size_t after = 0; after < cohort.active.size(); ++after) {
    const bool over = span.over(number + static_cast<int64_t>(after));
    row.push_back(share_cell(cohort.active[after], cohort.users, variant, over));
  }
  row.resize(2 + static_cast<size_t>(span.size()));
  return row;
}

std::vector<Cell> row_of_all(const std::vector<Cohort>& cohorts, const IntervalSpan& span, RetentionVariant variant) {
  int64_t everybody = 0;
  for (const Cohort& cohort : cohorts) everybody += cohort.users;
  std::vector<Cell> row = {std::string("all"), everybody};
  for (int64_t after = 0; after < span.size(); ++after) {
    int64_t users = 0;
    int64_t active = 0;
    for (int64_t number = span.first; number + after < span.end && span.over(number + after); ++number) {
      const Cohort& cohort = cohorts[static_cast<size_t>(number - span.first)];
      users += cohort.users;
      active += cohort.active[static_cast<size_t>(after)];
    }
    row.push_back(share_cell(active, users, variant, true));
  }
  return row;
}

void explain(const RetentionOptions& options, const std::string& signal, Table& table) {
  const char* unit = interval_name(options.intervals.interval);
  const bool on = options.variant == RetentionVariant::on;
  table.title = fmt::format("Retention by {} of {}", unit,
                            options.cohort == CohortEvent::activation ? "activation" : "first event");
  table.explanation =
      fmt::format("Share of the users who {} in a {}, each row, with the signal '{}' in {} number k after it{}.",
                  options.cohort == CohortEvent::activation ? "were activated" : "were first seen", unit, signal, unit,
                  on ? "" : " or any later one");
  table.notes.push_back(
      fmt::format("{} 0 is the {} of the beginning itself; 'all' weighs cohorts by users, where the {} is over.", unit,
                  unit, unit));
  if (!on)
    table.notes.emplace_back(
        "Who comes back raises all the columns before, so all can rise; young cohorts have had less time to come "
        "back.");
}

}  // namespace

Result<Table> retention(const Lives& lives, const RetentionOptions& options, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const uint8_t signal, signal_named(lives.definition(), options.signal));
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  const IntervalSpan span = intervals_until(options.intervals.interval, earliest, now, options.intervals.most);
  const RetentionCount count(lives, options, signal, span);
  Table table{.name = "cohorts", .at = now, .dated = true};
  explain(options, lives.definition().signals[signal].name, table);
  const char* unit = interval_name(span.interval);
  table.columns = {{.name = "cohort", .type = span.interval == Interval::month ? ColumnType::month : ColumnType::date},
                   {.name = "users", .type = ColumnType::count}};
  for (int64_t after = 0; after < span.size(); ++after)
    table.columns.push_back({.name = fmt::format("{}_{}", unit, after),
                             .type = ColumnType::share,
                             .look = Look::heat,
                             .head = after == 0 ? fmt::format("{} 0", unit) : std::to_string(after)});
  if (span.size() > 0) table.rows.push_back(row_of_all(count.cohorts(), span, options.variant));
  for (int64_t number = span.first; number < span.end; ++number)
    table.rows.push_back(
        cohort_row(count.cohorts()[static_cast<size_t>(number - span.first)], number, span, options.variant));
  return table;
}

}  // namespace perennial
