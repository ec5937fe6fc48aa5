#include "insight/stages.h"

#include <algorithm>
#include <future>

#include "base/text.h"

namespace perennial {
namespace {

constexpr std::string_view kOverlayWords =
    "At risk, churned and won back say who has gone silent or came back; these users are counted in their stage too.";

int64_t with_overlay(const StageCounts& counts, size_t overlay) {
  int64_t sum = 0;
  for (const auto& of_stage : counts.users) sum += of_stage[overlay];
  return sum;
}

int64_t in(const StageCounts& counts, size_t stage) { return counts.in(static_cast<Stage>(stage)); }

void add_overlay_columns(Table& table) {
  for (size_t overlay = 1; overlay < kOverlays; ++overlay)
    table.columns.push_back({.name = overlay_name(static_cast<Overlay>(overlay)), .type = ColumnType::count});
}

void add_stage_columns(Table& table) {
  for (size_t stage = 0; stage < kStages; ++stage)
    table.columns.push_back(
        {.name = stage_name(static_cast<Stage>(stage)), .type = ColumnType::count, .look = Look::heat});
}

/// Adds 1 where the user stands at each instant from when it was first seen. Most users are silent at most instants,
/// and stand where they stood.
void count_life(const Definition& definition, const Life& life, std::span<const TimeMs> instants,
                std::vector<StageCounts>& history) {
  if (instants.empty() || !known_at(life, instants.back())) return;
  const auto first = std::lower_bound(instants.begin(), instants.end(), life.first_seen);
  TimeMs until = std::numeric_limits<TimeMs>::min();
  Standing standing;
  for (auto i = static_cast<size_t>(first - instants.begin()); i < instants.size(); ++i) {
    if (instants[i] >= until) {
      standing = standing_at(definition, life.facts, instants[i]);
      until = next_change(definition, life.facts, instants[i]);
    }
    ++history[i].users[static_cast<size_t>(standing.stage)][static_cast<size_t>(standing.overlay)];
  }
}

/// Rows: stages at the beginning, then those who were not there. Columns: stages at the end, then overlays taken on.
struct FlowCounts {
  std::array<std::array<int64_t, kStages>, kStages + 1> stages{};
  std::array<std::array<int64_t, kOverlays>, kStages + 1> overlays{};
};

void note_without_time(const Lives& lives, Table& table) {
  int64_t users = 0;
  lives.for_each([&](UserId, const Life& life) { users += life.first_seen == kNoTime ? 1 : 0; });
  if (users == 1) table.notes.emplace_back("1 user is known without a time and is not counted.");
  if (users > 1)
    table.notes.push_back(fmt::format("{} users are known without a time and are not counted.", with_commas(users)));
}

FlowCounts count_flows(const Lives& lives, TimeMs since, TimeMs now) {
  FlowCounts counts;
  lives.for_each([&](UserId, const Life& life) {
    if (!known_at(life, now)) return;
    const bool there = life.first_seen <= since;
    const Standing from = there ? standing_at(lives.definition(), life.facts, since) : Standing();
    const Standing to = standing_at(lives.definition(), life.facts, now);
    const size_t row = there ? static_cast<size_t>(from.stage) : kStages;
    ++counts.stages[row][static_cast<size_t>(to.stage)];
    if (to.overlay != from.overlay) ++counts.overlays[row][static_cast<size_t>(to.overlay)];
  });
  return counts;
}

std::vector<Cell> flow_row(const char* from, const std::array<int64_t, kStages>& stages,
                           const std::array<int64_t, kOverlays>& overlays) {
  std::vector<Cell> row = {std::string(from)};
  int64_t users = 0;
  for (const int64_t count : stages) users += count;
  row.emplace_back(users);
  for (const int64_t count : stages) row.emplace_back(count);
  for (size_t overlay = 1; overlay < kOverlays; ++overlay) row.emplace_back(overlays[overlay]);
  return row;
}

}  // namespace

std::vector<StageCounts> stage_history(const Lives& lives, std::span<const TimeMs> instants) {
  const auto count = [&](UserId first, UserId end) {
    std::vector<StageCounts> history(instants.size());
    lives.for_each(first, end,
                   [&](UserId, const Life& life) { count_life(lives.definition(), life, instants, history); });
    return history;
  };
  const UserId half = lives.end() / 2;  // of millions of users, two cores make half the wait
  auto second = std::async(std::launch::async, [&] { return count(half, lives.end()); });
  std::vector<StageCounts> history = count(0, half);
  const std::vector<StageCounts> others = second.get();
  for (size_t i = 0; i < history.size(); ++i)
    for (size_t stage = 0; stage < kStages; ++stage)
      for (size_t overlay = 0; overlay < kOverlays; ++overlay)
        history[i].users[stage][overlay] += others[i].users[stage][overlay];
  return history;
}

std::vector<TimeMs> history_instants(const IntervalOptions& options, TimeMs earliest, TimeMs now) {
  const IntervalSpan span = intervals_until(options.interval, earliest, now, options.most);
  std::vector<TimeMs> instants;
  for (int64_t number = span.first + 1; number < span.end; ++number) instants.push_back(span.start_of(number));
  if (span.size() > 0 || earliest == now) instants.push_back(now);
  return instants;
}

Result<Table> stages_over_time(const Lives& lives, const IntervalOptions& options, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  Table table{.name = "stages", .title = "Stages over time", .at = now};
  table.explanation =
      "Users by the stage of their life in which they stood when each day (UTC) began; the last row is as of now.";
  table.columns = {{.name = "at", .type = ColumnType::date}, {.name = "users", .type = ColumnType::count}};
  add_stage_columns(table);
  add_overlay_columns(table);
  const std::vector<TimeMs> instants = history_instants(options, earliest, now);
  const std::vector<StageCounts> history = stage_history(lives, instants);
  for (size_t i = 0; i < instants.size(); ++i) {
    std::vector<Cell>& row = table.rows.emplace_back();
    row = {instants[i], history[i].all()};
    for (size_t stage = 0; stage < kStages; ++stage) row.emplace_back(in(history[i], stage));
    for (size_t overlay = 1; overlay < kOverlays; ++overlay) row.emplace_back(with_overlay(history[i], overlay));
  }
  table.notes = {std::string(kOverlayWords)};
  return table;
}

Result<Table> stages_today(const Lives& lives, const IntervalOptions& options, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const TimeMs earliest, earliest_seen(lives));
  const std::vector<TimeMs> instants = history_instants(options, earliest, now);
  const std::vector<StageCounts> history = stage_history(lives, instants);
  const StageCounts counts = history.empty() ? StageCounts() : history.back();
  Table table{.name = "summary", .at = now};
  table.title = fmt::format("{} users at {:.16} UTC", with_commas(counts.all()), format_iso8601(now));
  table.explanation = fmt::format("The stage of life in which each user stands, and how many stood there {} by {}.",
                                  interval_name(options.interval), interval_name(options.interval));
  table.columns = {{.name = "stage"},
                   {.name = "users", .type = ColumnType::count, .look = Look::bar},
                   {.name = "share", .type = ColumnType::share}};
  add_overlay_columns(table);
  table.columns.push_back({.name = "history", .type = ColumnType::series});
  for (size_t stage = 0; stage < kStages && !instants.empty(); ++stage) {
    std::vector<Cell>& row = table.rows.emplace_back();
    row = {std::string(stage_name(static_cast<Stage>(stage))), in(counts, stage)};
    row.emplace_back(counts.all() == 0 ? 0.0
                                       : static_cast<double>(in(counts, stage)) / static_cast<double>(counts.all()));
    for (size_t overlay = 1; overlay < kOverlays; ++overlay) row.emplace_back(counts.users[stage][overlay]);
    Series series;
    for (const StageCounts& then : history) series.push_back(in(then, stage));
    row.emplace_back(std::move(series));
  }
  for (size_t stage = 1; stage < kStages; ++stage)
    table.notes.push_back(
        fmt::format("{:12} {}", stage_name(static_cast<Stage>(stage)), lives.definition().rules[stage].text));
  note_without_time(lives, table);
  return table;
}

Result<Table> flows(const Lives& lives, TimeMs since, TimeMs now) {
  if (since >= now)
    return invalid_argument("flows go from {:.16} to {:.16}: the first must be before the second",
                            format_iso8601(since), format_iso8601(now));
  PERENNIAL_TRY(earliest_seen(lives).status());
  const FlowCounts counts = count_flows(lives, since, now);
  Table table{.name = "flows", .title = "Flows between stages", .at = now};
  table.explanation =
      fmt::format("Where users stood at {:.10}, each row, and where those same users stand at {:.10}, the columns.",
                  format_iso8601(since), format_iso8601(now));
  table.columns = {{.name = "from"}, {.name = "users", .type = ColumnType::count}};
  add_stage_columns(table);
  for (const auto& [name, head] : {std::pair("became_at_risk", "became at risk"),
                                   std::pair("became_churned", "churned"), std::pair("became_won_back", "won back")})
    table.columns.push_back({.name = name, .type = ColumnType::count, .head = head});
  FlowCounts sums;
  for (size_t from = 0; from <= kStages; ++from) {
    table.rows.push_back(flow_row(from == kStages ? "new" : stage_name(static_cast<Stage>(from)), counts.stages[from],
                                  counts.overlays[from]));
    for (size_t stage = 0; stage < kStages; ++stage) sums.stages[0][stage] += counts.stages[from][stage];
    for (size_t overlay = 0; overlay < kOverlays; ++overlay)
      sums.overlays[0][overlay] += counts.overlays[from][overlay];
  }
  table.rows.push_back(flow_row("all", sums.stages[0], sums.overlays[0]));
  table.notes = {
      "Became at risk, churned and won back: users of the row of whom this is so at the end and was not at the "
      "beginning.",
      "new: users who were first seen in between."};
  return table;
}

}  // namespace perennial
