#include "insight/population.h"

#include <algorithm>

namespace perennial {
namespace {

/// Totals count modulo 2^64; the difference of neighbours is right.
int64_t difference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace

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

bool known_at(const Life& life, TimeMs now) { return life.first_seen != kNoTime && life.first_seen <= now; }

Result<uint8_t> signal_named(const Definition& definition, std::string_view name) {
  if (name.empty()) return definition.activity;
  if (const auto found = definition.find_signal(name)) return *found;
  std::string known;
  for (const Signal& signal : definition.signals) known.append(known.empty() ? "" : ", ").append(signal.name);
  return invalid_argument("there is no signal '{:.40}': the definition has {}", name, known);
}

std::span<const Fact> facts_until(std::span<const Fact> facts, TimeMs now) {
  const auto end =
      std::upper_bound(facts.begin(), facts.end(), now, [](TimeMs time, const Fact& fact) { return time < fact.time; });
  return facts.first(static_cast<size_t>(end - facts.begin()));
}

std::vector<Purchase> purchases(std::span<const Fact> facts, TimeMs now) {
  std::vector<Purchase> all;
  int64_t before = 0;
  for (const Fact& fact : facts_until(facts, now)) {
    if (all.empty() || all.back().time != fact.time) all.push_back({fact.time, 0});
    all.back().amount_minor += difference(fact.total_minor, before);
    before = fact.total_minor;
  }
  return all;
}

std::vector<int64_t> active_intervals(Interval interval, std::span<const Fact> facts, TimeMs now) {
  std::vector<int64_t> active;
  for (const Fact& fact : facts_until(facts, now)) {
    const int64_t number = interval_of(interval, fact.time);
    if (active.empty() || active.back() != number) active.push_back(number);
  }
  return active;
}

}  // namespace perennial
