#include "uplift/uplift_quality.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace perennial {
namespace {

/// Effect 1 on the half with positive scores, none on the others; everybody's outcome is noise beside it. The chance
/// of being treated is 0.8 for a third of the users of either half.
std::vector<Dealt> draw(size_t users, double noise, uint64_t seed) {
  Random random(seed);
  std::vector<Dealt> made;
  for (size_t i = 0; i < users; ++i) {
    Dealt user;
    user.score = random.normal();
    const double chance = random.chance(1.0 / 3) ? 0.8 : 0.3;
    user.treated = random.chance(chance);
    user.chance = user.treated ? chance : 1 - chance;
    // Who is treated often has more without being treated: counted plainly this would look like an effect.
    user.outcome = (chance > 0.5 ? 2.0 : 0.0) + noise * random.normal() + (user.treated && user.score > 0 ? 1 : 0);
    made.push_back(user);
  }
  return made;
}

TEST(UpliftQuality, WeighsByTheChances) {
  const UpliftQuality quality = measure_uplift(draw(40'000, 0.5, 1), 1).value();
  EXPECT_NEAR(quality.average.value, 0.5, 0.04);
  EXPECT_NEAR(quality.at_30.value, 1, 0.06);
  EXPECT_NEAR(quality.above_30.value, 0.5, 0.06);
  // gain(k) = k up to half of the users, then 0.5: area 0.125 + 0.25, at random 0.25.
  EXPECT_NEAR(quality.area.value, 0.375, 0.03);
  EXPECT_NEAR(quality.qini.value, 0.125, 0.015);
  ASSERT_EQ(quality.curve.size(), 21U);
  EXPECT_EQ(quality.curve[0], 0);
  EXPECT_NEAR(quality.curve[10], 0.5, 0.04);
  EXPECT_DOUBLE_EQ(quality.curve[20], quality.average.value);
}

TEST(UpliftQuality, IntervalsCoverTheTruth) {
  int average = 0, qini = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const UpliftQuality quality = measure_uplift(draw(1500, 1, seed), seed).value();
    average += quality.average.covers(0.5) ? 1 : 0;
    qini += quality.qini.covers(0.125) ? 1 : 0;
  }
  EXPECT_GE(average, 52);  // 57 of 60 are expected; fewer than 52 has a chance of 1 %
  EXPECT_GE(qini, 52);
}

TEST(UpliftQuality, AnOrderWithoutScoresIsNoBetterThanChance) {
  std::vector<Dealt> users = draw(20'000, 0.5, 3);
  for (Dealt& user : users) user.score = 0;
  EXPECT_TRUE(measure_uplift(users, 3)->qini.covers(0));
  for (Dealt& user : users) user.score = user.outcome;  // not of the effect, and known only afterwards
  EXPECT_FALSE(measure_uplift(users, 3)->average.covers(0));
}

TEST(UpliftQuality, TheWrongWayRoundIsBelowZero) {
  std::vector<Dealt> users = draw(20'000, 0.5, 4);
  for (Dealt& user : users) user.score = -user.score;
  EXPECT_LT(measure_uplift(users, 4)->qini.high, 0);
  EXPECT_LT(measure_uplift(users, 4)->above_30.high, 0);
}

TEST(UpliftQuality, WithoutBothArmsItIsNotMeasurable) {
  std::vector<Dealt> users = draw(100, 1, 5);
  for (Dealt& user : users) user.treated = true;
  EXPECT_EQ(measure_uplift(users, 1).status().message(), "uplift is not measurable: 100 of 100 users were treated");
  EXPECT_FALSE(measure_uplift({}, 1).ok());
}

TEST(PolicyValue, IsTheMeanOfWhatWasChosen) {
  Eigen::MatrixXd pseudo(4, 2);
  pseudo << 0, 1, 2, 3, 4, 5, 6, 7;
  const std::vector<uint16_t> chosen = {0, 1, 1, 0};
  const Interval95 value = policy_value(chosen, pseudo);
  EXPECT_DOUBLE_EQ(value.value, (0 + 3 + 5 + 6) / 4.0);
  EXPECT_NEAR(value.high - value.value, 1.96 * std::sqrt(21.0 / 3 / 4), 1e-3);
}

}  // namespace
}  // namespace perennial
