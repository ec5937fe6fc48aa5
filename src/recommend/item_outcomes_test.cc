#include "recommend/item_outcomes.h"

#include <gtest/gtest.h>

#include <cmath>

namespace perennial {
namespace {

constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kDay = 24 * kHour;
constexpr TimeMs kStart = 1'700'000'000'000;
constexpr EventTypeId kViewed = 0;
constexpr EventTypeId kOrdered = 1;
constexpr EventTypeId kReviewed = 2;
constexpr ItemId kClock = 9;  // an item that only moves the newest event's time

class ItemOutcomesTest : public ::testing::Test {
 protected:
  ItemOutcomesTest() {
    for (const char* type : {"Product Viewed", "Order Completed", "Product Reviewed"}) types_.add(type);
  }

  void event(UserId user, ItemId item, TimeMs time, EventTypeId type = kViewed) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.item = item;
    record.type = type;
    record.time = time;
    record.payload = Event{};
    state_.apply(record);
  }

  void describe(ItemId item, const char* fields) {
    StoredRecord record;
    record.offset = ++offset_;
    record.item = item;
    record.payload = ItemUpsert{fields};
    state_.apply(record);
  }

  ItemOutcomes learn(TimeMs newest = kStart + 100 * kDay) {
    event(9'999, kClock, newest);
    return ItemOutcomes::learn(state_, {.value = {false, true}, .sharing = {false, false, true}}, 10);
  }

  Dictionary types_;
  State state_{EventRoles(), types_, 64};
  Offset offset_ = 0;
};

TEST_F(ItemOutcomesTest, RatesCountEncountersNotEvents) {
  event(0, 1, kStart);
  event(0, 1, kStart + kHour);  // the same encounter
  event(0, 1, kStart + 2 * kHour, kOrdered);
  event(0, 1, kStart + 3 * kHour, kOrdered);
  event(1, 1, kStart);
  event(1, 1, kStart + 8 * kDay);  // known by now: no further one
  event(1, 1, kStart + 8 * kDay + kHour, kOrdered);
  event(2, 2, kStart, kOrdered);  // bought without a look: no encounter
  event(3, 2, kStart);            // bought, but too late
  event(3, 2, kStart + 7 * kDay, kOrdered);
  EXPECT_DOUBLE_EQ(learn().mean_rate(ItemOutcome::first_conversion), 1.0 / 3);
}

TEST_F(ItemOutcomesTest, WhatCustomersBuyIsCountedApart) {
  event(0, 1, kStart);
  event(0, 1, kStart + kHour, kOrdered);
  event(0, 2, kStart + 2 * kHour);
  event(0, 3, kStart + 3 * kHour);
  event(0, 3, kStart + 4 * kHour, kOrdered);
  event(1, 2, kStart);
  const ItemOutcomes outcomes = learn();
  EXPECT_DOUBLE_EQ(outcomes.mean_rate(ItemOutcome::first_conversion), 1.0 / 2);
  EXPECT_DOUBLE_EQ(outcomes.mean_rate(ItemOutcome::conversion), 1.0 / 2);
  EXPECT_TRUE(outcomes.is_customer(*state_.profiles().find(0)));
  EXPECT_FALSE(outcomes.is_customer(*state_.profiles().find(1)));
}

TEST_F(ItemOutcomesTest, EncountersThatAreNotOverDoNotCount) {
  event(0, 1, kStart);
  event(0, 1, kStart + kHour, kOrdered);
  event(1, 1, kStart + 6 * kDay);
  EXPECT_DOUBLE_EQ(learn(kStart + 8 * kDay).mean_rate(ItemOutcome::first_conversion), 1);
  EXPECT_EQ(learn(kStart + 8 * kDay).mean_rate(ItemOutcome::sharing), 0) << "that takes a month";
}

TEST_F(ItemOutcomesTest, ComingAgainIsAnotherVisitWithinAWeek) {
  event(0, 1, kStart);
  event(0, 2, kStart + 5 * kHour);  // the same visit
  event(1, 1, kStart);
  event(1, 3, kStart + 6 * kHour);
  event(2, 1, kStart);
  event(2, 3, kStart + 7 * kDay);  // too late
  // Six encounters: that of user 1 on item 1 is the only one with another visit in time.
  EXPECT_DOUBLE_EQ(learn().mean_rate(ItemOutcome::revisit), 1.0 / 6);
}

TEST_F(ItemOutcomesTest, TellingOthersIsWithinAMonth) {
  event(0, 1, kStart);
  event(0, 1, kStart + 20 * kDay, kReviewed);
  event(1, 1, kStart);
  event(1, 1, kStart + 31 * kDay, kReviewed);
  EXPECT_DOUBLE_EQ(learn().mean_rate(ItemOutcome::sharing), 0.5);
}

TEST_F(ItemOutcomesTest, AnItemSeenOnceIsLikeItsCategory) {
  for (const ItemId item : {1, 2, 3}) describe(item, R"({"category":["Books","Novels"]})");
  for (const ItemId item : {4, 5}) describe(item, R"({"category":"Lamps"})");
  for (UserId user = 0; user < 400; ++user) {
    const ItemId item = user % 2 == 0 ? 1 : 4;
    event(user, item, kStart);
    if (item == 1 && user % 4 == 0) event(user, item, kStart + kHour, kOrdered);
  }
  event(500, 2, kStart);  // seen once, bought: item 2
  event(500, 2, kStart + kHour, kOrdered);
  const ItemOutcomes outcomes = learn();
  const auto ratio = [&](ItemId item) { return outcomes.log_ratio(ItemOutcome::first_conversion, item); };
  EXPECT_GT(ratio(1), 0.3);
  EXPECT_LT(ratio(4), -0.5);
  EXPECT_NEAR(ratio(2), ratio(3), 0.1) << "one purchase says little";
  EXPECT_GT(ratio(3), 0.3) << "never seen: its category's";
  EXPECT_LT(ratio(5), -0.5);
  EXPECT_EQ(outcomes.category(1), outcomes.category(2));
  EXPECT_NE(outcomes.category(1), outcomes.category(4));
  EXPECT_EQ(outcomes.category(7), kNoCategory);
}

TEST_F(ItemOutcomesTest, AUserWhoBuysEverythingSaysNothingOfTheItems) {
  // Item 1 is met by buyers, item 2 by others; each user treats all its items alike.
  for (UserId user = 0; user < 100; ++user) {
    const bool buys = user % 2 == 0;
    for (ItemId other = 3; other < 9; ++other) {
      event(user, other, kStart + other);
      if (buys) event(user, other, kStart + kHour + other, kOrdered);
    }
    const ItemId own = buys ? 1 : 2;
    event(user, own, kStart + 100);
    if (buys) event(user, own, kStart + 2 * kHour, kOrdered);
  }
  const ItemOutcomes outcomes = learn();
  const double gap =
      outcomes.log_ratio(ItemOutcome::first_conversion, 1) - outcomes.log_ratio(ItemOutcome::first_conversion, 2);
  EXPECT_GT(gap, 0);
  EXPECT_LT(gap, 1.5) << "by the rate of all alone it would be ln 6";
}

TEST_F(ItemOutcomesTest, PricesAreComparedInTheCurrencyThatMostHave) {
  describe(1, R"({"price":10,"currency":"EUR"})");
  describe(2, R"({"price":40,"currency":"EUR"})");
  describe(3, R"({"price":40,"currency":"JPY"})");
  const ItemOutcomes outcomes = learn();
  EXPECT_NEAR(outcomes.log_price(1), -std::log(2), 1e-6);
  EXPECT_NEAR(outcomes.log_price(2), std::log(2), 1e-6);
  EXPECT_EQ(outcomes.log_price(3), 0);
  EXPECT_EQ(outcomes.log_price(4), 0);
}

TEST_F(ItemOutcomesTest, KnowsNothingBeforeItHasLearned) {
  const ItemOutcomes nothing;
  EXPECT_EQ(nothing.log_ratio(ItemOutcome::revisit, 3), 0);
  EXPECT_EQ(nothing.log_price(3), 0);
  EXPECT_EQ(nothing.category(3), kNoCategory);
  EXPECT_EQ(nothing.categories(), 1);
}

}  // namespace
}  // namespace perennial
