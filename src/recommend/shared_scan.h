// Requests that wait for a large index share passes over it: most of a pass is bringing the items from memory, which
// costs the same for several queries as for one. Covered by recommend/shared_scan_test.cc.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/cores.h"
#include "kernels/item_index.h"

namespace perennial {

/// Thread rule: any thread; the index outlives it.
class SharedScan {
 public:
  /// At most so many scans at once. One keeps a core busy, and eight the memory.
  explicit SharedScan(const ItemIndex& index, int lanes = std::min(8, usable_cores()))
      : index_(index), lanes_(static_cast<size_t>(lanes)) {
    PERENNIAL_CHECK(lanes > 0, "{} scans at once", lanes);
  }

  /// ItemIndex::best. Whoever comes while every lane is scanning waits for a lane, and is scanned for together with
  /// others who wait. Where scans are shared, one waits an eighth of its time for those who were just answered to come
  /// back: else ever smaller groups would take turns. Throws what a scan throws, to all who shared it.
  std::vector<ScoredItem> best(const ItemIndex::Request& request);

  /// Who wait, and were not taken into a scan yet.
  [[nodiscard]] size_t waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

  /// Below so many items a pass is over before another thread could be woken.
  static constexpr size_t kLeastItems = 50'000;

 private:
  static constexpr size_t kMostTogether = 16;
  static constexpr size_t kEnough = 4;  // together: bringing the items from memory takes a small part then

  struct Waiting {
    const ItemIndex::Request* request;
    std::vector<ScoredItem> result;
    std::exception_ptr failure;
    bool taken = false;
    bool done = false;
    std::condition_variable changed;
  };

  [[nodiscard]] bool lane_is_free() const { return scanning_ < lanes_ && gathering_ == nullptr; }
  size_t take_some(std::span<Waiting*, kMostTogether> together);
  void scan(std::span<Waiting* const> together) const;
  void wake_next();

  const ItemIndex& index_;
  const size_t lanes_;
  std::mutex mutex_;
  std::vector<Waiting*> waiting_;  // not taken yet, in the order in which they came
  size_t scanning_ = 0;
  Waiting* gathering_ = nullptr;  // who is about to scan, and waits for others
  std::chrono::steady_clock::duration patience_{};
};

}  // namespace perennial
