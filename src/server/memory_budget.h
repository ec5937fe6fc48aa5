// Keeps the process within its memory: what is resident is measured, and what may grow and shrink (users' histories and
// lives, their vectors) is told how much it may hold. Covered by server/memory_budget_test.cc.
#pragma once

#include <cstddef>
#include <optional>

namespace perennial {

/// Bytes of what may be put away or made again.
struct MemoryShares {
  size_t profiles = 0;
  size_t lives = 0;
  size_t vectors = 0;
};

/// Users in memory, and all that are known.
struct UserShare {
  size_t in_memory = 0;
  size_t all = 0;
};

/// Thread rule: immutable.
class MemoryBudget {
 public:
  /// `vector_bytes` is the most that vectors may have.
  MemoryBudget(size_t bytes, size_t vector_bytes) : bytes_(bytes), vector_bytes_(vector_bytes) {}

  /// How much each may hold from now on; none while about as much is resident as should be. What the process holds
  /// beside them is as it is: the log's names, items, the model, requests under way, and what the allocator keeps.
  [[nodiscard]] std::optional<MemoryShares> divide(size_t resident, const MemoryShares& held, const UserShare& profiles,
                                                   const UserShare& lives) const;

  /// Whether so much is resident that nothing new should be taken in; until it is a little less again.
  [[nodiscard]] bool is_full(size_t resident, bool was_full) const;

  /// Whether that is more than should be: the allocator is to give back what was put away.
  [[nodiscard]] bool is_tight(size_t resident) const;

  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  size_t bytes_;
  size_t vector_bytes_;
};

/// Of this process, as the system counts it; 0 when it does not say.
size_t resident_bytes();

/// Three quarters of what the machine has, or of what its control group allows when that is less.
size_t default_memory_bytes();

}  // namespace perennial
