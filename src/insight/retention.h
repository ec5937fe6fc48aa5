// Retention: which share of the users who began in one interval did something in each interval after it.
// Covered by insight/retention_test.cc.
#pragma once

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

/// `on`: in exactly that interval; `on_or_after`: in it or in any later one until now.
enum class RetentionVariant : uint8_t { on, on_or_after };

/// What puts a user into a cohort: to be seen first, or to leave acquisition for the first time.
enum class CohortEvent : uint8_t { first_seen, activation };

struct RetentionOptions {
  IntervalOptions intervals;  // cohorts, and the intervals after them
  RetentionVariant variant = RetentionVariant::on;
  CohortEvent cohort = CohortEvent::first_seen;
  std::string signal;  // what counts as coming back; empty: activity
};

/// A row a cohort, after one of all; a column an interval after that of the cohort, which is number 0. Intervals are of
/// the calendar. R(c,k) = users of c with the signal in interval c + k, not before they began / users of c. That of all
/// weighs cohorts by their users, and only those for which interval c + k is over. On or after, every share below 1 is
/// incomplete: a later return raises it. Fails for an unknown signal.
Result<Table> retention(const Lives& lives, const RetentionOptions& options, TimeMs now);

}  // namespace perennial
