#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace perennial {
namespace {

TEST(Random, IsXoshiroSeededBySplitmix) {
  // Made with an independent implementation of the authors' two algorithms.
  Random zero(0);
  for (const uint64_t wanted :
       {0x53175d61490b23dfULL, 0x61da6f3dc380d507ULL, 0x5c0fdf91ec9a7bfcULL, 0x02eebf8c3bbe5e1aULL})
    EXPECT_EQ(zero.next(), wanted);
  Random other(42);
  for (const uint64_t wanted :
       {0xd0764d4f4476689fULL, 0x519e4174576f3791ULL, 0xfbe07cfb0c24ed8cULL, 0xb37d9f600cd835b8ULL})
    EXPECT_EQ(other.next(), wanted);
}

TEST(Random, NeighbouringSeedsShareNothing) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(seen.insert(random.next()).second) << seed;
  }
}

TEST(Random, UniformIsInTheUnitIntervalWithItsMoments) {
  Random random(1);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const double value = random.uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * 0.2887 / 447);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * 0.2981 / 447);
}

TEST(Random, BelowIsEvenAndStaysBelow) {
  Random random(2);
  std::vector<int> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 5 * 93);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(random.below(1), 0U);
    EXPECT_LT(random.below(UINT64_MAX), UINT64_MAX);
  }
}

TEST(Random, NormalAndExponentialHaveTheirMoments) {
  Random random(3);
  constexpr int kDraws = 200'000;
  double normal_sum = 0;
  double normal_squares = 0;
  double exponential_sum = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double normal = random.normal();
    const double exponential = random.exponential();
    ASSERT_TRUE(std::isfinite(normal));
    ASSERT_GE(exponential, 0);
    normal_sum += normal;
    normal_squares += normal * normal;
    exponential_sum += exponential;
  }
  EXPECT_NEAR(normal_sum / kDraws, 0, 5 / 447.0);
  EXPECT_NEAR(normal_squares / kDraws, 1, 5 * 1.415 / 447);
  EXPECT_NEAR(exponential_sum / kDraws, 1, 5 / 447.0);
}

TEST(Random, ChanceOfZeroAndOneAreCertain) {
  Random random(4);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(random.chance(0));
    EXPECT_TRUE(random.chance(1));
  }
}

TEST(Random, ShuffleReachesEveryOrderAboutEvenly) {
  Random random(5);
  std::map<std::vector<int>, int> counts;
  for (int i = 0; i < 24'000; ++i) {
    std::vector<int> order = {0, 1, 2, 3};
    random.shuffle(std::span(order));
    ++counts[order];
  }
  EXPECT_EQ(counts.size(), 24U);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 5 * 31);
}

}  // namespace
}  // namespace perennial
