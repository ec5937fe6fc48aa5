#include "insight/activation.h"

#include <algorithm>

#include "insight/survival.h"

namespace perennial {
namespace {

constexpr int kWithinDays[] = {1, 7, 30, 90};

std::vector<Cell> row_of(Cell label, bool over, const std::vector<Watched>& watched) {
  const auto activated = std::count_if(watched.begin(), watched.end(), [](const Watched& one) { return one.happened; });
  std::vector<Cell> row = {std::move(label), Cell(static_cast<int64_t>(watched.size()), !over),
                           Cell(static_cast<int64_t>(activated), !over || activated < std::ssize(watched))};
  const Survival survival(watched);
  for (const int days : kWithinDays) {
    row.push_back(number_or_blank(survival.happened_within(days * kDayMs)));
  }
  for (const double share : {0.25, 0.5, 0.75}) {
    std::optional<double> days;
    if (const auto duration = survival.quantile(share))
      days = static_cast<double>(*duration) / static_cast<double>(kDayMs);
    row.push_back(number_or_blank(days));
  }
  return row;
}

/// By cohort of the span; the last is of all users.
std::vector<std::vector<Watched>> watch(const Lives& lives, const IntervalSpan& span) {
  std::vector<std::vector<Watched>> cohorts(static_cast<size_t>(span.size()) + 1);
  lives.for_each([&](UserId, const Life& life) {
    if (!known_at(life, span.now)) return;
    const auto activated = activation_time(lives.definition(), life, span.now);
    const Watched one{activated.value_or(span.now) - life.first_seen, activated.has_value()};
    cohorts.back().push_back(one);
    const int64_t number = interval_of(span.interval, life.first_seen);
    if (span.contains(number)) cohorts[static_cast<size_t>(number - span.first)].push_back(one);
  });
  return cohorts;
}

}  // namespace

std::optional<TimeMs> activation_time(const Definition& definition, const Life& life, TimeMs until) {
  if (!known_at(life, until)) return std::nullopt;
  for (TimeMs at = life.first_seen; at <= until && at != kNeverChanges; at = next_change(definition, life.facts, at))
    if (standing_at(definition, life.facts, at).stage != Stage::acquisition) return at;
  return std::nullopt;
}

Result<Table> time_to_activation(const Lives& lives, const IntervalOptions& options, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  const IntervalSpan span = intervals_until(options.interval, earliest, now, options.most);
  Table table{.name = "activation", .title = "Time to activation", .at = now, .dated = true};
  table.explanation = fmt::format(
      "How long after their first event users are activated ({}), by {} of the first event.",
      lives.definition().rules[static_cast<size_t>(Stage::activation)].text, interval_name(options.interval));
  table.columns = {{.name = "cohort", .type = span.interval == Interval::month ? ColumnType::month : ColumnType::date},
                   {.name = "users", .type = ColumnType::count},
                   {.name = "activated", .type = ColumnType::count}};
  for (const int days : kWithinDays)
    table.columns.push_back({.name = fmt::format("within_{}_days", days),
                             .type = ColumnType::share,
                             .look = Look::heat,
                             .head = fmt::format("in {} d", days)});
  for (const auto& [name, head] : {std::pair("lower_quartile_days", "25 %"), std::pair("median_days", "50 %"),
                                   std::pair("upper_quartile_days", "75 %")})
    table.columns.push_back({.name = name, .type = ColumnType::days, .head = fmt::format("{} after days", head)});
  const std::vector<std::vector<Watched>> cohorts = watch(lives, span);
  if (span.size() > 0) table.rows.push_back(row_of(std::string("all"), true, cohorts.back()));
  for (int64_t number = span.first; number < span.end; ++number)
    table.rows.push_back(
        row_of(span.start_of(number), span.over(number), cohorts[static_cast<size_t>(number - span.first)]));
  table.notes = {
      "Shares and days are estimates in which users who are not activated count for as long as they were watched.",
      fmt::format("Blank: fewer than that many are activated so far, or fewer than {} users were watched that long.",
                  Survival::kFewestWatched)};
  return table;
}

}  // namespace perennial
