#include "uplift/ridge_line.h"

#include <Eigen/Eigenvalues>
#include <limits>
#include <tuple>

#include "base/check.h"
#include "forecast/standardised.h"

namespace perennial {
namespace {

constexpr double kPenalties[] = {1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1, 3, 10};  // a user, of standardised features

}  // namespace

double RidgeLine::at(std::span<const double> features) const {
  return coefficients.empty() ? intercept : line_at(intercept, coefficients, features);
}

RidgeLine fit_ridge_line(const Eigen::MatrixXd& features, const Eigen::VectorXd& targets) {
  RidgeLine line;
  const Eigen::Index users = targets.size();
  if (users == 0) return line;
  line.intercept = targets.mean();
  if (users < kFewestForLine || users < 2 * features.cols() || features.cols() == 0) return line;
  const Result<Standardised> standardised = standardise(features);
  PERENNIAL_CHECK(standardised.ok(), "{}", standardised.status().message());
  const auto design = standardised->design.rightCols(features.cols());
  const Eigen::VectorXd centred = targets.array() - line.intercept;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> gram(design.transpose() * design);
  const Eigen::ArrayXd spectrum = gram.eigenvalues().array().max(0);
  const Eigen::ArrayXd moments = (gram.eigenvectors().transpose() * (design.transpose() * centred)).array();
  const auto n = static_cast<double>(users);
  double best = std::numeric_limits<double>::infinity();
  Eigen::ArrayXd rotated;  // coefficients in the gram's own directions
  for (const double penalty : kPenalties) {
    const Eigen::ArrayXd weights = moments / (spectrum + penalty * n);
    const double residual = centred.squaredNorm() - 2 * (weights * moments).sum() + (weights.square() * spectrum).sum();
    const double freedom = 1 + (spectrum / (spectrum + penalty * n)).sum();
    const double score = residual / ((n - freedom) * (n - freedom));
    if (score < best) std::tie(best, rotated) = std::make_tuple(score, weights);
  }
  Eigen::VectorXd coefficients(features.cols() + 1);
  coefficients << line.intercept, gram.eigenvectors() * rotated.matrix();
  std::tie(line.intercept, line.coefficients) = standardised->on_raw_features(coefficients);
  return line;
}

}  // namespace perennial
