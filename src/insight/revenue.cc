#include "insight/revenue.h"

#include <array>

namespace perennial {
namespace {

struct Revenue {
  std::array<int64_t, kStages> by_stage{};
  int64_t of_won_back = 0;

  [[nodiscard]] int64_t all() const {
    int64_t sum = 0;
    for (const int64_t money : by_stage) sum += money;
    return sum;
  }
};

std::vector<Revenue> sum_by_stage(const Lives& lives, uint8_t signal, const IntervalSpan& span) {
  std::vector<Revenue> sums(static_cast<size_t>(span.size()));
  lives.for_each([&](UserId, const Life& life) {
    for (const Purchase& purchase : purchases(life, signal, span.now)) {
      const int64_t number = interval_of(span.interval, purchase.time);
      if (purchase.amount_minor == 0 || !span.contains(number)) continue;
      const Standing before = standing_at(lives.definition(), life.facts, purchase.time - 1);
      Revenue& sum = sums[static_cast<size_t>(number - span.first)];
      sum.by_stage[static_cast<size_t>(before.stage)] += purchase.amount_minor;
      if (before.overlay == Overlay::won_back || before.overlay == Overlay::churned)
        sum.of_won_back += purchase.amount_minor;
    }
  });
  return sums;
}

struct Cohort {
  int64_t users = 0;
  std::vector<int64_t> money;  // by interval after the cohort's
};

std::vector<Cohort> sum_by_cohort(const Lives& lives, uint8_t signal, const IntervalSpan& span) {
  std::vector<Cohort> cohorts;
  for (int64_t number = span.first; number < span.end; ++number)
    cohorts.push_back({0, std::vector<int64_t>(static_cast<size_t>(span.end - number))});
  lives.for_each([&](UserId, const Life& life) {
    if (!known_at(life, span.now)) return;
    const int64_t first = interval_of(span.interval, life.first_seen);
    if (!span.contains(first)) return;
    Cohort& cohort = cohorts[static_cast<size_t>(first - span.first)];
    ++cohort.users;
    for (const Purchase& purchase : purchases(life, signal, span.now)) {
      const int64_t number = interval_of(span.interval, purchase.time);
      if (span.contains(number)) cohort.money[static_cast<size_t>(number - first)] += purchase.amount_minor;
    }
  });
  return cohorts;
}

ColumnType date_type(Interval interval) { return interval == Interval::month ? ColumnType::month : ColumnType::date; }

std::vector<Cell> cohort_row(const Cohort& cohort, int64_t number, const IntervalSpan& span) {
  int64_t all = 0;
  for (const int64_t money : cohort.money) all += money;
  const bool incomplete = !span.over(span.end - 1);
  std::vector<Cell> row = {span.start_of(number), Cell(cohort.users, !span.over(number)), Cell(all, incomplete),
                           Cell()};
  if (cohort.users > 0) row.back() = Cell(all / cohort.users, incomplete);
  for (size_t after = 0; after < cohort.money.size(); ++after)
    row.emplace_back(cohort.money[after], !span.over(number + static_cast<int64_t>(after)));
  row.resize(4 + static_cast<size_t>(span.size()));
  return row;
}

}  // namespace

Result<Table> revenue_by_stage(const Lives& lives, const RevenueOptions& options, const std::string& currency,
                               TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const uint8_t signal, signal_named(lives.definition(), options.signal));
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  const IntervalSpan span = intervals_until(options.intervals.interval, earliest, now, options.intervals.most);
  const char* unit = interval_name(span.interval);
  Table table{.name = "revenue", .title = "Revenue by stage", .at = now, .currency = currency, .dated = true};
  table.explanation =
      fmt::format("Money ({}) of the signal '{}' in each {}, by the stage in which the user stood just before.",
                  currency, lives.definition().signals[signal].name, unit);
  table.columns = {{.name = unit, .type = date_type(span.interval)},
                   {.name = "all", .type = ColumnType::money, .look = Look::bar}};
  for (size_t stage = 0; stage < kStages; ++stage)
    table.columns.push_back(
        {.name = stage_name(static_cast<Stage>(stage)), .type = ColumnType::money, .look = Look::heat});
  table.columns.push_back({.name = "of_won_back", .type = ColumnType::money});
  const std::vector<Revenue> sums = sum_by_stage(lives, signal, span);
  for (int64_t number = span.first; number < span.end; ++number) {
    const Revenue& sum = sums[static_cast<size_t>(number - span.first)];
    const bool incomplete = !span.whole(number);
    std::vector<Cell>& row = table.rows.emplace_back();
    row = {span.start_of(number), Cell(sum.all(), incomplete)};
    for (const int64_t money : sum.by_stage) row.emplace_back(money, incomplete);
    row.emplace_back(sum.of_won_back, incomplete);
  }
  table.notes = {
      "A first order is of acquisition. Of won back is part of the others: money of users who had been away for so "
      "long "
      "that they counted as churned."};
  note_cut(span, table);
  return table;
}

Result<Table> revenue_by_cohort(const Lives& lives, const RevenueOptions& options, const std::string& currency,
                                TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const uint8_t signal, signal_named(lives.definition(), options.signal));
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  const IntervalSpan span = intervals_until(options.intervals.interval, earliest, now, options.intervals.most);
  const char* unit = interval_name(span.interval);
  Table table{
      .name = "revenue_by_cohort", .title = "Revenue by cohort", .at = now, .currency = currency, .dated = true};
  table.explanation =
      fmt::format("Money ({}) of the signal '{}' from the users first seen in a {}, each row, in {} number k after it.",
                  currency, lives.definition().signals[signal].name, unit, unit);
  table.columns = {{.name = "cohort", .type = date_type(span.interval)},
                   {.name = "users", .type = ColumnType::count},
                   {.name = "all", .type = ColumnType::money},
                   {.name = "per_user", .type = ColumnType::money}};
  for (int64_t after = 0; after < span.size(); ++after)
    table.columns.push_back({.name = fmt::format("{}_{}", unit, after),
                             .type = ColumnType::money,
                             .look = Look::heat,
                             .head = after == 0 ? fmt::format("{} 0", unit) : std::to_string(after)});
  const std::vector<Cohort> cohorts = sum_by_cohort(lives, signal, span);
  for (int64_t number = span.first; number < span.end; ++number)
    table.rows.push_back(cohort_row(cohorts[static_cast<size_t>(number - span.first)], number, span));
  table.notes = {fmt::format("{} 0 is the {} of the first event itself.", unit, unit)};
  return table;
}

}  // namespace perennial
