#include "recommend/shared_scan.h"

#include <algorithm>

namespace perennial {

std::vector<ScoredItem> SharedScan::best(const ItemIndex::Request& request) {
  if (index_.size() < kLeastItems) return index_.best(request);
  Waiting mine{.request = &request};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&mine);
  if (gathering_ != nullptr && waiting_.size() >= kMostTogether) gathering_->changed.notify_one();
  mine.changed.wait(lock, [&] { return mine.done || !scanning_; });
  if (mine.done) return std::move(mine.result);

  // Nobody scans: this thread does, for the first of those who wait, itself among them or not.
  scanning_ = true;
  gathering_ = &mine;
  mine.changed.wait_for(lock, patience_, [&] { return waiting_.size() >= kMostTogether; });
  gathering_ = nullptr;
  const auto began = std::chrono::steady_clock::now();
  size_t most = 0;
  while (!mine.done) {
    const size_t count = std::min(waiting_.size(), kMostTogether);
    const std::vector<Waiting*> together(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
    most = std::max(most, count);
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
    lock.unlock();
    std::vector<ItemIndex::Request> requests;
    for (const Waiting* each : together) requests.push_back(*each->request);
    std::vector<std::vector<ScoredItem>> results = index_.best(std::span<const ItemIndex::Request>(requests));
    lock.lock();
    for (size_t i = 0; i < count; ++i) {
      together[i]->result = std::move(results[i]);
      together[i]->done = true;
      if (together[i] != &mine) together[i]->changed.notify_one();
    }
  }
  patience_ = most > 1 ? (std::chrono::steady_clock::now() - began) / 8 : std::chrono::steady_clock::duration::zero();
  scanning_ = false;
  if (!waiting_.empty()) waiting_.front()->changed.notify_one();  // the next to scan
  return std::move(mine.result);
}

}  // namespace perennial
