// Who may touch the state when: many short readers (a recommendation), rare long readers (a snapshot), one writer (the
// log's thread). A long reader holds up the writer only; the writer cannot be starved by a stream of short readers.
// Covered by server/state_gate_test.cc.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace perennial {

/// Thread rule: any thread. Locks are not recursive.
class StateGate {
 public:
  /// For reads of well under a millisecond: the writer waits for it, and later readers wait behind that writer.
  [[nodiscard]] std::shared_lock<std::shared_mutex> read() {
    const std::lock_guard turn(turnstile_);
    return std::shared_lock(state_);
  }

  /// For reads that take long: the writer waits, short readers go on.
  /// Many of them one after the other do not starve the writer either.
  [[nodiscard]] std::unique_lock<std::mutex> long_read() {
    const std::lock_guard turn(long_turnstile_);
    return std::unique_lock(writers_);
  }

  class WriteLock {
   public:
    explicit WriteLock(StateGate& gate) {
      {
        const std::lock_guard turn(gate.long_turnstile_);
        no_long_reader_ = std::unique_lock(gate.writers_);
      }
      const std::lock_guard turn(gate.turnstile_);
      no_reader_ = std::unique_lock(gate.state_);
    }

   private:
    std::unique_lock<std::mutex> no_long_reader_;
    std::unique_lock<std::shared_mutex> no_reader_;
  };
  [[nodiscard]] WriteLock write() { return WriteLock(*this); }

 private:
  std::mutex long_turnstile_;  // held by whoever waits for the next
  std::mutex writers_;         // taken first by the writer, and alone by a long reader
  std::mutex turnstile_;       // held by a writer that waits, so that it is the next to enter
  std::shared_mutex state_;
};

}  // namespace perennial
