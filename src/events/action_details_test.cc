#include "events/action_details.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

ActionDetails details_of(const std::string& text) {
  StoredRecord record;
  record.payload = Action{.action_id = "a", .name = "letter", .channel = "mail", .propensity = 1, .details = text};
  return action_details(record);
}

TEST(ActionDetails, SayWhatItCostsWhoDeliversItAndWhatCouldBeDrawn) {
  const ActionDetails details =
      details_of(R"({"gain":3,"cost":0.5,"deliver":true,"chances":{"letter":0.75,"nothing":0.25}})");
  EXPECT_EQ(details.cost, 0.5F);
  EXPECT_TRUE(details.deliver);
  EXPECT_EQ(details.chances, (std::vector<std::pair<std::string, float>>{{"letter", 0.75F}, {"nothing", 0.25F}}));
}

TEST(ActionDetails, WhatIsNotThereOrNotSoIsTheDefault) {
  for (const char* text : {"", "{}", "no JSON", "[1]", R"({"cost":"much","deliver":1,"chances":[0.5]})",
                           R"({"chances":{}})", R"({"chances":{"letter":"half"}})"}) {
    const ActionDetails details = details_of(text);
    EXPECT_EQ(details.cost, 0) << text;
    EXPECT_FALSE(details.deliver) << text;
    EXPECT_TRUE(details.chances.empty()) << text;
  }
}

TEST(ActionDetails, CostsAreBounded) {
  EXPECT_EQ(details_of(R"({"cost":-1000})").cost, 0);
  EXPECT_EQ(details_of(R"({"cost":1e300})").cost, 1e9F);
}

TEST(ActionDetails, OfOtherRecordsThereAreNone) {
  StoredRecord record;
  record.payload = Delivery{"a", kDelivered, R"({"cost":5,"deliver":true})"};
  EXPECT_FALSE(action_details(record).deliver);
}

}  // namespace
}  // namespace perennial
