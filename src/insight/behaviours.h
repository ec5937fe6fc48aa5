// What users do in their first days that goes with being activated later. A landmark analysis: only users whom the
// first days left not activated are compared, and all have the same time after them, so that nobody has had more time
// to do things because of being slower, or has an outcome that nobody could yet see. Covered by
// insight/behaviours_test.cc.
#pragma once

#include "insight/population.h"
#include "insight/table.h"
#include "log/event_log.h"

namespace perennial {

struct BehaviourOptions {
  int64_t early_days = 7;    // of the user, from first_seen
  int64_t within_days = 30;  // known for at least so long, and activated by then; more than early_days
};

/// A row an event type that at least ten of the compared users did, and ten did not, in their early days: users, share
/// activated from the end of the early days to within_days, the same of those who did not, the ratio of the two (lift),
/// and its 95 % interval, which holds for all rows together. Reads the log up to `end`, the offset up to which `lives`
/// is folded. invalid_argument unless 0 < early_days < within_days <= 3650.
Result<Table> early_behaviours(const Lives& lives, LogReader& log, Offset end, const BehaviourOptions& options,
                               TimeMs now);

}  // namespace perennial
