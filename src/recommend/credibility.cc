#include "recommend/credibility.h"

#include <algorithm>

#include "base/check.h"

namespace perennial {
namespace {

constexpr double kMostStrength = 1e9;

double believed(const Observed& unit, double strength) {
  return (unit.successes + strength) / (unit.expected + strength);
}

}  // namespace

double credibility_strength(std::span<const Observed> units, double rate) {
  double excess = 0;
  double squares = 0;
  for (const Observed& unit : units) {
    const double gap = unit.successes - unit.expected;
    excess += gap * gap - (1 - rate) * unit.expected;
    squares += unit.expected * unit.expected;
  }
  if (excess <= 0 || squares <= 0) return kMostStrength;
  return std::clamp((1 - rate) * squares / excess, kLeastStrength, kMostStrength);
}

std::vector<double> credible_ratios(std::span<const Observed> units, std::span<const int32_t> group_of, int32_t groups,
                                    double rate) {
  PERENNIAL_CHECK(units.size() == group_of.size(), "{} units, {} groups of them", units.size(), group_of.size());
  std::vector<Observed> sums(static_cast<size_t>(groups));
  for (size_t i = 0; i < units.size(); ++i) {
    Observed& sum = sums[static_cast<size_t>(group_of[i])];
    sum.successes += units[i].successes;
    sum.expected += units[i].expected;
  }
  const double of_groups = credibility_strength(sums, rate);
  std::vector<double> ratios(units.size());
  std::vector<Observed> within(units.begin(), units.end());
  for (size_t i = 0; i < units.size(); ++i) {
    ratios[i] = believed(sums[static_cast<size_t>(group_of[i])], of_groups);
    within[i].expected *= ratios[i];
  }
  const double of_units = credibility_strength(within, rate);
  for (size_t i = 0; i < units.size(); ++i) ratios[i] *= believed(within[i], of_units);
  return ratios;
}

}  // namespace perennial
