// Activity: who is new, stays, comes back and goes quiet, interval by interval. Covered by insight/activity_test.cc.
#pragma once

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

struct ActivityOptions {
  IntervalOptions intervals;
  std::string signal;  // what counts as active; empty: that of activity
};

/// A row an interval t. With A(t) the users who had the signal in t: new, for the first time ever; returning, A(t) and
/// A(t-1); resurrecting, A(t), not A(t-1), not new; dormant, not A(t), A(t-1). Active is the sum of the first three.
/// Churn rate: dormant / A(t-1). Quick ratio: (new + resurrecting) / dormant. Where the log begins within an interval,
/// its row is incomplete, and of the next one what is compared with it. Fails for an unknown signal.
Result<Table> activity(const Lives& lives, const ActivityOptions& options, TimeMs now);

}  // namespace perennial
