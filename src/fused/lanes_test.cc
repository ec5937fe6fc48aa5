// Functions of lanes against the library's in double, over all that a float holds, as machines without AVX-512 compute
// them; those with it are held to the composed module by training/fused_steps_test.cc.
#include "fused/lanes.h"

#include <gtest/gtest.h>

#include <cmath>

namespace perennial {
namespace {

TEST(Lanes, ExponentialsAreExactAndStayWithinAFloatsEnds) {
  double worst = 0;
  for (double x = -124.9; x < 126.9; x += 0.00317)
    worst = std::max(worst, std::abs(static_cast<double>(exp2_of(fill(static_cast<float>(x)))[0]) /
                                         std::exp2(static_cast<double>(static_cast<float>(x))) -
                                     1));
  EXPECT_LT(worst, 3e-7);
  for (const float low : {-126.6F, -127.0F, -150.0F, -1e8F, -3e38F, -INFINITY})
    EXPECT_EQ(exp2_of(fill(low))[0], 0) << low;
  for (const float high : {127.0F, 128.0F, 200.0F, 60'000'004.0F, 1.3e8F, 3e38F, INFINITY})
    EXPECT_GE(exp2_of(fill(high))[0], 0x1p126F) << high;
  EXPECT_TRUE(std::isnan(exp2_of(fill(NAN))[0])) << "what diverged shows";
  for (float x = -80; x < 80; x += 0.37F)
    EXPECT_NEAR(exp_of(fill(x))[0] / std::exp(static_cast<double>(x)), 1, 2.4e-7 * (1 + std::abs(x))) << x;
}

TEST(Lanes, NormalAndLogisticFollowTheirFormulas) {
  for (float x = -12; x < 12; x += 0.013F) {
    const double below = 0.5 * std::erfc(-static_cast<double>(x) / std::sqrt(2.0));
    EXPECT_NEAR(normal_of(fill(x)).below[0], below, 3e-7) << x;
    EXPECT_NEAR(normal_of(fill(x)).density[0], std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI), 3e-7) << x;
    EXPECT_NEAR(logistic_of(fill(x))[0], 1 / (1 + std::exp(-static_cast<double>(x))), 3e-7) << x;
  }
  EXPECT_EQ(logistic_of(fill(200))[0], 1);
  EXPECT_NEAR(logistic_of(fill(-200))[0], 0, 1e-30);
}

TEST(Lanes, AreNumberedSummedAndCompared) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) {
    EXPECT_EQ(lane_numbers()[i], i);
    sum += static_cast<float>(i);
  }
  const Lanes values = __builtin_convertvector(lane_numbers(), Lanes);
  EXPECT_EQ(sum_of(values), sum);
  EXPECT_EQ(largest_of(-values), 0);
}

}  // namespace
}  // namespace perennial
