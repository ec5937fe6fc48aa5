// What every report asks of the users first: whether there is time to count in, which signal is meant, what was bought.
// Covered by the tests of the reports.
#pragma once

#include <string_view>
#include <vector>

#include "insight/interval.h"
#include "lifecycle/lives.h"

namespace perennial {

/// The newest intervals of a report, at most `most`.
struct IntervalOptions {
  Interval interval = Interval::month;
  int64_t most = 12;
};

/// When the first of the users was seen; the end of time when there are none. failed_precondition when there are users,
/// but none of them has an event with a time: there is nothing that a report could stand on.
Result<TimeMs> earliest_seen(const Lives& lives);

/// Whether the user exists at `now`, with a time.
bool known_at(const Life& life, TimeMs now);

/// invalid_argument, listing them, for a name that the definition does not have. An empty name is the signal of
/// activity.
Result<uint8_t> signal_named(const Definition& definition, std::string_view name);

/// Facts up to `now`, of the span that is in the order of time.
std::span<const Fact> facts_until(std::span<const Fact> facts, TimeMs now);

/// Facts of one instant, such as the lines of one order, and their money.
struct Purchase {
  TimeMs time = 0;
  int64_t amount_minor = 0;
};

/// In the order of time, those up to `now`.
std::vector<Purchase> purchases(std::span<const Fact> facts, TimeMs now);

/// The distinct intervals in which there are facts up to `now`, rising.
std::vector<int64_t> active_intervals(Interval interval, std::span<const Fact> facts, TimeMs now);

}  // namespace perennial
