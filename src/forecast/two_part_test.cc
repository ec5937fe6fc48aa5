// Money drawn from the model itself.
#include "forecast/two_part.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "base/random.h"

namespace perennial {
namespace {

struct Sample {
  Eigen::MatrixXd features;
  Eigen::VectorXd money;
};

Sample make_sample(uint64_t seed, Eigen::Index users) {
  Random random(seed);
  Sample sample{Eigen::MatrixXd(users, 1), Eigen::VectorXd::Zero(users)};
  for (Eigen::Index i = 0; i < users; ++i) {
    const double feature = sample.features(i, 0) = random.normal();
    if (random.chance(probability_of_logit(0.5 + feature)))
      sample.money[i] = std::exp(3 + 0.5 * feature + 0.8 * random.normal());
  }
  return sample;
}

TEST(TwoPart, MeanAndMedianAreThoseOfTheTruth) {
  const Sample sample = make_sample(1, 40'000);
  const TwoPart model = fit_two_part(sample.features, sample.money).value();
  for (const double feature : {-1.0, 0.0, 1.5}) {
    const double chance = probability_of_logit(0.5 + feature);
    const double mean = chance * std::exp(3 + 0.5 * feature + 0.32);
    EXPECT_NEAR(model.expected(std::array{feature}) / mean, 1, 0.06) << feature;
  }
  EXPECT_EQ(model.median(std::array{-1.0}), 0);  // spends with a chance of 0.38
  // 0.5 / 0.88 of the spenders lie above the median at feature 1.5: its normal quantile is -0.172
  EXPECT_NEAR(model.median(std::array{1.5}) / std::exp(3.75 - 0.8 * 0.172), 1, 0.08);
}

TEST(TwoPart, NoForecastOfTheLogarithmGoesBeyondTheLargestSeen) {
  const Sample sample = make_sample(2, 2000);
  const TwoPart model = fit_two_part(sample.features, sample.money).value();
  EXPECT_LE(model.expected(std::array{1e6}), sample.money.maxCoeff() * model.smearing * (1 + 1e-9));
}

TEST(TwoPart, TooFewSpendersAreRefusedWithTheirNumber) {
  Sample sample = make_sample(3, 200);
  sample.money.tail(190).setConstant(-5);  // refunds are no spending
  const Result<TwoPart> model = fit_two_part(sample.features, sample.money);
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.status().message().find("of 200 users spent"), std::string::npos) << model.status().message();
}

}  // namespace
}  // namespace perennial
