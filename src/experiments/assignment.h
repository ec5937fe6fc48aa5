// Who is in which arm of an experiment, for good: a share of users by hash of their id, another for each purpose, and
// whether the arms that are there came about by that share. Covered by experiments/assignment_test.cc.
#pragma once

#include <cstdint>
#include <string_view>

namespace perennial {

/// Of the text; another for each purpose, so that experiments do not coincide. The same on every machine.
uint64_t stable_hash(std::string_view purpose, std::string_view text);

/// In [0, 1), uniform over ids.
double share_of(std::string_view purpose, std::string_view id);

/// By hash of the id, so that it lasts; an empty id is never held out, for there is nothing to know it again by.
bool is_held_out(std::string_view purpose, double share, std::string_view id);

/// Sample-ratio check: the chance of counts at least as far from the share as these, by the normal approximation.
/// Below 0.001 something puts users into arms that is not the hash, and no difference between them can be trusted.
/// Source: Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", 2019. 1 of nobody.
double sample_ratio_p_value(int64_t held_out, int64_t others, double share);

}  // namespace perennial
