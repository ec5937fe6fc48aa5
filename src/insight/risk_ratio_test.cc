#include "insight/risk_ratio.h"

#include <gtest/gtest.h>

#include <cmath>

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
}

TEST(RiskRatio, TheIntervalHoldsTheTruthAsOftenAsItSays) {
  Random random(5);
  int held = 0;
  constexpr int kTrials = 2000;
  for (int trial = 0; trial < kTrials; ++trial) {
    Group with{200, 0};
    Group without{300, 0};
    for (int i = 0; i < 200; ++i) with.happened += random.chance(0.3) ? 1 : 0;
    for (int i = 0; i < 300; ++i) without.happened += random.chance(0.2) ? 1 : 0;
    const RiskRatio ratio = risk_ratio(with, without, 0.95, 1);
    held += ratio.low <= 1.5 && 1.5 <= ratio.high ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(held) / kTrials, 0.95, 0.015);
}

}  // namespace
}  // namespace perennial
