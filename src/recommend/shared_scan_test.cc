#include "recommend/shared_scan.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"

namespace perennial {
namespace {

constexpr size_t kWidth = 8;

struct Items {
  explicit Items(size_t count) : vectors(count * kWidth), biases(count) {
    Random random(3);
    for (float& number : vectors) number = static_cast<float>(random.uniform() - 0.5);
    index = ItemIndex(vectors, biases, kWidth);
    allowed = Bitmap(count, true);
  }

  ItemIndex::Request request(std::span<const float> query, size_t k) const {
    const auto score = [this, query](int32_t item) {
      float sum = 0;
      for (size_t d = 0; d < kWidth; ++d) sum += vectors[static_cast<size_t>(item) * kWidth + d] * query[d];
      return sum;
    };
    return {query, &allowed, k, ItemIndex::each(score)};
  }

  std::vector<float> vectors, biases;
  ItemIndex index;
  Bitmap allowed;
};

TEST(SharedScan, EveryThreadGetsItsOwnAnswer) {
  for (const size_t count : {SharedScan::kLeastItems - 1, SharedScan::kLeastItems + 7}) {
    const Items items(count);
    SharedScan shared(items.index);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (uint64_t thread = 0; thread < 24; ++thread)
      threads.emplace_back([&, thread] {
        Random random(thread);
        for (int i = 0; i < 20; ++i) {
          std::vector<float> query(kWidth);
          for (float& number : query) number = static_cast<float>(random.uniform() - 0.5);
          const ItemIndex::Request request = items.request(query, 1 + random.below(20));
          if (shared.best(request) != items.index.best(request)) ++wrong;
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace perennial
