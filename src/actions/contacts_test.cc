#include "actions/contacts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kNow = 1'700'000'000'000;

StoredRecord given(UserId user, TimeMs time, const char* name, const char* channel, const char* id = "a",
                   const char* details = R"({"cost":0.5})") {
  StoredRecord record;
  record.user = user;
  record.time = time;
  record.payload = Action{id, name, channel, 1, details};
  return record;
}

StoredRecord became(UserId user, const char* id, const char* outcome) {
  StoredRecord record;
  record.user = user;
  record.time = kNow;
  record.payload = Delivery{id, outcome, ""};
  return record;
}

StoredRecord merged(UserId from, UserId into) {
  StoredRecord record;
  record.user = from;
  record.into = into;
  record.payload = IdentityMerge{};
  return record;
}

StoredRecord erased(UserId user) {
  StoredRecord record;
  record.user = user;
  record.payload = Erasure{};
  return record;
}

TEST(Contacts, CountsWhatWasGiven) {
  Contacts contacts(30 * kDay);
  contacts.apply(given(1, kNow, "welcome", "email", "a"));
  contacts.apply(given(1, kNow - kDay, "nudge", "push", "b"));  // came late
  contacts.apply(given(2, kNow, "welcome", "email", "c"));
  ASSERT_EQ(contacts.of(1).size(), 2U);
  EXPECT_EQ(contacts.of(1)[0].time, kNow - kDay);
  EXPECT_EQ(contacts.of(1)[1].name, contacts.name_id("welcome"));
  EXPECT_EQ(contacts.given("welcome", kNow - kDay, kNow).actions, 2);
  EXPECT_EQ(contacts.given("push", kNow - 2 * kDay, kNow).actions, 1);
  EXPECT_DOUBLE_EQ(contacts.given("", kNow - 2 * kDay, kNow).cost, 1.5);
  EXPECT_EQ(contacts.given("", kNow - 2 * kDay, kNow - 600'000).actions, 1) << "until";
  EXPECT_EQ(contacts.given("nobody", 0, kNow).actions, 0);
  EXPECT_TRUE(contacts.of(9).empty());
}

TEST(Contacts, DoingNothingIsNoContact) {
  Contacts contacts(30 * kDay);
  contacts.apply(given(1, kNow, kNoAction, ""));
  EXPECT_TRUE(contacts.of(1).empty());
  EXPECT_EQ(contacts.given("", 0, kNow).actions, 0);
}

TEST(Contacts, WhatCouldNotBeHandedOverCountsAllTheSame) {
  Contacts contacts(30 * kDay);
  contacts.apply(given(1, kNow, "welcome", "email", "a"));
  contacts.apply(became(1, "a", kDeliveryFailed));
  EXPECT_EQ(contacts.of(1).size(), 1U) << "the receiver may have had it and not said so";
  EXPECT_EQ(contacts.given("email", 0, kNow).actions, 1);
}

TEST(Contacts, RemembersWhenSomethingWasLastDrawn) {
  Contacts contacts(30 * kDay);
  const char* const chances = R"({"chances":{"welcome":0.5,"nothing":0.5}})";
  EXPECT_EQ(contacts.last_draw(1), kNoTime);
  contacts.apply(given(1, kNow, "welcome", "email", "a"));
  EXPECT_EQ(contacts.last_draw(1), kNoTime) << "it was chosen";
  contacts.apply(given(1, kNow + 1, kNoAction, "", "b", chances));
  contacts.apply(given(1, kNow, "welcome", "email", "c", chances));
  EXPECT_EQ(contacts.last_draw(1), kNow + 1);
  EXPECT_EQ(contacts.of(1).size(), 2U);
  contacts.apply(merged(1, 2));
  EXPECT_EQ(contacts.last_draw(2), kNow + 1);
  contacts.apply(erased(2));
  EXPECT_EQ(contacts.last_draw(2), kNoTime);
}

TEST(Contacts, ACostOutOfReasonIsBounded) {
  Contacts contacts(30 * kDay);
  contacts.apply(given(1, kNow, "welcome", "email", "a", R"({"cost":-1000})"));
  EXPECT_EQ(contacts.given("", 0, kNow).cost, 0);
  contacts.apply(given(1, kNow, "welcome", "email", "b", R"({"cost":1e300})"));
  EXPECT_TRUE(std::isfinite(contacts.given("", 0, kNow).cost));
}

TEST(Contacts, OneWhoIsRecognisedHasTheContactsOfBoth) {
  Contacts contacts(30 * kDay);
  contacts.apply(given(1, kNow, "welcome", "email", "a"));
  contacts.apply(given(2, kNow - 1, "nudge", "email", "b"));
  contacts.apply(merged(1, 2));
  ASSERT_EQ(contacts.of(1).size(), 2U);
  EXPECT_EQ(contacts.of(2)[0].name, contacts.name_id("nudge"));
  contacts.apply(given(1, kNow + 1, "nudge", "email", "c"));
  EXPECT_EQ(contacts.of(2).size(), 3U);
}

TEST(Contacts, AnErasedUserIsForgottenAndWhatWasSpentStaysSpent) {
  Contacts contacts(30 * kDay);
  contacts.apply(given(1, kNow, "welcome", "email", "a"));
  contacts.apply(merged(3, 1));
  contacts.apply(erased(3));
  EXPECT_TRUE(contacts.of(1).empty());
  EXPECT_EQ(contacts.given("email", 0, kNow).actions, 1);
}

TEST(Contacts, OldOnesAreForgotten) {
  Contacts contacts(30 * kDay);
  for (int day = 0; day < 100; ++day) contacts.apply(given(1, kNow + day * kDay, "welcome", "email"));
  EXPECT_EQ(contacts.of(1).size(), 32U);
  EXPECT_EQ(contacts.given("", 0, kNow + 100 * kDay).actions, 32);
}

TEST(Contacts, ACostThatIsNoNumberIsNothing) {
  Contacts contacts(30 * kDay);
  for (const char* details : {"", "{", R"({"cost":"much"})", R"({})"})
    contacts.apply(given(1, kNow, "welcome", "email", "a", details));
  EXPECT_EQ(contacts.given("", 0, kNow).cost, 0);
  EXPECT_EQ(contacts.given("", 0, kNow).actions, 4);
}

}  // namespace
}  // namespace perennial
