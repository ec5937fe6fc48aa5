#include "insight/survival.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

// By hand: durations 1, 2+, 3, 3, 5+ (+: no longer watched). S(1) = 4/5; at 3 there are 3 left of whom 2: S = 4/5 *
// 1/3.
Survival sample() { return Survival({{3, true}, {2, false}, {1, true}, {5, false}, {3, true}}); }

TEST(Survival, CountsThoseNotYetThereForAsLongAsTheyWereWatched) {
  EXPECT_DOUBLE_EQ(sample().happened_within(0).value(), 0);
  EXPECT_DOUBLE_EQ(sample().happened_within(1).value(), 0.2);
  EXPECT_DOUBLE_EQ(sample().happened_within(2).value(), 0.2);
  EXPECT_DOUBLE_EQ(sample().happened_within(3).value(), 1 - 0.8 / 3);
  EXPECT_DOUBLE_EQ(sample().happened_within(5).value(), 1 - 0.8 / 3);
}

TEST(Survival, SaysNothingAboutWhatNobodyWasWatchedFor) {
  EXPECT_FALSE(sample().happened_within(6).has_value());
  EXPECT_DOUBLE_EQ(Survival({{3, true}}).happened_within(100).value(), 1) << "it happened to everybody";
  EXPECT_FALSE(Survival({}).happened_within(0).value_or(0) > 0);
}

TEST(Survival, QuantilesAreTheFirstDurationThatReachesTheShare) {
  EXPECT_EQ(sample().quantile(0.2).value(), 1);
  EXPECT_EQ(sample().quantile(0.25).value(), 3);
  EXPECT_EQ(sample().quantile(0.7).value(), 3);
  EXPECT_FALSE(sample().quantile(0.75).has_value());
  EXPECT_FALSE(Survival({{4, false}}).quantile(0.5).has_value());
}

TEST(Survival, OfEqualDurationsWhatHappenedComesFirst) {
  // Both are watched at 2: one of two, not one of one.
  EXPECT_DOUBLE_EQ(Survival({{2, false}, {2, true}}).happened_within(2).value(), 0.5);
}

TEST(Survival, WithNobodyCensoredItIsTheShare) {
  std::vector<Watched> watched;
  for (int i = 1; i <= 10; ++i) watched.push_back({i, true});
  const Survival survival(watched);
  for (int i = 1; i <= 10; ++i) EXPECT_NEAR(survival.happened_within(i).value(), i / 10.0, 1e-12);
  EXPECT_EQ(survival.quantile(0.5).value(), 5);
  EXPECT_EQ(survival.quantile(1).value(), 10);
}

}  // namespace
}  // namespace perennial
