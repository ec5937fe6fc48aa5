#include "forecast/logistic.h"

#include <Eigen/Cholesky>
#include <cmath>
#include <tuple>

#include "base/check.h"
#include "forecast/standardised.h"

namespace perennial {
namespace {

constexpr int kMostSteps = 100;
constexpr double kEnough = 1e-9;  // of log likelihood to gain

/// A normal prior on each coefficient; precision 0: none.
struct Prior {
  Eigen::VectorXd mean;
  Eigen::VectorXd precision;
};

struct Fit {
  Eigen::VectorXd coefficients;
  Eigen::MatrixXd covariance;
};

double objective(const Eigen::MatrixXd& design, const Eigen::VectorXd& labels, const Prior& prior,
                 const Eigen::VectorXd& coefficients) {
  const Eigen::VectorXd logits = design * coefficients;
  const Eigen::VectorXd off = coefficients - prior.mean;
  return labels.dot(logits) - logits.unaryExpr(&log1p_exp).sum() - off.cwiseAbs2().dot(prior.precision) / 2;
}

/// The objective is concave: Newton steps, halved until they climb.
Result<Fit> fit(const Eigen::MatrixXd& design, const Eigen::VectorXd& labels, const Prior& prior) {
  Fit at{prior.mean, {}};
  double value = objective(design, labels, prior, at.coefficients);
  for (int i = 0; i < kMostSteps; ++i) {
    const Eigen::VectorXd chances = (design * at.coefficients).unaryExpr(&probability_of_logit);
    const Eigen::VectorXd weights = chances.array() * (1 - chances.array());
    Eigen::MatrixXd information = design.transpose() * weights.asDiagonal() * design;
    information.diagonal() += prior.precision;
    const Eigen::VectorXd gradient =
        design.transpose() * (labels - chances) - prior.precision.cwiseProduct(at.coefficients - prior.mean);
    const Eigen::LDLT<Eigen::MatrixXd> solver(information);
    if (solver.info() != Eigen::Success || solver.vectorD().minCoeff() < 1e-9 * solver.vectorD().maxCoeff()) break;
    const Eigen::VectorXd step = solver.solve(gradient);
    at.covariance = solver.solve(Eigen::MatrixXd::Identity(design.cols(), design.cols()));
    if (gradient.dot(step) < kEnough) return at;
    double part = 1;
    double there = objective(design, labels, prior, at.coefficients + step);
    while (!(there > value) && part > 1e-9) {
      part /= 2;
      there = objective(design, labels, prior, at.coefficients + part * step);
    }
    if (!(there > value)) return at;
    at.coefficients += part * step;
    value = there;
  }
  return failed_precondition("the logistic regression has no maximum: the labels are separated by their predictors");
}

Status check_labels(const Eigen::VectorXd& labels) {
  const double positives = labels.sum();
  const auto users = static_cast<double>(labels.size());
  if (positives > 0 && positives < users) return {};
  return failed_precondition("all {} labels are {}", labels.size(), users > 0 && positives == users ? 1 : 0);
}

Eigen::Map<const Eigen::VectorXd> as_vector(std::span<const double> values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

Eigen::MatrixXd line_design(std::span<const double> predictions) {
  Eigen::MatrixXd design(predictions.size(), 2);
  design.col(0).setOnes();
  design.col(1) = as_vector(predictions).unaryExpr(&logit);
  return design;
}

Interval95 interval_of(const Fit& found, Eigen::Index i) {
  const double half = kNormal95 * std::sqrt(found.covariance(i, i));
  return {found.coefficients[i], found.coefficients[i] - half, found.coefficients[i] + half};
}

}  // namespace

double Logistic::probability(std::span<const double> features) const {
  return probability_of_logit(line_at(intercept, coefficients, features));
}

Result<Logistic> fit_logistic(const Eigen::MatrixXd& features, const Eigen::VectorXd& labels, double ridge) {
  PERENNIAL_CHECK(features.rows() == labels.size(), "{} rows of features, {} labels", features.rows(), labels.size());
  PERENNIAL_TRY(check_labels(labels));
  PERENNIAL_TRY_ASSIGN(const Standardised standardised, standardise(features));
  const Eigen::Index columns = features.cols() + 1;
  Prior prior{Eigen::VectorXd::Zero(columns), Eigen::VectorXd::Constant(columns, ridge)};
  prior.mean[0] = logit(labels.mean());
  prior.precision[0] = 0;
  PERENNIAL_TRY_ASSIGN(const Fit found, fit(standardised.design, labels, prior));
  Logistic logistic;
  std::tie(logistic.intercept, logistic.coefficients) = standardised.on_raw_features(found.coefficients);
  for (Eigen::Index i = 1; i < columns; ++i)
    logistic.standard_errors.push_back(std::sqrt(found.covariance(i, i)) * standardised.inverse_deviation[i - 1]);
  return logistic;
}

Result<CalibrationLine> fit_calibration_line(std::span<const double> predictions, std::span<const double> labels) {
  const Eigen::VectorXd outcomes = as_vector(labels);
  PERENNIAL_TRY(check_labels(outcomes));
  PERENNIAL_TRY_ASSIGN(const Fit found,
                       fit(line_design(predictions), outcomes, {Eigen::Vector2d::Zero(), Eigen::Vector2d::Zero()}));
  return CalibrationLine{interval_of(found, 0), interval_of(found, 1)};
}

double Recalibration::apply(double prediction) const {
  return probability_of_logit(intercept + slope * logit(prediction));
}

Recalibration fit_recalibration(std::span<const double> predictions, std::span<const double> labels) {
  if (predictions.empty()) return {};
  const Prior prior{Eigen::Vector2d(0, 1), Eigen::Vector2d(1.0 / 9, 1)};
  const Result<Fit> found = fit(line_design(predictions), as_vector(labels), prior);
  if (!found.ok()) return {};
  if (found->coefficients[1] >= 0) return {found->coefficients[0], found->coefficients[1]};
  return {logit(as_vector(labels).mean()), 0};
}

}  // namespace perennial
