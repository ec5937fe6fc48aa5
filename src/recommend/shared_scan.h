// Requests that wait for a large index share one pass over it: most of a pass is bringing the items from memory, which
// costs the same for sixteen queries as for one. Covered by recommend/shared_scan_test.cc.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "kernels/item_index.h"

namespace perennial {

/// Thread rule: any thread; the index outlives it.
class SharedScan {
 public:
  explicit SharedScan(const ItemIndex& index) : index_(index) {}

  /// ItemIndex::best. Whoever comes while others scan waits for them, and then for one scan of all who waited. Where
  /// scans are shared, one waits an eighth of its time for those who were just answered to come back: else there would
  /// be two halves that take turns.
  std::vector<ScoredItem> best(const ItemIndex::Request& request);

  /// Below so many items a pass is over before another thread could be woken.
  static constexpr size_t kLeastItems = 50'000;

 private:
  static constexpr size_t kMostTogether = 16;

  struct Waiting {
    const ItemIndex::Request* request;
    std::vector<ScoredItem> result;
    bool done = false;
    std::condition_variable changed;
  };

  const ItemIndex& index_;
  std::mutex mutex_;
  std::vector<Waiting*> waiting_;  // in the order in which they came
  bool scanning_ = false;
  Waiting* gathering_ = nullptr;  // who is about to scan, and waits for others
  std::chrono::steady_clock::duration patience_{};
};

}  // namespace perennial
