#include "forecast/two_part.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <tuple>

#include "base/check.h"
#include "forecast/standardised.h"

namespace perennial {
namespace {

constexpr Eigen::Index kLeastSpenders = 20;

/// The rows of those who spent.
std::pair<Eigen::MatrixXd, Eigen::VectorXd> spenders(const Eigen::MatrixXd& features, const Eigen::VectorXd& money) {
  const auto count = static_cast<Eigen::Index>((money.array() > 0).count());
  std::pair<Eigen::MatrixXd, Eigen::VectorXd> rows{{count, features.cols()}, Eigen::VectorXd(count)};
  Eigen::Index row = 0;
  for (Eigen::Index i = 0; i < money.size(); ++i) {
    if (!(money[i] > 0)) continue;
    rows.first.row(row) = features.row(i);
    rows.second[row++] = std::log(money[i]);
  }
  return rows;
}

/// Quantile of the standard normal distribution.
double normal_quantile(double probability) { return -std::sqrt(2.0) * boost::math::erfc_inv(2 * probability); }

}  // namespace

double TwoPart::expected(std::span<const double> features) const {
  const double log_money = std::min(line_at(intercept, coefficients, features), most_log_money);
  return spends.probability(features) * std::exp(log_money) * smearing;
}

double TwoPart::median(std::span<const double> features) const {
  const double chance = spends.probability(features);
  if (chance <= 0.5) return 0;
  // Half of the probability lies below: all that spend nothing, and this part of those who spend.
  const double part = std::max((chance - 0.5) / chance, 1e-12);
  const double log_money = line_at(intercept, coefficients, features) + deviation * normal_quantile(part);
  return std::exp(std::min(log_money, most_log_money));
}

Result<TwoPart> fit_two_part(const Eigen::MatrixXd& features, const Eigen::VectorXd& money, double ridge) {
  PERENNIAL_CHECK(features.rows() == money.size(), "{} rows of features, {} amounts", features.rows(), money.size());
  const auto [rows, log_money] = spenders(features, money);
  if (rows.rows() < kLeastSpenders)
    return failed_precondition("{} of {} users spent, want at least {} to learn from", rows.rows(), money.size(),
                               kLeastSpenders);
  TwoPart model;
  const Eigen::VectorXd spent = (money.array() > 0).cast<double>();
  PERENNIAL_TRY_ASSIGN(model.spends, fit_logistic(features, spent, ridge));
  PERENNIAL_TRY_ASSIGN(const Standardised standardised, standardise(rows));
  Eigen::MatrixXd gram = standardised.design.transpose() * standardised.design;
  gram.diagonal().tail(features.cols()).array() += ridge;
  const Eigen::VectorXd line = gram.ldlt().solve(standardised.design.transpose() * log_money);
  std::tie(model.intercept, model.coefficients) = standardised.on_raw_features(line);
  const Eigen::ArrayXd residuals = (log_money - standardised.design * line).array();
  model.smearing = residuals.exp().mean();
  model.deviation = std::sqrt(residuals.square().mean());
  model.most_log_money = log_money.maxCoeff();
  return model;
}

}  // namespace perennial
