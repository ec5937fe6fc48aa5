// How many times as often something happens to one group as to another, with an interval.
// Covered by insight/risk_ratio_test.cc.
#pragma once

#include <cstdint>

namespace perennial {

struct Group {
  int64_t users = 0;
  int64_t happened = 0;
};

struct RiskRatio {
  double ratio = 1;
  double low = 0;
  double high = 0;
};

/// The z that a standard normal number stays below with this probability, which must be in (0, 1); error below 1e-9.
double normal_quantile(double probability);

/// (a/n) / (b/m) and its interval of Katz (1978), normal on the logarithm. Where it happened to nobody or to everybody
/// of a group, which would leave no variance, half a user to whom it happened and half a one to whom not are added to
/// each group. `looks` intervals together hold with `confidence` (Bonferroni), approximately in small groups. Both
/// groups have users; looks >= 1.
RiskRatio risk_ratio(const Group& with, const Group& without, double confidence, int64_t looks);

}  // namespace perennial
