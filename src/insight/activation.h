// How long users take to be activated: to leave acquisition for the first time. Who has not been yet is counted for as
// long as it was watched (Kaplan-Meier), not dropped: dropping would make slow products look fast.
// Covered by insight/activation_test.cc.
#pragma once

#include <optional>

#include "insight/population.h"
#include "insight/table.h"

namespace perennial {

/// The first instant of the user's, from its first event on and up to `until`, at which it is not in acquisition: the
/// time of transitions()[0], or of the first event when that is later.
std::optional<TimeMs> activation_time(const Definition& definition, const Life& life, TimeMs until);

/// A row for all users, then one a cohort of first event: how many are activated, the estimated shares that are within
/// some days, and after how many days a quarter, half and three quarters are. Blank where it was
/// watched too short, or of too few.
Result<Table> time_to_activation(const Lives& lives, const IntervalOptions& options, TimeMs now);

}  // namespace perennial
