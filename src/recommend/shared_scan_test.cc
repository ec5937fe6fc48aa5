#include "recommend/shared_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
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

  float score(std::span<const float> query, int32_t item) const {
    float sum = 0;
    for (size_t d = 0; d < kWidth; ++d) sum += vectors[static_cast<size_t>(item) * kWidth + d] * query[d];
    return sum;
  }

  ItemIndex::Request request(std::span<const float> query, size_t k) const {
    return {query, &allowed, k, ItemIndex::each([this, query](int32_t item) { return score(query, item); })};
  }

  std::vector<float> vectors, biases;
  ItemIndex index;
  Bitmap allowed;
};

TEST(SharedScan, EveryThreadGetsItsOwnAnswer) {
  for (const auto& [count, lanes] :
       {std::pair(SharedScan::kLeastItems - 1, 1), std::pair(SharedScan::kLeastItems + 7, 1),
        std::pair(SharedScan::kLeastItems + 7, 3)}) {
    const Items items(count);
    SharedScan shared(items.index, lanes);
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

/// Requests whose scores wait until they may go on, and who asks for them.
class Held {
 public:
  explicit Held(int lanes) : shared_(items_.index, lanes) {}
  ~Held() {
    go_on();
    for (std::thread& thread : threads_) thread.join();
  }

  void ask() {
    threads_.emplace_back([this] {
      const std::vector<float> query(kWidth, 1);
      const auto held = [&](std::span<const int32_t> some, std::span<float> scores) {
        std::unique_lock lock(mutex_);
        scanning_.push_back(std::this_thread::get_id());
        changed_.notify_all();
        changed_.wait(lock, [&] { return may_go_on_; });
        for (size_t i = 0; i < some.size(); ++i) scores[i] = items_.score(query, some[i]);
      };
      (void)shared_.best({query, &items_.allowed, 5, held});
      const std::lock_guard lock(mutex_);
      ++answered_;
      changed_.notify_all();
    });
  }

  /// Whether so many scores are asked for within seconds.
  bool scanning(size_t count) {
    return wait([&] { return scanning_.size() >= count; });
  }
  bool answered(size_t count) {
    return wait([&] { return answered_ >= count; });
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    may_go_on_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] size_t waiting() { return shared_.waiting(); }
  std::vector<std::thread::id> scanners() {
    const std::lock_guard lock(mutex_);
    return scanning_;
  }

 private:
  template <class Until>
  bool wait(Until until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), until);
  }

  const Items items_{SharedScan::kLeastItems};
  SharedScan shared_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool may_go_on_ = false;
  std::vector<std::thread::id> scanning_;
  size_t answered_ = 0;
  std::vector<std::thread> threads_;
};

TEST(SharedScan, ScansAsMuchAtOnceAsItHasLanes) {
  Held held(2);
  held.ask();
  ASSERT_TRUE(held.scanning(1));
  held.ask();
  EXPECT_TRUE(held.scanning(2));
}

TEST(SharedScan, ThoseWhoWaitShareAScan) {
  Held held(1);
  held.ask();
  ASSERT_TRUE(held.scanning(1));
  for (int i = 0; i < 4; ++i) held.ask();
  while (held.waiting() < 4) std::this_thread::yield();
  held.go_on();
  ASSERT_TRUE(held.answered(5));
  const std::vector<std::thread::id> scanners = held.scanners();
  ASSERT_EQ(scanners.size(), 5U);
  EXPECT_EQ(std::count(scanners.begin() + 1, scanners.end(), scanners[1]), 4) << "one thread scanned for all";
}

TEST(SharedScan, AFailureIsToldToAllAndLeavesTheLane) {
  const Items items(SharedScan::kLeastItems);
  SharedScan shared(items.index, 1);
  const std::vector<float> query(kWidth, 1);
  const auto failing = [](std::span<const int32_t>, std::span<float>) { throw std::bad_alloc(); };
  EXPECT_THROW((void)shared.best({query, &items.allowed, 5, failing}), std::bad_alloc);
  EXPECT_EQ(shared.best(items.request(query, 5)), items.index.best(items.request(query, 5)));
}

}  // namespace
}  // namespace perennial
