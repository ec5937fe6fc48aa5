// The maximum of a smooth function of a few variables, for likelihoods in the logarithms of their parameters: damped
// Newton steps on a Hessian from differences of the gradient. Covered by forecast/maximum_test.cc.
#pragma once

#include <Eigen/Core>
#include <functional>
#include <span>
#include <string_view>

#include "base/interval95.h"
#include "base/status.h"

namespace perennial {

/// The value at `point`; overwrites `gradient`, of the same size. Not finite: outside the domain.
using Objective = std::function<double(const Eigen::VectorXd& point, Eigen::VectorXd& gradient)>;

struct Maximum {
  Eigen::VectorXd point;
  double value = 0;
  Eigen::MatrixXd covariance;  // the inverse of minus the Hessian: of a log likelihood, that of the estimates
};

/// Tries the starts from the highest value down until one leads to a maximum: a negative definite Hessian, and less
/// than 1e-8 to gain by another step. failed_precondition, naming the variable that ran off or is not determined, when
/// none does. `names` is of the variables, for that message.
Result<Maximum> maximise(const Objective& objective, std::span<const Eigen::VectorXd> starts,
                         std::span<const std::string_view> names);

/// For variables that are logarithms: exp(point[i]) with exp(point[i] +- 1.96 standard errors).
Interval95 exponential_interval(const Maximum& maximum, Eigen::Index i);

/// point[i] +- 1.96 standard errors.
Interval95 normal_interval(const Maximum& maximum, Eigen::Index i);

}  // namespace perennial
