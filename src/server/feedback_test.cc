#include "server/feedback.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

TEST(Feedback, UsersAreNotedOnceASlateAndTheOldestSlateGivesWay) {
  FeedbackUsers users(2);
  for (const UserId user : {1U, 2U, 1U}) users.note({2, 0}, user);
  users.note({1, 0}, 3);
  EXPECT_EQ(users.of({2, 0}), (std::vector<UserId>{1, 2}));
  users.note({3, 0}, 4);
  EXPECT_EQ(users.of({1, 0}), std::vector<UserId>());
  EXPECT_EQ(users.of({3, 0}), std::vector<UserId>{4});
  for (UserId user = 0; user < 100; ++user) users.note({3, 0}, user);
  EXPECT_EQ(users.of({3, 0}).size(), 16U);
}

}  // namespace
}  // namespace perennial
