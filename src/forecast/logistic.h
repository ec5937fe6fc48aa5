// Logistic regression by Newton's method, and the recalibration of probabilities that somebody else made.
// Covered by forecast/logistic_test.cc.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "base/interval95.h"
#include "base/status.h"
#include "forecast/logit.h"

namespace perennial {

/// log odds = intercept + coefficients . features, features as they are.
struct Logistic {
  double intercept = 0;
  std::vector<double> coefficients;
  std::vector<double> standard_errors;  // of the coefficients; 0 where a feature is constant

  [[nodiscard]] double probability(std::span<const double> features) const;
};

/// `features` (users, features), `labels` (users) 0 or 1. Within the fit features are standardised; `ridge` is the
/// precision of a normal prior on their coefficients. A constant feature gets the coefficient 0. failed_precondition
/// when all labels are the same or a feature is not finite.
Result<Logistic> fit_logistic(const Eigen::MatrixXd& features, const Eigen::VectorXd& labels, double ridge = 1);

struct CalibrationLine {
  Interval95 intercept;
  Interval95 slope;
};

/// Logistic regression of labels on the logit of predictions, by plain maximum likelihood: slope 1 and intercept 0 are
/// perfect calibration. failed_precondition when all labels or all predictions are the same, or when predictions
/// separate the labels.
Result<CalibrationLine> fit_calibration_line(std::span<const double> predictions, std::span<const double> labels);

/// A prediction's logit, moved along a line. Source: Platt, "Probabilistic outputs for support vector machines", 1999.
struct Recalibration {
  double intercept = 0;
  double slope = 1;

  [[nodiscard]] double apply(double prediction) const;
};

/// With a weak prior towards no change (deviations of 3 for the intercept, 1 for the slope), so that it exists for any
/// labels. The slope is at least 0: a recalibration reverses no order. No users: no change.
Recalibration fit_recalibration(std::span<const double> predictions, std::span<const double> labels);

}  // namespace perennial
