#include "experiments/assignment.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace perennial {
namespace {

TEST(Assignment, HoldsOutAboutTheShareAndTheSameUsersAlways) {
  int held_out = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = fmt::format("user-{}", i);
    const bool out = is_held_out("actions", 0.1, id);
    EXPECT_EQ(out, is_held_out("actions", 0.1, id));
    EXPECT_TRUE(!out || is_held_out("actions", 0.2, id)) << "a larger share keeps whom the smaller held out";
    held_out += out ? 1 : 0;
  }
  EXPECT_NEAR(held_out, 2000, 4 * 42);
  EXPECT_FALSE(is_held_out("actions", 1, ""));
}

TEST(Assignment, PurposesDoNotCoincide) {
  int both = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = fmt::format("user-{}", i);
    both += is_held_out("actions", 0.2, id) && is_held_out("objectives.holdout", 0.2, id) ? 1 : 0;
  }
  EXPECT_NEAR(both, 800, 4 * 28);
}

TEST(Assignment, TheRatioOfTheArmsIsChecked) {
  EXPECT_NEAR(sample_ratio_p_value(1000, 9000, 0.1), 1, 1e-12);
  EXPECT_NEAR(sample_ratio_p_value(1059, 8941, 0.1), 0.0492, 1e-3);  // 1.967 deviations
  EXPECT_LT(sample_ratio_p_value(700, 9300, 0.1), 1e-6);
  EXPECT_EQ(sample_ratio_p_value(0, 0, 0.1), 1);
}

}  // namespace
}  // namespace perennial
