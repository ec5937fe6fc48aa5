// Stickiness: on how many days of a month its users are there. Covered by insight/stickiness_test.cc.
#pragma once

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

struct StickinessOptions {
  int64_t months = 12;
  std::string signal;  // what counts as active; empty: that of activity
};

/// A row a calendar month: MAU, users active in it; DAU, the mean over its days so far, and of the log, of users active
/// on the day; WAU, the same mean of users active on the day or the six before it; DAU/MAU, DAU/WAU; shares of MAU by
/// active days, and the users active on exactly 1, 2, ... days. Fails for an unknown signal.
Result<Table> stickiness(const Lives& lives, const StickinessOptions& options, TimeMs now);

}  // namespace perennial
