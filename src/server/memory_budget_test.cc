#include "server/memory_budget.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

constexpr size_t kMiB = 1 << 20;

TEST(MemoryBudget, WhatIsLeftBesideTheRestIsDividedByWhatEachWants) {
  const MemoryBudget budget(1000 * kMiB, 256 * kMiB);
  const MemoryShares held{.profiles = 200 * kMiB, .lives = 100 * kMiB, .vectors = 10 * kMiB};
  const MemoryShares shares = budget.divide(600 * kMiB, held, {1000, 2000}, {1000, 1000});
  const size_t room = (900 - (600 - 310)) * kMiB;
  EXPECT_LE(shares.profiles + shares.lives + shares.vectors, room);
  EXPECT_GT(shares.profiles + shares.lives + shares.vectors, room - kMiB);
  EXPECT_EQ(shares.vectors, 10 * kMiB + room / 16);
  EXPECT_NEAR(static_cast<double>(shares.profiles) / static_cast<double>(shares.lives), 4, 0.01)
      << "400 MiB would hold all profiles, 100 all lives";
}

TEST(MemoryBudget, WithoutRoomALittleIsKept) {
  const MemoryBudget budget(100 * kMiB, 256 * kMiB);
  const MemoryShares shares = budget.divide(300 * kMiB, {}, {0, 1000}, {0, 1000});
  EXPECT_EQ(shares.profiles, 4 * kMiB);
  EXPECT_EQ(shares.lives, 4 * kMiB);
  EXPECT_EQ(shares.vectors, 4 * kMiB);
}

TEST(MemoryBudget, VectorsKeepTheirOwnLimitAndAQuarter) {
  const MemoryBudget budget(10'000 * kMiB, 256 * kMiB);
  EXPECT_EQ(budget.divide(kMiB, {.vectors = 250 * kMiB}, {}, {}).vectors, 256 * kMiB);
  const MemoryBudget small(400 * kMiB, 256 * kMiB);
  EXPECT_EQ(small.divide(200 * kMiB, {.vectors = 200 * kMiB}, {}, {}).vectors, 90 * kMiB);
}

TEST(MemoryBudget, IsFullFromItsEndOnUntilThereIsALittleRoom) {
  const MemoryBudget budget(100 * kMiB, 0);
  EXPECT_FALSE(budget.is_full(100 * kMiB, false));
  EXPECT_TRUE(budget.is_full(100 * kMiB + 1, false));
  EXPECT_TRUE(budget.is_full(98 * kMiB, true));
  EXPECT_FALSE(budget.is_full(97 * kMiB, true));
}

TEST(MemoryBudget, TheSystemSaysWhatThereIs) {
  EXPECT_GT(resident_bytes(), kMiB);
  EXPECT_GT(default_memory_bytes(), 64 * kMiB);
}

}  // namespace
}  // namespace perennial
