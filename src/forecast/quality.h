// How good forecasts were, once the outcomes are known. Definitions: docs/forecasts.md. What cannot be measured says
// so; nothing here is NaN. Intervals are 95 % percentile bootstraps over users. Covered by forecast/quality_test.cc.
#pragma once

#include <optional>
#include <span>

#include "base/interval95.h"
#include "base/status.h"

namespace perennial {

inline constexpr uint64_t kQualitySeed = 42;

struct ProbabilityQuality {
  int64_t users = 0;
  int64_t positives = 0;
  double auc = 0;  // a tie counts half
  double brier = 0;
  Interval95 brier_skill;  // 1 - Brier / Brier of the base rate
  // Of the logistic regression of outcomes on the logit of forecasts. nullopt: forecasts all the same, or separating.
  std::optional<Interval95> calibration_slope;
  std::optional<Interval95> calibration_intercept;
  double lift_at_10_percent = 0;  // base rate among the tenth with the highest forecasts / base rate
};

/// `outcomes` are 0 or 1, `forecasts` in [0, 1]. invalid_argument for other values or sizes that differ;
/// failed_precondition, "not measurable", when there are no users or all outcomes are the same.
Result<ProbabilityQuality> measure_probabilities(std::span<const double> forecasts, std::span<const double> outcomes,
                                                 uint64_t seed = kQualitySeed);

struct AmountQuality {
  int64_t users = 0;
  double mean_outcome = 0;
  Interval95 mean_absolute_error;
  double mean_bias = 0;        // mean of forecast - outcome
  std::optional<double> gini;  // of outcomes in the forecasts' order / in their own; nullopt: outcomes all the same, or
                               // their sum not above 0
};

/// invalid_argument for what is not finite or sizes that differ; failed_precondition when there are no users.
Result<AmountQuality> measure_amounts(std::span<const double> forecasts, std::span<const double> outcomes,
                                      uint64_t seed = kQualitySeed);

/// Chance that a positive's forecast is above a negative's; ties count half. nullopt with one class only.
std::optional<double> area_under_curve(std::span<const double> forecasts, std::span<const double> outcomes);

/// See AmountQuality::gini. Users with equal forecasts share their outcomes equally.
std::optional<double> normalised_gini(std::span<const double> forecasts, std::span<const double> outcomes);

enum class Loss : uint8_t { squared, absolute };

/// Mean loss of a minus mean loss of b on the same users, with a paired bootstrap: below 0, a is better.
Interval95 loss_difference(std::span<const double> a, std::span<const double> b, std::span<const double> outcomes,
                           Loss loss, uint64_t seed = kQualitySeed);

}  // namespace perennial
