// A line through features by least squares, its coefficients drawn towards 0 as far as generalised cross-validation
// says. Source: Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
// 1979. Covered by uplift/ridge_line_test.cc.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

namespace perennial {

struct RidgeLine {
  double intercept = 0;
  std::vector<double> coefficients;  // of features as they are; none: the intercept everywhere

  [[nodiscard]] double at(std::span<const double> features) const;
};

/// `features` (users, features), finite; `targets` (users). Fewer users than `kFewestForLine`, or than two a feature:
/// their mean, and 0 of none.
RidgeLine fit_ridge_line(const Eigen::MatrixXd& features, const Eigen::VectorXd& targets);
inline constexpr Eigen::Index kFewestForLine = 50;

}  // namespace perennial
