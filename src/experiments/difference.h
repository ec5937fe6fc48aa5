// Two arms of an experiment compared: the difference of their means with its interval, with the variance that is known
// from before taken out. Source: Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled
// experiments by utilizing pre-experiment data", 2013 (CUPED). Covered by experiments/difference_test.cc.
#pragma once

#include <cstdint>

#include "base/interval95.h"
#include "base/status.h"

namespace perennial {

/// Of one arm, what its mean and variance follow from: no user is kept.
class ArmSums {
 public:
  /// `before` is the same measure of a time before the experiment, 0 of who was not there.
  void add(double outcome, double before);

  [[nodiscard]] int64_t users() const { return users_; }
  [[nodiscard]] double mean() const { return users_ > 0 ? mean_ : 0; }

 private:
  friend Result<Interval95> difference(const ArmSums& a, const ArmSums& b);
  int64_t users_ = 0;
  double mean_ = 0, mean_before_ = 0;
  double squares_ = 0, squares_before_ = 0, products_ = 0;  // about the means: Welford
};

/// Mean of a less mean of b, 95 % by the normal distribution, adjusted by what was before. failed_precondition, "not
/// measurable", when an arm has fewer than two users.
Result<Interval95> difference(const ArmSums& a, const ArmSums& b);

}  // namespace perennial
