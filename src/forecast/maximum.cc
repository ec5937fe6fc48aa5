#include "forecast/maximum.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace perennial {
namespace {

constexpr int kMostSteps = 200;
constexpr int kMostShortenings = 25;  // of a step, to a third each
constexpr double kEnough = 1e-8;      // of value to gain
constexpr double kNoise = 1e-10;      // of the value, relative: where nothing rises this much, the gradient is wrong
constexpr double kLongestStep = 2;    // of any variable
constexpr double kDifference = 1e-4;  // for the Hessian; its error is of order 1e-8 of the curvature
constexpr double kLeastCurvature = 1e-6;  // of the value: below it a variable is not determined
constexpr double kFar = 9;                // of a logarithm: a failure there is no accident of the search
constexpr double kFarthest = 25;          // of a logarithm: 1e11 to either side

bool is_inside(double value, const Eigen::VectorXd& gradient) { return std::isfinite(value) && gradient.allFinite(); }

Eigen::MatrixXd hessian_at(const Objective& objective, const Eigen::VectorXd& point) {
  const Eigen::Index size = point.size();
  Eigen::MatrixXd hessian(size, size);
  Eigen::VectorXd up(size);
  Eigen::VectorXd down(size);
  for (Eigen::Index i = 0; i < size; ++i) {
    Eigen::VectorXd moved = point;
    moved[i] = point[i] + kDifference;
    objective(moved, up);
    moved[i] = point[i] - kDifference;
    objective(moved, down);
    hessian.col(i) = (up - down) / (2 * kDifference);
  }
  return (hessian + hessian.transpose()) / 2;
}

Eigen::Index index_of_largest(const Eigen::VectorXd& vector) {
  Eigen::Index largest = 0;
  vector.cwiseAbs().maxCoeff(&largest);
  return largest;
}

/// Uphill whatever the curvature: along each principal direction a Newton step on its absolute curvature.
Eigen::VectorXd step_from(const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>& principal,
                          const Eigen::VectorXd& gradient) {
  const Eigen::VectorXd curvature = principal.eigenvalues().cwiseAbs().cwiseMax(kLeastCurvature);
  Eigen::VectorXd step =
      principal.eigenvectors() * (principal.eigenvectors().transpose() * gradient).cwiseQuotient(curvature);
  const double longest = step.cwiseAbs().maxCoeff();
  if (longest > kLongestStep) step *= kLongestStep / longest;
  return step;
}

/// Moves along `step`, shortened until the value rises. False when nothing that a double can tell rises.
bool climb(const Objective& objective, const Eigen::VectorXd& step, Maximum& at, Eigen::VectorXd& gradient) {
  Eigen::VectorXd gradient_there(gradient.size());
  double part = 1;
  for (int i = 0; i < kMostShortenings; ++i, part /= 3) {
    const Eigen::VectorXd there = at.point + part * step;
    const double value = objective(there, gradient_there);
    if (!is_inside(value, gradient_there) || value <= at.value) continue;
    at.point = there;
    at.value = value;
    gradient = gradient_there;
    return true;
  }
  return false;
}

Result<Maximum> maximise_from(const Objective& objective, const Eigen::VectorXd& start,
                              std::span<const std::string_view> names) {
  Maximum at{start, 0, {}};
  Eigen::VectorXd gradient(start.size());
  at.value = objective(start, gradient);
  if (!is_inside(at.value, gradient))
    return failed_precondition("the likelihood is not finite where the search starts");
  for (int i = 0; i < kMostSteps; ++i) {
    const Eigen::MatrixXd hessian = hessian_at(objective, at.point);
    if (!hessian.allFinite()) break;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> principal(hessian);
    const Eigen::VectorXd step = step_from(principal, gradient);
    const double curvature = principal.eigenvalues().maxCoeff();  // of the flattest direction, the last
    const double gain = gradient.dot(step) / 2;
    const bool small = gain < kEnough;
    const bool stuck = !small && !climb(objective, step, at, gradient);
    if (stuck && gain > kNoise * (1 + std::abs(at.value))) break;
    const bool arrived = small || stuck;
    if (arrived && curvature < -kLeastCurvature) {
      at.covariance = (-hessian).inverse();
      return at;
    }
    if (arrived)
      return failed_precondition("the data do not determine {}: the likelihood is flat along it",
                                 names[static_cast<size_t>(index_of_largest(principal.eigenvectors().rightCols(1)))]);
    if (at.point.cwiseAbs().maxCoeff() > kFarthest) break;
  }
  const Eigen::Index largest = index_of_largest(at.point);
  if (std::abs(at.point[largest]) > kFar)
    return failed_precondition("the data do not determine {}: the likelihood still rises where its logarithm is {:.1f}",
                               names[static_cast<size_t>(largest)], at.point[largest]);
  return failed_precondition("the likelihood led to no maximum within {} steps", kMostSteps);
}

}  // namespace

Result<Maximum> maximise(const Objective& objective, std::span<const Eigen::VectorXd> starts,
                         std::span<const std::string_view> names) {
  std::vector<double> values;
  for (const Eigen::VectorXd& start : starts) {
    Eigen::VectorXd gradient(start.size());
    const double value = objective(start, gradient);
    values.push_back(std::isfinite(value) ? value : -std::numeric_limits<double>::infinity());
  }
  std::vector<size_t> order(starts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  Result<Maximum> found = failed_precondition("no start for the search");
  for (const size_t start : order) {
    found = maximise_from(objective, starts[start], names);
    if (found.ok()) break;
  }
  return found;
}

Interval95 exponential_interval(const Maximum& maximum, Eigen::Index i) {
  const Interval95 logarithm = normal_interval(maximum, i);
  return {std::exp(logarithm.value), std::exp(logarithm.low), std::exp(logarithm.high)};
}

Interval95 normal_interval(const Maximum& maximum, Eigen::Index i) {
  const double half = kNormal95 * std::sqrt(maximum.covariance(i, i));
  return {maximum.point[i], maximum.point[i] - half, maximum.point[i] + half};
}

}  // namespace perennial
