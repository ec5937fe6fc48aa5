#include "lifecycle/plan.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kStart = 1'700'000'000'000;

Definition with_retention(const char* rule) {
  DefinitionText text;
  text.stages["retention"] = rule;
  return make_definition(text).value();
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    types_.add("Order Completed");
    for (const char* user : {"una", "oto", "ida"}) users_.add(user);
  }

  void order(UserId user, TimeMs time) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.time = time;
    record.type = 0;
    record.payload = Event();
    now_.apply(record);
    then_.apply(record);
  }

  Dictionary types_;
  Dictionary users_;
  Lives now_{with_retention("value >= 2 within 1y"), types_, users_};
  Lives then_{with_retention("value >= 3 within 1y"), types_, users_};
  Offset offset_ = 0;
};

TEST_F(PlanTest, TellsWhoWouldMoveAndLeavesTheRest) {
  for (int i = 0; i < 3; ++i) order(0, kStart + i * kDay);
  for (int i = 0; i < 2; ++i) order(1, kStart + i * kDay);
  order(2, kStart);
  const Plan plan = compare(now_, then_, kStart + 3 * kDay, 10);
  EXPECT_EQ(plan.now.in(Stage::retention), 2);
  EXPECT_EQ(plan.then.in(Stage::retention), 1);
  EXPECT_EQ(plan.moves[2][1], 1);
  EXPECT_EQ(plan.other_stage, 1);
  EXPECT_EQ(plan.other_overlay, 0);
  ASSERT_EQ(plan.movers.size(), 1U);
  EXPECT_EQ(plan.movers[0].user, 1U);
  const json::object told = to_json(plan, users_);
  EXPECT_EQ(told.at("movers").as_array().at(0).at("user_id"), "oto");
  EXPECT_EQ(compare(now_, then_, kStart - 1, 10).now.all(), 0);
  EXPECT_EQ(compare(now_, then_, kStart + 3 * kDay, 0).movers.size(), 0U);
}

TEST_F(PlanTest, AnEventTypeThatTheLogNeverSawIsToldWithTheNearest) {
  EXPECT_TRUE(check_event_types({{"value", "order_completed"}}, types_).ok());
  const Status refused = check_event_types({{"value", "Order Completed, Order Complete"}}, types_);
  EXPECT_EQ(refused.code(), Code::invalid_argument);
  EXPECT_EQ(
      refused.message(),
      "lifecycle.signals.value: the log has no event of type 'Order Complete' (the nearest is 'Order Completed'): "
      "mend it, or say --allow-unknown-events if it is yet to come");
}

}  // namespace
}  // namespace perennial
