#include "actions/users.h"

#include <gtest/gtest.h>

#include "actions/actions_fixture.h"

namespace perennial {
namespace {

class UsersTest : public ActionsFixture {
 protected:
  [[nodiscard]] std::vector<std::string> everybody(TimeMs now) const {
    std::vector<std::string> names;
    const ActionUsers users(lives_, profiles_, nullptr, contacts_, users_, now);
    users.each(0, lives_.end(), [&](const PlannedUser& user) { names.emplace_back(user.view.id); });
    return names;
  }
};

TEST_F(UsersTest, AreThoseWhoWereThereAtTheMoment) {
  event(1, kStart, "Product Viewed");
  event(3, kStart + kDay, "Product Viewed");
  EXPECT_EQ(everybody(kStart - 1), std::vector<std::string>());
  EXPECT_EQ(everybody(kStart), std::vector<std::string>{"user-1"});
  EXPECT_EQ(everybody(kStart + kDay), (std::vector<std::string>{"user-1", "user-3"}));
  merge(1, 3);
  EXPECT_EQ(everybody(kStart), std::vector<std::string>{"user-3"}) << "with the past of both";
}

TEST_F(UsersTest, HaveStageTraitsAndContacts) {
  event(1, kStart, "Order Completed", 100);
  traits(1, kStart, R"({"newsletter":true,"country":"DE"})");
  drawn(1, kStart + 1, 0, {{0, 0.5}, {kDoNothing, 0.5}});
  const ActionUsers users(lives_, profiles_, nullptr, contacts_, users_, kStart + kDay);
  bool seen = false;
  EXPECT_TRUE(users.one(1, [&](const PlannedUser& user) {
    seen = true;
    EXPECT_EQ(user.view.id, "user-1");
    EXPECT_EQ(user.view.standing.stage, Stage::activation);
    EXPECT_EQ(*user.view.trait("newsletter"), "true");
    EXPECT_EQ(*user.view.trait("country"), "\"DE\"");
    EXPECT_EQ(user.view.trait("plan"), nullptr);
    EXPECT_EQ(user.view.contacts.size(), 1U);
    EXPECT_EQ(user.view.forecast("churn"), std::nullopt);
    EXPECT_EQ(user.view.facts, user.subject.facts);
  }));
  EXPECT_TRUE(seen);
  EXPECT_FALSE(users.one(7, [](const PlannedUser&) { FAIL(); }));
}

}  // namespace
}  // namespace perennial
