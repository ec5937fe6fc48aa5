#include "experiments/difference.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace perennial {
namespace {

struct Arms {
  ArmSums treated, control;
};

/// Outcomes follow what was before with correlation 0.8; the effect is 0.2.
Arms draw(int users, uint64_t seed, bool use_before) {
  Random random(seed);
  Arms arms;
  for (int i = 0; i < users; ++i) {
    const double before = 5 + random.normal();
    const bool treated = random.chance(0.9);
    const double outcome = 3 + 0.8 * (before - 5) + 0.6 * random.normal() + (treated ? 0.2 : 0);
    (treated ? arms.treated : arms.control).add(outcome, use_before ? before : 0);
  }
  return arms;
}

TEST(Difference, CoversTheEffect) {
  for (const bool use_before : {false, true}) {
    int covered = 0;
    for (uint64_t seed = 1; seed <= 200; ++seed) {
      const Arms arms = draw(1000, seed, use_before);
      covered += difference(arms.treated, arms.control)->covers(0.2) ? 1 : 0;
    }
    EXPECT_GE(covered, 180);  // 190 are expected, fewer than 180 have a chance of 0.1 %
    EXPECT_LE(covered, 199);
  }
}

TEST(Difference, WhatWasBeforeMakesItSharper) {
  const Arms plain = draw(5000, 1, false), sharp = draw(5000, 1, true);
  const Interval95 a = difference(plain.treated, plain.control).value();
  const Interval95 b = difference(sharp.treated, sharp.control).value();
  EXPECT_NEAR((b.high - b.low) / (a.high - a.low), 0.6, 0.05);  // sqrt(1 - 0.8^2)
  EXPECT_DOUBLE_EQ(plain.treated.mean(), sharp.treated.mean());
}

TEST(Difference, AgreesWithTheFormulaOnAFewNumbers) {
  Arms arms;
  for (const double x : {1.0, 2.0, 4.0}) arms.treated.add(x, 0);
  for (const double x : {0.0, 1.0}) arms.control.add(x, 0);
  const Interval95 found = difference(arms.treated, arms.control).value();
  EXPECT_NEAR(found.value, 7.0 / 3 - 0.5, 1e-12);
  EXPECT_NEAR(found.high - found.value, 1.959964 * std::sqrt(7.0 / 3 / 3 + 0.5 / 2), 1e-5);
}

TEST(Difference, AnArmOfOneUserIsNotMeasurable) {
  Arms arms;
  arms.treated.add(1, 0);
  EXPECT_EQ(difference(arms.treated, arms.control).status().message(),
            "not measurable: arms of 1 and 0 users, want at least two in each");
}

}  // namespace
}  // namespace perennial
