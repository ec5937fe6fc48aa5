// Time, passed in. Wall time is milliseconds since 1970-01-01 UTC; tests use FakeClock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace perennial {

using TimeMs = int64_t;

/// Thread rule: every implementation may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimeMs now_ms() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimeMs now_ms() const override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  }
};

class FakeClock final : public Clock {
 public:
  explicit FakeClock(TimeMs now_ms = 0) : now_ms_(now_ms) {}
  [[nodiscard]] TimeMs now_ms() const override { return now_ms_; }
  void set(TimeMs now_ms) { now_ms_ = now_ms; }
  void advance(TimeMs by_ms) { now_ms_ += by_ms; }

 private:
  std::atomic<TimeMs> now_ms_;
};

/// Seconds on a clock that never steps back; for durations only.
inline double monotonic_seconds() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace perennial
