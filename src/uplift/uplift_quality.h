// How well an order of users by expected uplift puts those who gain first, measured on users dealt an action or nothing
// by known chances. Shares are of these users; all values are in units of the outcome a user. Source: Radcliffe, "Using
// control groups to target on predicted lift", 2007, weighted by inverse chances. Covered by
// uplift/uplift_quality_test.cc.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

#include "base/interval95.h"
#include "base/status.h"

namespace perennial {

/// One user of a trial of one action against nothing.
struct Dealt {
  double score = 0;  // by which users are ordered, the highest first
  double outcome = 0;
  double chance = 0.5;  // of what was dealt, in (0, 1]
  bool treated = false;
};

/// gain(k) = k (mean outcome of the treated - of the untreated) among the share k of users with the highest scores:
/// what acting on these alone brings, a user of all. Qini = area under gain - area under the line to gain(1).
struct UpliftQuality {
  int64_t users = 0;
  Interval95 average;         // gain(1), the average effect
  Interval95 area;            // AUUC: under gain(k), k from 0 to 1
  Interval95 qini;            // above 0: better than at random
  Interval95 at_30;           // uplift among the 30 % with the highest scores
  Interval95 above_30;        // that, less the average effect
  std::vector<double> curve;  // gain at 0, 5, ... 100 %
};

inline constexpr double kQiniShare = 0.3;

/// Users with equal scores are kept in an order drawn by the seed. The intervals are bootstraps over users with the
/// order given. failed_precondition, "not measurable", when nobody or everybody is treated.
Result<UpliftQuality> measure_uplift(std::vector<Dealt> users, uint64_t seed);

/// Value a user of a policy that gives each user one arm, on a trial: `chosen` (users) arms, `pseudo` (users, arms)
/// estimates of each arm's outcome that are right on average. The mean, with its normal interval.
Interval95 policy_value(std::span<const uint16_t> chosen, const Eigen::MatrixXd& pseudo);

}  // namespace perennial
