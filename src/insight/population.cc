#include "insight/population.h"

#include <algorithm>

#include "base/text.h"

namespace perennial {
Result<TimeMs> earliest_seen(const Lives& lives) {
  TimeMs earliest = std::numeric_limits<TimeMs>::max();
  lives.for_each([&](UserId, const Life& life) {
    if (life.first_seen != kNoTime) earliest = std::min(earliest, life.first_seen);
  });
  if (lives.size() > 0 && earliest == std::numeric_limits<TimeMs>::max())
    return failed_precondition(
        "no event has a time, so nothing can be said of the lives of users ({}): import a file with a timestamp column",
        lives.size());
  return earliest;
}

void note_cut(const IntervalSpan& span, Table& table) {
  if (span.size() == 0 || !(span.cut(span.first) || span.cut(span.first - 1))) return;
  table.notes.push_back(fmt::format("The log begins on {:.10}: that {} is not whole, nor what is compared with it.",
                                    format_iso8601(span.earliest), interval_name(span.interval)));
}

bool known_at(const Life& life, TimeMs now) { return life.first_seen != kNoTime && life.first_seen <= now; }

Result<uint8_t> signal_named(const Definition& definition, std::string_view name) {
  if (name.empty()) return definition.activity;
  if (const auto found = definition.find_signal(name)) return *found;
  std::string known;
  for (const Signal& signal : definition.signals) known.append(known.empty() ? "" : ", ").append(signal.name);
  return invalid_argument("there is no signal '{:.40}': the definition has {}", name, known);
}

std::vector<Purchase> purchases(const Life& life, uint8_t signal, TimeMs now) {
  std::vector<Purchase> all;
  if (!known_at(life, now)) return all;
  const std::span<const Fact> facts = life.facts.of(signal);
  const size_t known = count_until(facts, now);
  for (size_t begin = 0; begin < known;) {
    const size_t end = count_until(facts, facts[begin].time);
    all.push_back({std::max(facts[begin].time, life.first_seen), money_between(facts, begin, end)});
    begin = end;
  }
  return all;
}

std::vector<int64_t> active_intervals(Interval interval, const Life& life, uint8_t signal, TimeMs since, TimeMs now) {
  std::vector<int64_t> active;
  if (!known_at(life, now)) return active;
  const std::span<const Fact> facts = life.facts.of(signal);
  for (const Fact& fact : facts.first(count_until(facts, now))) {
    const TimeMs time = std::max(fact.time, life.first_seen);
    if (time < since) continue;
    const int64_t number = interval_of(interval, time);
    if (active.empty() || active.back() != number) active.push_back(number);
  }
  return active;
}

}  // namespace perennial
