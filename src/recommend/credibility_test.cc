#include "recommend/credibility.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace perennial {
namespace {

TEST(Credibility, StrengthByHand) {
  // Gaps 20 and -20 at expectations of 40: excess 2 (400 - 0.5 x 40) = 760 over squares 3200, so a = 0.5 x 3200 / 760.
  const std::vector<Observed> units = {{60, 40}, {20, 40}};
  EXPECT_EQ(credibility_strength(units, 0.5), kLeastStrength) << "2.1 is less than the least";
  // Gaps of 5: excess 2 (25 - 20) = 10, a = 0.5 x 3200 / 10.
  const std::vector<Observed> closer = {{45, 40}, {35, 40}};
  EXPECT_NEAR(credibility_strength(closer, 0.5), 160, 1e-9);
}

TEST(Credibility, WhatChanceExplainsIsNotBelieved) {
  const std::vector<Observed> units = {{41, 40}, {39, 40}};
  EXPECT_EQ(credibility_strength(units, 0.5), 1e9);
  EXPECT_EQ(credibility_strength({}, 0.5), 1e9);
  const std::vector<int32_t> groups = {0, 1};
  for (const double ratio : credible_ratios(units, groups, 2, 0.5)) EXPECT_NEAR(ratio, 1, 1e-6);
}

TEST(Credibility, ShrinksGroupsToTheWholeAndUnitsToTheirGroupByHand) {
  // Groups (150, 100) and (50, 100): gaps of 50 at expectations of 100, strength least. c = 160 / 110 and 60 / 110.
  const std::vector<Observed> units = {{100, 50}, {50, 50}, {25, 50}, {25, 50}};
  const std::vector<int32_t> groups = {0, 0, 1, 1};
  const std::vector<double> ratios = credible_ratios(units, groups, 2, 0.5);
  const double c0 = 160.0 / 110;
  const double c1 = 60.0 / 110;
  // Within: expectations 50 c. The variation between units is large too, so a = 10 again.
  EXPECT_NEAR(ratios[0], c0 * (100 + 10) / (50 * c0 + 10), 1e-12);
  EXPECT_NEAR(ratios[1], c0 * (50 + 10) / (50 * c0 + 10), 1e-12);
  EXPECT_NEAR(ratios[2], c1 * (25 + 10) / (50 * c1 + 10), 1e-12);
}

TEST(Credibility, AUnitSeenOnceIsCloseToItsGroup) {
  const std::vector<Observed> units = {{300, 100}, {1, 0.1}, {0, 0.1}, {0, 0}, {20, 100}};
  const std::vector<int32_t> groups = {0, 0, 0, 0, 1};
  const std::vector<double> ratios = credible_ratios(units, groups, 2, 0.1);
  EXPECT_NEAR(ratios[1] / ratios[3], 1, 0.1);
  EXPECT_NEAR(ratios[2] / ratios[3], 1, 0.1);
  EXPECT_GT(ratios[3], 2) << "without any expectation: its group's";
  EXPECT_LT(ratios[4], 0.4);
}

TEST(Credibility, FindsTrueRatiosBetterThanTheRawOnes) {
  Random random(7);
  std::vector<Observed> units;
  std::vector<double> truth;
  for (int unit = 0; unit < 400; ++unit) {
    truth.push_back(std::exp(0.3 * random.normal()));
    const int touches = 20 + static_cast<int>(random.below(200));
    double successes = 0;
    for (int touch = 0; touch < touches; ++touch) successes += random.chance(0.1 * truth.back()) ? 1 : 0;
    units.push_back({successes, 0.1 * touches});
  }
  const std::vector<int32_t> groups(units.size(), 0);
  const std::vector<double> ratios = credible_ratios(units, groups, 1, 0.1);
  double shrunk = 0;
  double raw = 0;
  for (size_t i = 0; i < units.size(); ++i) {
    shrunk += std::pow(ratios[i] - truth[i], 2);
    raw += std::pow(units[i].successes / units[i].expected - truth[i], 2);
  }
  EXPECT_LT(shrunk, 0.6 * raw);
}

}  // namespace
}  // namespace perennial
