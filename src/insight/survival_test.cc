#include "insight/survival.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

std::vector<Watched> repeated(int times, const std::vector<Watched>& watched) {
  std::vector<Watched> all;
  for (int i = 0; i < times; ++i) all.insert(all.end(), watched.begin(), watched.end());
  return all;
}

// By hand: five times the durations 1, 2+, 3, 3, 5+ (+: no longer watched). S(1) = 4/5; at 3 there are 3 of 5 left, of
// whom 2: S = 4/5 * 1/3.
Survival sample() { return Survival(repeated(5, {{3, true}, {2, false}, {1, true}, {5, false}, {3, true}})); }

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

TEST(Survival, TheLastOfAllIsNotEverybody) {
  // Half were watched for 2 only; that the longest watched came at 9 does not say that all come by then.
  std::vector<Watched> watched = repeated(50, {{1, true}, {2, false}});
  watched.push_back({9, true});
  const Survival survival(watched);
  EXPECT_NEAR(survival.happened_within(2).value(), 50.0 / 101, 1e-12);
  EXPECT_FALSE(survival.happened_within(9).has_value());
  EXPECT_FALSE(survival.happened_within(30).has_value());
  EXPECT_FALSE(survival.quantile(0.75).has_value());
}

TEST(Survival, OfFewerThanFiveStillWatchedNothingIsSaid) {
  std::vector<Watched> watched = repeated(20, {{2, false}});
  for (const TimeMs duration : {3, 4, 5, 6, 7, 8}) watched.push_back({duration, true});
  const Survival survival(watched);
  EXPECT_NEAR(survival.happened_within(4).value(), 2.0 / 6, 1e-12) << "five are left at 4";
  EXPECT_FALSE(survival.happened_within(5).has_value());
  EXPECT_EQ(survival.quantile(0.3).value(), 4);
  EXPECT_FALSE(survival.quantile(0.5).has_value());
}

TEST(Survival, WhereNobodyWasLostBeforeFewAreEnough) {
  const Survival survival({{1, true}, {2, true}, {9, false}});
  EXPECT_DOUBLE_EQ(survival.happened_within(5).value(), 2.0 / 3) << "known of all three";
  EXPECT_EQ(survival.quantile(0.5).value(), 2);
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
