// How far an item's own count is believed against the group's: linear empirical Bayes (credibility). A rate of
// something seen a few times is nearly its group's, one of something seen often its own. Covered by
// recommend/credibility_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace perennial {

/// Successes of a unit, and how many there would be if it were like all others.
struct Observed {
  double successes = 0;
  double expected = 0;
};

/// One success more or less moves a rate by a tenth at most.
inline constexpr double kLeastStrength = 10;

/// The a of ratio = (successes + a) / (expected + a), in expected successes: (1 - rate) / t, where t estimates by
/// moments how much the true ratios of the units vary, t = sum((O - E)^2 - (1 - rate) E) / sum(E^2), and `rate` is the
/// mean chance of a success. At least kLeastStrength; 1e9 when no more variation is seen than chance explains.
/// Source: Buehlmann and Straub, "Glaubwuerdigkeit fuer Schadensaetze", 1970.
double credibility_strength(std::span<const Observed> units, double rate);

/// The ratio of each unit's chance of a success to the mean one, about 1: first those of the groups against the whole,
/// c = (O + b) / (E + b) with sums over the group, then each unit's against its group, c (O + a) / (c E + a).
/// `group_of` (one a unit) is below `groups`. A unit without any expectation has its group's ratio.
std::vector<double> credible_ratios(std::span<const Observed> units, std::span<const int32_t> group_of, int32_t groups,
                                    double rate);

}  // namespace perennial
