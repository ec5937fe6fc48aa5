// Fits to data of known parameters, and data that have no fit.
#include "forecast/logistic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace perennial {
namespace {

struct Sample {
  Eigen::MatrixXd features;
  Eigen::VectorXd labels;
};

/// log odds -1 + 0.8 first - 0.02 second; the third is constant. The second is a hundred times as spread as the first.
Sample make_sample(uint64_t seed, Eigen::Index users) {
  Random random(seed);
  Sample sample{Eigen::MatrixXd(users, 3), Eigen::VectorXd(users)};
  for (Eigen::Index i = 0; i < users; ++i) {
    sample.features.row(i) << random.normal(), 300 + 100 * random.normal(), 7;
    const double log_odds = -1 + 0.8 * sample.features(i, 0) - 0.02 * (sample.features(i, 1) - 300);
    sample.labels[i] = random.chance(probability_of_logit(log_odds)) ? 1 : 0;
  }
  return sample;
}

TEST(Logistic, FindsTheCoefficientsWithinTheirStandardErrors) {
  int covered = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Sample sample = make_sample(seed, 2000);
    const Logistic fit = fit_logistic(sample.features, sample.labels, 1e-6).value();
    covered += std::abs(fit.coefficients[0] - 0.8) < kNormal95 * fit.standard_errors[0];
    covered += std::abs(fit.coefficients[1] + 0.02) < kNormal95 * fit.standard_errors[1];
    EXPECT_LT(fit.standard_errors[0], 0.1);
    EXPECT_EQ(fit.coefficients[2], 0);
    EXPECT_EQ(fit.standard_errors[2], 0);
  }
  EXPECT_GE(covered, 70);  // of 80
  EXPECT_LE(covered, 79);
}

TEST(Logistic, MeanForecastIsTheBaseRate) {
  const Sample sample = make_sample(1, 500);
  const Logistic fit = fit_logistic(sample.features, sample.labels).value();
  double sum = 0;
  for (Eigen::Index i = 0; i < 500; ++i) {
    const Eigen::VectorXd row = sample.features.row(i);
    sum += fit.probability(std::span(row.data(), 3));
  }
  EXPECT_NEAR(sum, sample.labels.sum(), 1e-4);
}

TEST(Logistic, ASmallRidgeKeepsSeparatedLabelsFinite) {
  Eigen::MatrixXd features(6, 1);
  features << -3, -2, -1, 1, 2, 3;
  Eigen::VectorXd labels(6);
  labels << 0, 0, 0, 1, 1, 1;
  const Logistic fit = fit_logistic(features, labels, 0.1).value();
  EXPECT_TRUE(std::isfinite(fit.coefficients[0]));
  EXPECT_GT(fit.probability(std::array{3.0}), 0.9);
}

TEST(Logistic, OneClassAndBrokenFeaturesAreRefused) {
  Sample sample = make_sample(2, 50);
  sample.features(3, 1) = std::nan("");
  EXPECT_EQ(fit_logistic(sample.features, sample.labels).status().message(), "a feature is not a finite number");
  sample = make_sample(2, 50);
  sample.labels.setZero();
  EXPECT_EQ(fit_logistic(sample.features, sample.labels).status().message(), "all 50 labels are 0");
}

TEST(Logistic, ProbabilitiesOfExtremeLogitsAreFinite) {
  EXPECT_EQ(probability_of_logit(1e4), 1);
  EXPECT_EQ(probability_of_logit(-1e4), 0);
  EXPECT_NEAR(logit(0), -logit(1), 1e-9);
  EXPECT_NEAR(probability_of_logit(logit(0.3)), 0.3, 1e-15);
}

TEST(Recalibration, UndoesABentScaleAndKeepsTheOrder) {
  Random random(3);
  std::vector<double> predictions, labels;
  for (int i = 0; i < 20'000; ++i) {
    const double chance = 0.01 + 0.3 * random.uniform();
    labels.push_back(random.chance(chance) ? 1 : 0);
    predictions.push_back(probability_of_logit(0.5 * logit(chance) + 1));
  }
  const Recalibration line = fit_recalibration(predictions, labels);
  EXPECT_NEAR(line.slope, 2, 0.15);
  EXPECT_NEAR(line.apply(probability_of_logit(0.5 * logit(0.2) + 1)), 0.2, 0.01);
}

TEST(Recalibration, NeverReversesAnOrderAndExistsForOneClass) {
  const std::vector<double> predictions = {0.1, 0.1, 0.2, 0.8, 0.9, 0.9, 0.7, 0.2};
  std::vector<double> reversed;
  for (int copy = 0; copy < 20; ++copy)
    for (const double prediction : predictions) reversed.push_back(prediction);
  std::vector<double> labels;
  for (const double prediction : reversed) labels.push_back(prediction < 0.5 ? 1 : 0);
  const Recalibration line = fit_recalibration(reversed, labels);
  EXPECT_EQ(line.slope, 0);
  EXPECT_NEAR(line.apply(0.9), 0.5, 1e-9);
  const std::vector<double> nobody(reversed.size(), 0.0);
  EXPECT_LT(fit_recalibration(reversed, nobody).apply(0.5), 0.1);
  EXPECT_NEAR(fit_recalibration({}, {}).apply(0.37), 0.37, 1e-12);
}

}  // namespace
}  // namespace perennial
