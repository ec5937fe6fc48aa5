#include "server/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace perennial {
namespace {

// Of the budget; the rest is for a reply, a report or a snapshot under way. Between the others nothing is moved: what
// the allocator keeps of users who were put away comes back late or never, and must not cost the next users their
// place.
constexpr double kGoal = 0.88;
constexpr double kLoose = 0.86;
constexpr double kTight = 0.90;
constexpr double kRoomAgain = 0.97;
constexpr size_t kLeast = 4 << 20;

/// What a store would hold, were everybody in memory.
double wanted(size_t held, const UserShare& users) {
  if (users.in_memory == 0) return static_cast<double>(users.all) * 400;
  return static_cast<double>(held) * static_cast<double>(users.all) / static_cast<double>(users.in_memory);
}

size_t number_in(const char* path, size_t fallback) {
  std::ifstream in(path);
  size_t number = 0;
  return in >> number ? number : fallback;
}

}  // namespace

std::optional<MemoryShares> MemoryBudget::divide(size_t resident, const MemoryShares& held, const UserShare& profiles,
                                                 const UserShare& lives) const {
  const double used = static_cast<double>(resident) / static_cast<double>(bytes_);
  if (used > kLoose && used <= kTight) return std::nullopt;
  const size_t movable = held.profiles + held.lives + held.vectors;
  const double fixed = static_cast<double>(resident - std::min(resident, movable));
  const double room = std::max(0.0, kGoal * static_cast<double>(bytes_) - fixed);
  // Vectors get a quarter at most, and of it no more than they may fill soon.
  const double vectors =
      std::min({static_cast<double>(vector_bytes_), room / 4, static_cast<double>(held.vectors) + room / 16});
  const double rest = room - vectors;
  const double of_profiles = wanted(held.profiles, profiles) + 1;
  const double of_lives = wanted(held.lives, lives) + 1;
  const auto share = [](double bytes) { return std::max(kLeast, static_cast<size_t>(bytes)); };
  return MemoryShares{.profiles = share(rest * of_profiles / (of_profiles + of_lives)),
                      .lives = share(rest * of_lives / (of_profiles + of_lives)),
                      .vectors = share(vectors)};
}

bool MemoryBudget::is_full(size_t resident, bool was_full) const {
  return static_cast<double>(resident) > static_cast<double>(bytes_) * (was_full ? kRoomAgain : 1);
}

bool MemoryBudget::is_tight(size_t resident) const {
  return static_cast<double>(resident) > kTight * static_cast<double>(bytes_);
}

size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  size_t all = 0;
  size_t resident = 0;
  return in >> all >> resident ? resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

size_t default_memory_bytes() {
  const size_t machine = static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t allowed = std::min(number_in("/sys/fs/cgroup/memory.max", machine),
                                  number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes", machine));
  return std::min(machine, allowed) / 4 * 3;
}

}  // namespace perennial
