#include "lifecycle/standing.h"

#include <algorithm>
#include <chrono>

namespace perennial {
namespace {

constexpr int kBaselineWindows = 3;
constexpr TimeMs kDayMs = 86'400'000;
constexpr int64_t kThursdayToMonday = 3;  // 1970-01-01 was a Thursday

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// A number that is equal for times of one UTC day, week (from Monday) or month.
int64_t period_of(Measure measure, TimeMs time) {
  const int64_t day = floor_divide(time, kDayMs);
  if (measure == Measure::days) return day;
  if (measure == Measure::weeks) return floor_divide(day + kThursdayToMonday, 7);
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return static_cast<int>(date.year()) * 12 + static_cast<int64_t>(static_cast<unsigned>(date.month()));
}

/// Of facts in (after, until]; counting distinct periods ends at `enough`.
double measure_in(const Condition& condition, std::span<const Fact> facts, TimeMs after, TimeMs until,
                  int64_t minor_units, double enough) {
  const size_t begin = count_until(facts, after);
  const size_t end = count_until(facts, until);
  if (end == begin) return 0;
  if (condition.measure == Measure::count) return static_cast<double>(end - begin);
  if (condition.measure == Measure::sum)
    return static_cast<double>(money_between(facts, begin, end)) / static_cast<double>(minor_units);
  double distinct = 0;
  int64_t last = 0;
  for (size_t i = end; i > begin && distinct < enough; --i) {
    const int64_t period = period_of(condition.measure, facts[i - 1].time);
    if (distinct == 0 || period != last) ++distinct;
    last = period;
  }
  return distinct;
}

bool holds(const Definition& definition, const Condition& condition, const UserFacts& all, TimeMs now) {
  const std::span<const Fact> facts = all.of(condition.signal);
  if (facts.empty()) return false;
  const TimeMs window = condition.window_ms;
  const auto measured = [&](TimeMs after, TimeMs until, double enough) {
    return measure_in(condition, facts, after, until, definition.minor_units, enough);
  };
  if (!condition.growth)
    return measured(window == 0 ? std::numeric_limits<TimeMs>::min() : now - window, now, condition.at_least) >=
           condition.at_least;
  // Whole windows that the user has lived through before the last one, at most three.
  const TimeMs lived = now - window - facts.front().time;
  const TimeMs windows = lived < 0 ? 0 : std::min<TimeMs>(kBaselineWindows, lived / window);
  if (windows == 0) return false;
  constexpr double kAll = std::numeric_limits<double>::infinity();
  const double base = measured(now - (windows + 1) * window, now - window, kAll) / static_cast<double>(windows);
  return base > 0 && measured(now - window, now, kAll) >= condition.at_least * base;
}

bool holds(const Definition& definition, const StageRule& rule, const UserFacts& facts, TimeMs now) {
  return std::any_of(rule.alternatives.begin(), rule.alternatives.end(), [&](const std::vector<Condition>& all) {
    return std::all_of(all.begin(), all.end(),
                       [&](const Condition& condition) { return holds(definition, condition, facts, now); });
  });
}

/// The fact that brought a churned user back within the last won_back_for_ms, or null. In a window that is no longer
/// than churned_after_ms only the first fact can end so long a silence.
const Fact* returned(const Definition& definition, std::span<const Fact> activity, size_t known, TimeMs now) {
  const size_t first = count_until(activity, now - definition.won_back_for_ms);
  if (first == 0 || first >= known) return nullptr;
  const bool long_silence = activity[first].time - activity[first - 1].time >= definition.churned_after_ms;
  return long_silence ? &activity[first] : nullptr;
}

Overlay overlay_at(const Definition& definition, const UserFacts& facts, TimeMs now) {
  const std::span<const Fact> activity = facts.of(definition.activity);
  const size_t known = count_until(activity, now);
  if (known == 0) return Overlay::none;
  const TimeMs silence = now - activity[known - 1].time;
  if (silence >= definition.churned_after_ms) return Overlay::churned;
  if (silence >= definition.at_risk_after_ms) return Overlay::at_risk;
  return returned(definition, activity, known, now) != nullptr ? Overlay::won_back : Overlay::none;
}

/// The first instant after now at which one of the facts leaves one of `windows` windows of the length, one behind the
/// other.
TimeMs next_edge(std::span<const Fact> facts, TimeMs window, int windows, TimeMs now) {
  TimeMs next = kNeverChanges;
  const size_t known = count_until(facts, now);
  for (int i = 1; i <= windows; ++i) {
    const size_t oldest = count_until(facts, now - i * window);
    if (oldest < known) next = std::min(next, facts[oldest].time + i * window);
  }
  return next;
}

TimeMs next_change_of_overlay(const Definition& definition, const UserFacts& facts, TimeMs now) {
  const std::span<const Fact> activity = facts.of(definition.activity);
  const size_t known = count_until(activity, now);
  if (known == 0) return kNeverChanges;
  const TimeMs last = activity[known - 1].time;
  TimeMs next = kNeverChanges;
  const auto consider = [&](TimeMs time) {
    if (time > now) next = std::min(next, time);
  };
  consider(last + definition.at_risk_after_ms);
  consider(last + definition.churned_after_ms);
  if (const Fact* fact = returned(definition, activity, known, now)) consider(fact->time + definition.won_back_for_ms);
  return next;
}

TimeMs next_change_of(const Condition& condition, const UserFacts& all, TimeMs now) {
  const std::span<const Fact> facts = all.of(condition.signal);
  if (condition.window_ms == 0 || facts.empty()) return kNeverChanges;
  if (condition.growth) return next_edge(facts, condition.window_ms, kBaselineWindows + 1, now);
  if (condition.measure != Measure::count) return next_edge(facts, condition.window_ms, 1, now);
  // As many as are wanted, counted back from the newest: it ends when the oldest of them leaves. Else time adds none.
  const size_t known = count_until(facts, now);
  const auto wanted = static_cast<size_t>(condition.at_least);
  if (known < wanted) return kNeverChanges;
  const TimeMs leaves = facts[known - wanted].time + condition.window_ms;
  return leaves > now ? leaves : kNeverChanges;
}

}  // namespace

const char* overlay_name(Overlay overlay) {
  constexpr const char* kNames[] = {"none", "at_risk", "churned", "won_back"};
  return kNames[static_cast<size_t>(overlay)];
}

Standing standing_at(const Definition& definition, const UserFacts& facts, TimeMs now) {
  Standing standing;
  for (size_t stage = kStages - 1; stage > 0; --stage) {
    if (!holds(definition, definition.rules[stage], facts, now)) continue;
    standing.stage = static_cast<Stage>(stage);
    standing.overlay = overlay_at(definition, facts, now);
    break;
  }
  return standing;
}

TimeMs next_change(const Definition& definition, const UserFacts& facts, TimeMs now) {
  TimeMs next = next_change_of_overlay(definition, facts, now);
  for (uint8_t signal = 0; signal < definition.signals.size(); ++signal) {
    const std::span<const Fact> all = facts.of(signal);
    if (!all.empty() && all.back().time > now) next = std::min(next, all[count_until(all, now)].time);
  }
  for (const StageRule& rule : definition.rules)
    for (const std::vector<Condition>& all : rule.alternatives)
      for (const Condition& condition : all) next = std::min(next, next_change_of(condition, facts, now));
  return next;
}

std::vector<Transition> transitions(const Definition& definition, const UserFacts& facts, TimeMs until) {
  std::vector<Fact> events;
  for (uint8_t signal = 0; signal < definition.signals.size(); ++signal)
    for (const Fact& fact : facts.of(signal))
      if (fact.time <= until) events.push_back(fact);
  std::sort(events.begin(), events.end(),
            [](const Fact& a, const Fact& b) { return a.time != b.time ? a.time < b.time : a.offset < b.offset; });

  std::vector<Transition> changes;
  Standing standing;
  const auto look = [&](TimeMs time, Offset offset) {
    const Standing now = standing_at(definition, facts, time);
    if (now != standing) changes.push_back({time, standing, now, offset});
    standing = now;
  };
  for (size_t i = 0; i < events.size();) {
    const TimeMs time = events[i].time;
    while (i + 1 < events.size() && events[i + 1].time == time) ++i;  // of one instant the last is the cause
    look(time, events[i].offset);
    ++i;
    const TimeMs end = i < events.size() ? events[i].time - 1 : until;
    for (TimeMs at = next_change(definition, facts, time); at <= end; at = next_change(definition, facts, at))
      look(at, 0);
  }
  return changes;
}

}  // namespace perennial
