// Served slates on their way to the log: gathered for a moment, so that a busy server does not ask for an fsync a
// slate. What is here when the machine dies is lost: usually kMaxAgeSeconds of slates, and no event.
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "events/record.h"

namespace perennial {

/// Thread rule: any thread.
class SlateQueue {
 public:
  static constexpr size_t kBatch = 256;
  static constexpr double kMaxAgeSeconds = 0.2;

  /// Adds a slate; returns those that are to be sent now, if the batch is full or old enough.
  [[nodiscard]] std::vector<Record> add(Record slate, double now_seconds) {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) oldest_seconds_ = now_seconds;
    waiting_.push_back(std::move(slate));
    return due(now_seconds) ? std::exchange(waiting_, {}) : std::vector<Record>();
  }

  /// Those that are to be sent now because they are old enough.
  [[nodiscard]] std::vector<Record> take_due(double now_seconds) {
    const std::lock_guard lock(mutex_);
    return due(now_seconds) ? std::exchange(waiting_, {}) : std::vector<Record>();
  }

  /// Forgets the slates of an erased user.
  void drop_user(const std::string& user) {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const Record& slate) { return slate.user == user; });
  }

  [[nodiscard]] std::vector<Record> take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  [[nodiscard]] bool due(double now_seconds) const {
    return waiting_.size() >= kBatch || (!waiting_.empty() && now_seconds - oldest_seconds_ >= kMaxAgeSeconds);
  }

  std::mutex mutex_;
  std::vector<Record> waiting_;
  double oldest_seconds_ = 0;
};

}  // namespace perennial
