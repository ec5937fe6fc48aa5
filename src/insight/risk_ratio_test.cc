#include "insight/risk_ratio.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "base/random.h"

namespace perennial {
namespace {

TEST(RiskRatio, KnownQuantiles) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-9);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-9);
  EXPECT_NEAR(normal_quantile(0.005), -2.575829303548901, 1e-9);
}

TEST(RiskRatio, ByHand) {
  // 20 of 50 against 10 of 50: ratio 2, error of its logarithm sqrt(1/20 - 1/50 + 1/10 - 1/50) = 0.33166.
  const RiskRatio ratio = risk_ratio({50, 20}, {50, 10}, 0.95, 1);
  EXPECT_NEAR(ratio.ratio, 2, 1e-12);
  EXPECT_NEAR(ratio.low, 2 * std::exp(-1.959964 * 0.331662), 1e-5);
  EXPECT_NEAR(ratio.high, 2 * std::exp(1.959964 * 0.331662), 1e-5);
}

TEST(RiskRatio, MoreLooksMakeItWider) {
  const RiskRatio one = risk_ratio({50, 20}, {50, 10}, 0.95, 1);
  const RiskRatio ten = risk_ratio({50, 20}, {50, 10}, 0.95, 10);
  EXPECT_GT(one.low, 1);
  EXPECT_LT(ten.low, one.low);
  EXPECT_LT(ten.low, 1);
  EXPECT_NEAR(std::log(ten.high / ten.ratio) / std::log(one.high / one.ratio), 2.807034 / 1.959964, 1e-5);
}

TEST(RiskRatio, NobodyInAGroupStillHasAnInterval) {
  const RiskRatio none = risk_ratio({20, 0}, {20, 5}, 0.95, 1);
  EXPECT_TRUE(std::isfinite(none.low) && std::isfinite(none.high) && none.ratio > 0 && none.ratio < 0.2);
  const RiskRatio all = risk_ratio({20, 20}, {20, 20}, 0.95, 1);
  EXPECT_DOUBLE_EQ(all.ratio, 1);
  EXPECT_LT(all.low, 0.95);
}

Group draw(Random& random, int64_t users, double rate) {
  Group group{users, 0};
  for (int64_t i = 0; i < users; ++i) group.happened += random.chance(rate) ? 1 : 0;
  return group;
}

/// How often the 95 % interval holds the true ratio of the two rates.
double coverage(int64_t users, double rate, int64_t others, double other_rate) {
  Random random(5);
  int held = 0;
  constexpr int kTrials = 4000;
  for (int trial = 0; trial < kTrials; ++trial) {
    const RiskRatio ratio = risk_ratio(draw(random, users, rate), draw(random, others, other_rate), 0.95, 1);
    held += ratio.low <= rate / other_rate && rate / other_rate <= ratio.high ? 1 : 0;
  }
  return static_cast<double>(held) / kTrials;
}

TEST(RiskRatio, TheIntervalHoldsTheTruthAsOftenAsItSays) { EXPECT_NEAR(coverage(200, 0.3, 300, 0.2), 0.95, 0.01); }

TEST(RiskRatio, EverybodyInASmallGroupIsNotCertainty) {
  EXPECT_LT(risk_ratio({10, 10}, {40, 36}, 0.95, 1).low, 1) << "ten of ten may well be chance where it is nine of ten";
  for (const auto& [rate, others, other_rate] :
       {std::tuple(0.9, 40, 0.9), std::tuple(0.98, 10, 0.9), std::tuple(0.95, 40, 0.95), std::tuple(0.8, 40, 0.8)})
    EXPECT_GE(coverage(10, rate, others, other_rate), 0.94) << rate << " and " << other_rate << " of " << others;
}

}  // namespace
}  // namespace perennial
