#include "kernels/top_k.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"

namespace perennial {
namespace {

TEST(TopK, EqualsASortForRandomScoresWithManyTies) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const size_t n = random.below(60);
    std::vector<float> scores(n);
    std::vector<bool> allowed(n);
    std::vector<int32_t> want;
    for (size_t i = 0; i < n; ++i) {
      scores[i] = static_cast<float>(random.below(8));
      allowed[i] = random.chance(0.7);
      if (allowed[i]) want.push_back(static_cast<int32_t>(i));
    }
    std::stable_sort(want.begin(), want.end(), [&](int32_t a, int32_t b) {
      return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
    });
    const size_t k = random.below(12);
    want.resize(std::min(want.size(), k));
    EXPECT_EQ(top_k(scores, allowed, k), want) << round;
  }
}

TEST(TopK, NanIsNeverTaken) {
  const std::vector<float> scores = {NAN, 1, NAN, 3};
  EXPECT_EQ(top_k(scores, std::vector<bool>(4, true), 4), (std::vector<int32_t>{3, 1}));
}

}  // namespace
}  // namespace perennial
