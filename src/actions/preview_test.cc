#include "actions/preview.h"

#include <gtest/gtest.h>

#include "actions/actions_fixture.h"

namespace perennial {
namespace {

class PreviewTest : public ActionsFixture {
 protected:
  Preview made(TimeMs since, TimeMs until) {
    ActionRules defaults;
    defaults.holdout_share = defaults.explore_share = 0;
    rules_ = make_action_rules(texts_, defaults, lives_.definition()).value();
    Effects effects(rules_.actions.size());
    for (ActionEffect& effect : effects) effect.level = 0.5;
    return preview(rules_, effects, lives_, profiles_, nullptr, users_, contacts_, since, until, kDay, 1).value();
  }
};

TEST_F(PreviewTest, SaysWhoWouldHaveGotWhatAndWhen) {
  texts_["journeys.j.trigger"] = "stage activation";
  texts_["journeys.j.steps"] = "letter, wait 3d, note";
  event(1, kStart, "Product Viewed");
  event(1, kStart + 2 * kDay, "Order Completed", 100);
  event(2, kStart + 4 * kDay, "Order Completed", 100);
  const Preview found = made(kStart, kStart + 6 * kDay);
  EXPECT_EQ(found.plans, 7);
  ASSERT_EQ(found.given.size(), 3U);
  const auto expect = [&](const WouldHaveGot& got, TimeMs time, UserId user, uint16_t action) {
    EXPECT_EQ(got.time, time);
    EXPECT_EQ(got.user, user);
    EXPECT_EQ(got.action, action);
  };
  expect(found.given[0], kStart + 2 * kDay, 1, 0);
  expect(found.given[1], kStart + 4 * kDay, 2, 0);
  expect(found.given[2], kStart + 5 * kDay, 1, 1);
  EXPECT_TRUE(contacts_.of(1).empty()) << "nothing is changed";
}

TEST_F(PreviewTest, LimitsHoldOverItsPlans) {
  texts_["actions.letter.repeat"] = "1 per 3d";
  texts_["arbiter.budgets.mail"] = "2 actions per 5d";
  for (UserId user = 0; user < 5; ++user) event(user, kStart - kDay, "Product Viewed");
  int letters = 0;
  for (const WouldHaveGot& got : made(kStart, kStart + 9 * kDay).given) letters += got.action == 0 ? 1 : 0;
  EXPECT_EQ(letters, 4) << "two in the first five days, two in the next";
}

}  // namespace
}  // namespace perennial
