// Money, month by month: from users of which stage, and from which cohort. Covered by insight/revenue_test.cc.
#pragma once

#include <string>

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

struct RevenueOptions {
  IntervalOptions intervals;
  std::string signal = "value";  // whose money counts
};

/// A row an interval: money by the stage in which the user stood just before the event, so that a first order is of
/// acquisition; and, of all of it, the money of users who were then churned or won back. Money without a time is not
/// counted. Fails for an unknown signal.
Result<Table> revenue_by_stage(const Lives& lives, const RevenueOptions& options, const std::string& currency,
                               TimeMs now);

/// A row a cohort of first event; a column an interval after that of the cohort, which is number 0: money in it.
Result<Table> revenue_by_cohort(const Lives& lives, const RevenueOptions& options, const std::string& currency,
                                TimeMs now);

}  // namespace perennial
