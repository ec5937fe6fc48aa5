#include "server/memory_budget.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

constexpr size_t kMiB = 1 << 20;

TEST(MemoryBudget, WhatIsLeftBesideTheRestIsDividedByWhatEachWants) {
  const MemoryBudget budget(1000 * kMiB, 256 * kMiB);
  const MemoryShares held{.profiles = 200 * kMiB, .lives = 100 * kMiB, .vectors = 10 * kMiB};
  const MemoryShares shares = budget.divide(600 * kMiB, held, {1000, 2000}, {1000, 1000}).value();
  const size_t room = (880 - (600 - 310)) * kMiB;
  EXPECT_LE(shares.profiles + shares.lives + shares.vectors, room);
  EXPECT_GT(shares.profiles + shares.lives + shares.vectors, room - kMiB);
  EXPECT_EQ(shares.vectors, 10 * kMiB + room / 16);
  EXPECT_NEAR(static_cast<double>(shares.profiles) / static_cast<double>(shares.lives), 4, 0.01)
      << "400 MiB would hold all profiles, 100 all lives";
}

TEST(MemoryBudget, WithoutRoomALittleIsKept) {
  const MemoryBudget budget(100 * kMiB, 256 * kMiB);
  const MemoryShares shares = budget.divide(300 * kMiB, {}, {0, 1000}, {0, 1000}).value();
  EXPECT_EQ(shares.profiles, 4 * kMiB);
  EXPECT_EQ(shares.lives, 4 * kMiB);
  EXPECT_EQ(shares.vectors, 4 * kMiB);
}

/// What is resident follows what is held, or stays when the allocator gives nothing back.
TEST(MemoryBudget, APeakPutsAwayWhatItTakesAndNoMore) {
  for (const bool gives_back : {true, false}) {
    const MemoryBudget budget(1000 * kMiB, 0);
    size_t resident = 950 * kMiB;
    MemoryShares held{.profiles = 300 * kMiB, .lives = 300 * kMiB};
    const std::optional<MemoryShares> shares = budget.divide(resident, held, {1000, 1000}, {1000, 1000});
    ASSERT_TRUE(shares.has_value());
    const size_t left = shares->profiles + shares->lives;
    EXPECT_NEAR(static_cast<double>(left / kMiB), 600 - 70, 2);
    if (gives_back) resident -= 600 * kMiB - left;
    held = *shares;
    EXPECT_EQ(budget.is_tight(resident), !gives_back);
    EXPECT_EQ(budget.divide(resident, held, {900, 1000}, {900, 1000}).has_value(), !gives_back);
  }
  EXPECT_FALSE(MemoryBudget(1000 * kMiB, 0).divide(870 * kMiB, {}, {}, {}).has_value());
}

TEST(MemoryBudget, VectorsKeepTheirOwnLimitAndAQuarter) {
  const MemoryBudget budget(10'000 * kMiB, 256 * kMiB);
  EXPECT_EQ(budget.divide(kMiB, {.vectors = 250 * kMiB}, {}, {})->vectors, 256 * kMiB);
  const MemoryBudget small(400 * kMiB, 256 * kMiB);
  EXPECT_EQ(small.divide(200 * kMiB, {.vectors = 200 * kMiB}, {}, {})->vectors, 88 * kMiB);
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
