// The facts of one signal in an interval of time.
#pragma once

#include <algorithm>
#include <limits>
#include <span>

#include "lifecycle/standing.h"

namespace perennial {

inline constexpr TimeMs kAlways = std::numeric_limits<TimeMs>::min();

/// How many facts have a time of at most `now`.
inline size_t facts_until(std::span<const Fact> facts, TimeMs now) {
  const auto later = [](TimeMs time, const Fact& fact) { return time < fact.time; };
  return static_cast<size_t>(std::upper_bound(facts.begin(), facts.end(), now, later) - facts.begin());
}

/// Those in (after, until].
inline std::span<const Fact> facts_in(std::span<const Fact> facts, TimeMs after, TimeMs until) {
  const size_t begin = facts_until(facts, after);
  return facts.subspan(begin, std::max(facts_until(facts, until), begin) - begin);
}

/// Money of the facts in (after, until], in minor units.
inline int64_t money_in(std::span<const Fact> facts, TimeMs after, TimeMs until) {
  const size_t begin = facts_until(facts, after);
  const size_t end = facts_until(facts, until);
  if (end <= begin) return 0;
  // Modulo 2^64, as Fact::total_minor is.
  const auto earlier = static_cast<uint64_t>(begin == 0 ? 0 : facts[begin - 1].total_minor);
  return static_cast<int64_t>(static_cast<uint64_t>(facts[end - 1].total_minor) - earlier);
}

}  // namespace perennial
