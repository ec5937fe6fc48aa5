// Money in two parts: whether a user spends at all (logistic), and how much then (a line for its logarithm).
// Source: Duan, Manning, Morris and Newhouse, "A comparison of alternative models for the demand for medical care",
// 1983; the mean from the logarithm by Duan, "Smearing estimate", 1983. Covered by forecast/two_part_test.cc.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "base/status.h"
#include "forecast/logistic.h"

namespace perennial {

struct TwoPart {
  Logistic spends;
  double intercept = 0;  // of log money, if any
  std::vector<double> coefficients;
  double smearing = 1;        // mean of exp(residual)
  double deviation = 0;       // of the residuals of log money
  double most_log_money = 0;  // the largest seen; the line does not go beyond it

  /// The mean to be expected.
  [[nodiscard]] double expected(std::span<const double> features) const;
  /// 0 for users more likely to spend nothing; else by the residuals' normal distribution given `deviation`.
  [[nodiscard]] double median(std::span<const double> features) const;
};

/// `features` (users, features), `money` (users); 0 or less is no spending. failed_precondition when all or fewer than
/// 20 users spend, or a feature is not finite.
Result<TwoPart> fit_two_part(const Eigen::MatrixXd& features, const Eigen::VectorXd& money, double ridge = 1);

}  // namespace perennial
