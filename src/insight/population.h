// What every report asks of the users first: whether there is time to count in, which signal is meant, what was bought.
// Covered by the tests of the reports.
#pragma once

#include <string_view>
#include <vector>

#include "insight/interval.h"
#include "insight/table.h"
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

/// Adds to the table of the span what a reader must know where the log begins within its first interval.
void note_cut(const IntervalSpan& span, Table& table);

/// Whether the user exists at `now`: from its first event with a time on.
bool known_at(const Life& life, TimeMs now);

/// invalid_argument, listing them, for a name that the definition does not have. An empty name is the signal of
/// activity.
Result<uint8_t> signal_named(const Definition& definition, std::string_view name);

/// Facts of one instant, such as the lines of one order, and their money.
struct Purchase {
  TimeMs time = 0;
  int64_t amount_minor = 0;
};

/// Those of the signal up to `now`, in the order of time; none of a user that does not exist by then. A fact may
/// precede the user's first event, as the referral of an inviter who comes later does: it is then of the instant of
/// that event.
std::vector<Purchase> purchases(const Life& life, uint8_t signal, TimeMs now);

/// The distinct intervals in which there are facts of the signal from `since` to `now`, rising; facts before the first
/// event as above.
std::vector<int64_t> active_intervals(Interval interval, const Life& life, uint8_t signal, TimeMs since, TimeMs now);

}  // namespace perennial
