#include "base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace perennial {
namespace {

TEST(Cores, AreThoseThatTheThreadMayRunOn) {
  std::thread([] {  // of its own, since the affinity stays
    const int before = usable_cores();
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    EXPECT_GE(before, 1);
    EXPECT_LE(before, CPU_COUNT(&set));
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
    EXPECT_EQ(usable_cores(), 1);
  })
      .join();
}

TEST(Cores, OfAQuotaAreRoundedUp) {
  EXPECT_EQ(cores_of_quota("150000 100000"), 2);
  EXPECT_EQ(cores_of_quota("200000 100000\n"), 2);
  EXPECT_EQ(cores_of_quota("1000 100000"), 1);
  EXPECT_EQ(cores_of_quota("9223372036854775807 1"), 1 << 20);
}

TEST(Cores, AQuotaMayBeNone) {
  for (const char* none : {"max 100000", "", "0 100000", "-1 100000", "100000", "100000 0", "100000 many"})
    EXPECT_EQ(cores_of_quota(none), 0) << none;
}

}  // namespace
}  // namespace perennial
