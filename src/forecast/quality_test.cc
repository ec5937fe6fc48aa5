// Measures against values computed by hand, and what cannot be measured.
#include "forecast/quality.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "forecast/bootstrap.h"
#include "forecast/logistic.h"

namespace perennial {
namespace {

using Values = std::vector<double>;

TEST(Quality, OfAFewForecastsIsAsComputedByHand) {
  const Values forecasts = {0.9, 0.8, 0.4, 0.3};
  const Values outcomes = {1, 0, 1, 0};
  const ProbabilityQuality quality = measure_probabilities(forecasts, outcomes).value();
  EXPECT_EQ(quality.users, 4);
  EXPECT_EQ(quality.positives, 2);
  EXPECT_DOUBLE_EQ(quality.auc, 0.75);  // of the pairs (.9 .8) (.9 .3) (.4 .8) (.4 .3) three are in order
  EXPECT_NEAR(quality.brier, (0.01 + 0.64 + 0.36 + 0.09) / 4, 1e-15);
  EXPECT_NEAR(quality.brier_skill.value, 1 - 0.275 / 0.25, 1e-15);
  EXPECT_DOUBLE_EQ(quality.lift_at_10_percent, 2);  // the first of four is a positive, base rate one half
}

TEST(Quality, TiesCountHalf) {
  const Values outcomes = {1, 0, 1, 0, 0};
  EXPECT_DOUBLE_EQ(area_under_curve(Values{0.5, 0.5, 0.5, 0.5, 0.5}, outcomes).value(), 0.5);
  // pairs: .7 over .5, .5, .1; .5 ties with .5, .5 and is over .1
  EXPECT_DOUBLE_EQ(area_under_curve(Values{0.7, 0.5, 0.5, 0.5, 0.1}, outcomes).value(), (3 + 2) / 6.0);
  EXPECT_DOUBLE_EQ(area_under_curve(Values{0.1, 0.5, 0.2, 0.6, 0.7}, outcomes).value(), 0);
}

TEST(Quality, LiftSharesATieThatReachesBeyondTheTenth) {
  Values forecasts(20, 0.5);
  Values outcomes(20, 0.0);
  forecasts[7] = 0.9;  // the first place; the second is one of 19 ties, of which 3 are positive
  outcomes[7] = outcomes[1] = outcomes[2] = outcomes[3] = 1;
  const ProbabilityQuality quality = measure_probabilities(forecasts, outcomes).value();
  EXPECT_NEAR(quality.lift_at_10_percent, (1 + 3.0 / 19) / 2 / 0.2, 1e-12);
}

TEST(Quality, OneClassIsNotMeasurable) {
  for (const double outcome : {0.0, 1.0}) {
    const Result<ProbabilityQuality> quality = measure_probabilities(Values{0.2, 0.4}, Values{outcome, outcome});
    ASSERT_FALSE(quality.ok());
    EXPECT_EQ(quality.status().code(), Code::failed_precondition);
    EXPECT_EQ(quality.status().message(), fmt::format("not measurable: the outcome of all 2 users is {}", outcome));
    EXPECT_FALSE(area_under_curve(Values{0.2, 0.4}, Values{outcome, outcome}).has_value());
  }
  EXPECT_EQ(measure_probabilities({}, {}).status().code(), Code::failed_precondition);
}

TEST(Quality, WhatIsNoProbabilityOrOutcomeIsRefused) {
  EXPECT_EQ(measure_probabilities(Values{0.2, 1.5}, Values{0, 1}).status().code(), Code::invalid_argument);
  EXPECT_EQ(measure_probabilities(Values{0.2, std::nan("")}, Values{0, 1}).status().code(), Code::invalid_argument);
  EXPECT_EQ(measure_probabilities(Values{0.2, 0.5}, Values{0, 2}).status().code(), Code::invalid_argument);
  EXPECT_EQ(measure_probabilities(Values{0.2}, Values{0, 1}).status().code(), Code::invalid_argument);
  EXPECT_EQ(measure_amounts(Values{std::nan("")}, Values{1}).status().code(), Code::invalid_argument);
}

TEST(Quality, ConstantForecastsHaveNoCalibrationLine) {
  const ProbabilityQuality quality = measure_probabilities(Values{0.5, 0.5, 0.5}, Values{0, 1, 1}).value();
  EXPECT_FALSE(quality.calibration_slope.has_value());
  EXPECT_FALSE(quality.calibration_intercept.has_value());
  EXPECT_DOUBLE_EQ(quality.auc, 0.5);
}

/// Outcomes drawn with the chances, and forecasts whose logits are 2 logit + 0.5: the line back has slope 0.5 and
/// intercept -0.25.
TEST(Quality, CalibrationLineFindsHowForecastsWereBent) {
  Random random(91);
  Values forecasts, chances, outcomes;
  for (int i = 0; i < 20'000; ++i) {
    chances.push_back(0.02 + 0.6 * random.uniform());
    outcomes.push_back(random.chance(chances.back()) ? 1 : 0);
    forecasts.push_back(probability_of_logit(2 * logit(chances.back()) + 0.5));
  }
  const ProbabilityQuality quality = measure_probabilities(forecasts, outcomes).value();
  EXPECT_TRUE(quality.calibration_slope->covers(0.5));
  EXPECT_TRUE(quality.calibration_intercept->covers(-0.25));
  EXPECT_LT(quality.calibration_slope->high - quality.calibration_slope->low, 0.08);
  const ProbabilityQuality of_truth = measure_probabilities(chances, outcomes).value();
  EXPECT_TRUE(of_truth.calibration_slope->covers(1));
  EXPECT_TRUE(of_truth.calibration_intercept->covers(0));
  EXPECT_GT(of_truth.brier_skill.low, 0);
}

TEST(Quality, OfAmountsIsAsComputedByHand) {
  const Values forecasts = {10, 0, 5, 1};
  const Values outcomes = {8, 0, 0, 4};
  const AmountQuality quality = measure_amounts(forecasts, outcomes).value();
  EXPECT_DOUBLE_EQ(quality.mean_absolute_error.value, 10 / 4.0);
  EXPECT_DOUBLE_EQ(quality.mean_bias, 1);
  EXPECT_DOUBLE_EQ(quality.mean_outcome, 3);
  // Gathered in the forecasts' order: 2/3 2/3 1 1, by trapezes (1/3 + 2/3 + 5/6 + 1) / 4 = 17/24; in the best order
  // 2/3 1 1 1: (1/3 + 5/6 + 1 + 1) / 4 = 19/24.
  EXPECT_NEAR(quality.gini.value(), (2 * 17.0 / 24 - 1) / (2 * 19.0 / 24 - 1), 1e-12);
}

TEST(Quality, GiniIsOneInTheRightOrderNoneWithoutSpreadAndZeroForAConstant) {
  const Values outcomes = {5, 1, 0, 2};
  EXPECT_NEAR(normalised_gini(Values{0.5, 0.2, 0.1, 0.4}, outcomes).value(), 1, 1e-12);
  EXPECT_NEAR(normalised_gini(Values{3, 3, 3, 3}, outcomes).value(), 0, 1e-12);
  EXPECT_FALSE(normalised_gini(Values{1, 2}, Values{0, 0}).has_value());
  EXPECT_FALSE(normalised_gini(Values{1, 2}, Values{3, 3}).has_value());
  EXPECT_FALSE(normalised_gini(Values{1, 2}, Values{-3, 1}).has_value());
}

TEST(Quality, BootstrapIntervalOfAMeanIsThatOfTheory) {
  Random random(92);
  for (const size_t users : {2'000, 40'000}) {  // the second in groups
    std::vector<std::array<double, 2>> rows;
    for (size_t i = 0; i < users; ++i) rows.push_back({1, random.normal()});
    const auto mean = [](const std::array<double, 2>& sums) { return sums[1] / sums[0]; };
    const Interval95 interval = bootstrap<2>(rows, mean, 7);
    const double width = 2 * kNormal95 / std::sqrt(static_cast<double>(users));
    EXPECT_NEAR((interval.high - interval.low) / width, 1, 0.12);
    EXPECT_LT(interval.low, interval.value);
    EXPECT_GT(interval.high, interval.value);
  }
}

TEST(Quality, APairedDifferenceSeesWhatSeparateIntervalsCannot) {
  Random random(93);
  Values a, b, outcomes;
  for (int i = 0; i < 1000; ++i) {
    outcomes.push_back(100 * random.normal());
    a.push_back(outcomes.back() + 10 * random.normal());
    b.push_back(a.back() + (a.back() > outcomes.back() ? 0.5 : -0.5));  // always half a unit worse
  }
  const Interval95 difference = loss_difference(a, b, outcomes, Loss::absolute);
  EXPECT_NEAR(difference.value, -0.5, 1e-9);
  EXPECT_LT(difference.high, 0);
  const Interval95 squared = loss_difference(Values{0, 0}, Values{1, 1}, Values{1, 1}, Loss::squared);
  EXPECT_DOUBLE_EQ(squared.value, 1);
  EXPECT_GT(measure_amounts(a, outcomes)->mean_absolute_error.high,
            measure_amounts(b, outcomes)->mean_absolute_error.low);
}

}  // namespace
}  // namespace perennial
