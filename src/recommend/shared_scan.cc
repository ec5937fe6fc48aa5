#include "recommend/shared_scan.h"

namespace perennial {

std::vector<ScoredItem> SharedScan::best(const ItemIndex::Request& request) {
  if (index_.size() < kLeastItems) return index_.best(request);
  Waiting mine{.request = &request};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&mine);
  if (gathering_ != nullptr && waiting_.size() >= kMostTogether) gathering_->changed.notify_one();
  mine.changed.wait(lock, [&] { return mine.done || (!mine.taken && lane_is_free()); });
  if (!mine.taken) {  // this thread scans for the first of those who wait, until it is among them
    ++scanning_;
    gathering_ = &mine;
    mine.changed.wait_for(lock, patience_, [&] { return mine.taken || waiting_.size() >= kMostTogether; });
    gathering_ = nullptr;
    while (!mine.taken) {
      Waiting* together[kMostTogether];
      const auto some = std::span(together).first(take_some(together));
      wake_next();
      lock.unlock();
      const auto began = std::chrono::steady_clock::now();
      scan(some);
      const auto took = std::chrono::steady_clock::now() - began;
      lock.lock();
      patience_ = some.size() > 1 ? took / 8 : std::chrono::steady_clock::duration::zero();
      for (Waiting* each : some) {
        each->done = true;
        if (each != &mine) each->changed.notify_one();
      }
    }
    --scanning_;
    wake_next();
    mine.changed.wait(lock, [&] { return mine.done; });  // another lane may have taken it while this one gathered
  }
  if (mine.failure != nullptr) std::rethrow_exception(mine.failure);
  return std::move(mine.result);
}

/// The first of those who wait: as many as leave the other free lanes as much to do, but enough together.
size_t SharedScan::take_some(std::span<Waiting*, kMostTogether> together) {
  const size_t free = lanes_ - scanning_ + 1;  // with this one
  const size_t share = (waiting_.size() + free - 1) / free;
  const size_t count = std::min({std::max(share, kEnough), kMostTogether, waiting_.size()});
  std::copy_n(waiting_.begin(), count, together.begin());
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(count));
  for (Waiting* each : together.first(count)) each->taken = true;
  return count;
}

void SharedScan::scan(std::span<Waiting* const> together) const {
  try {
    std::vector<ItemIndex::Request> requests;
    for (const Waiting* each : together) requests.push_back(*each->request);
    std::vector<std::vector<ScoredItem>> results = index_.best(std::span<const ItemIndex::Request>(requests));
    for (size_t i = 0; i < together.size(); ++i) together[i]->result = std::move(results[i]);
  } catch (...) {  // as when memory is short: none of them may wait for ever
    for (Waiting* each : together) each->failure = std::current_exception();
  }
}

void SharedScan::wake_next() {
  if (!waiting_.empty() && lane_is_free()) waiting_.front()->changed.notify_one();
}

}  // namespace perennial
