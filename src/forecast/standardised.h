// Features with mean 0 and deviation 1, behind a column of ones, for the regressions of this folder. Covered by
// forecast/logistic_test.cc and forecast/two_part_test.cc.
#pragma once

#include <Eigen/Core>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"

namespace perennial {

struct Standardised {
  Eigen::MatrixXd design;             // (users, 1 + features)
  Eigen::VectorXd mean;               // of each feature
  Eigen::VectorXd inverse_deviation;  // 0 where a feature is constant: its column is 0

  /// The same line on features as they are: intercept and coefficients.
  [[nodiscard]] std::pair<double, std::vector<double>> on_raw_features(const Eigen::VectorXd& coefficients) const;
};

/// failed_precondition when a feature is not finite.
Result<Standardised> standardise(const Eigen::MatrixXd& features);

/// intercept + coefficients . features; aborts when their numbers differ.
double line_at(double intercept, std::span<const double> coefficients, std::span<const double> features);

}  // namespace perennial
