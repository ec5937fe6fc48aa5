// How many users stood where, at dates of the past, and which way they went between two of them.
// Covered by insight/stages_test.cc.
#pragma once

#include "lifecycle/stage_counts.h"

#include <span>
#include <vector>

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

/// count_stages() at each of the instants, which rise; each user is looked at once. O(users x instants), less for those
/// who are new or silent.
std::vector<StageCounts> stage_history(const Lives& lives, std::span<const TimeMs> instants);

/// The first instants of the newest intervals, and `now`: at most `most` in all, none before the first user was seen.
std::vector<TimeMs> history_instants(const IntervalOptions& options, TimeMs earliest, TimeMs now);

/// A row a date: users by stage, and by what silence adds to it.
Result<Table> stages_over_time(const Lives& lives, const IntervalOptions& options, TimeMs now);

/// A row a stage, today, with its history over the newest intervals as a series.
Result<Table> stages_today(const Lives& lives, const IntervalOptions& options, TimeMs now);

/// From where users went where between `since` and `now`, as the two dates show it: a row a stage of `since`, and one
/// of users that were not there yet; the sums of the columns stand in the last. invalid_argument unless since < now.
Result<Table> flows(const Lives& lives, TimeMs since, TimeMs now);

}  // namespace perennial
