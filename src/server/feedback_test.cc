#include "server/feedback.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

ServedSlate slate(const std::string& id, const std::string& user = "u") {
  return {user, 0, Slate{id, "home", "m", "p", "", {{"a", 1, 1, "transformer"}, {"b", 1, 1, "popular"}}}, {}};
}

TEST(Feedback, KindsAreThoseOfSegmentsCommerceEvents) {
  EXPECT_EQ(feedback_kind("Product List Viewed"), FeedbackKind::impression);
  EXPECT_EQ(feedback_kind("Product Clicked"), FeedbackKind::click);
  EXPECT_EQ(feedback_kind("product_clicked"), FeedbackKind::click);
  EXPECT_EQ(feedback_kind("Order Completed"), FeedbackKind::order);
  EXPECT_EQ(feedback_kind("buy"), FeedbackKind::order);
  EXPECT_EQ(feedback_kind("Signed Up"), FeedbackKind::other);
  EXPECT_EQ(feedback_kind(""), FeedbackKind::other);
}

TEST(Feedback, CreditGoesToTheSourceOfTheItem) {
  RecentSlates slates(10);
  slates.add(slate("r1"));
  EXPECT_EQ(slates.credit("r1", "a", 1), "transformer");
  EXPECT_EQ(slates.credit("r1", "b", 1), "popular");
  EXPECT_EQ(slates.credit("r1", "z", 2), "not_in_slate");
  EXPECT_EQ(slates.credit("r1", "", 1), "slate");
  EXPECT_EQ(slates.credit("r2", "a", 1), std::nullopt);
  EXPECT_EQ(slates.find("r1")->feedback_users, (std::vector<UserId>{1, 2}));
}

TEST(Feedback, OldestSlateGivesWay) {
  RecentSlates slates(2);
  for (const char* id : {"r1", "r2", "r3"}) slates.add(slate(id));
  EXPECT_EQ(slates.size(), 2u);
  EXPECT_FALSE(slates.find("r1"));
  EXPECT_TRUE(slates.find("r2"));
  EXPECT_TRUE(slates.find("r3"));
}

TEST(Feedback, LargeSlatesGiveWaySooner) {
  RecentSlates slates(4);
  for (const char* id : {"r1", "r2", "r3"}) {
    ServedSlate large = slate(id);
    large.slate.context = std::string(1500, 'x');
    slates.add(std::move(large));
  }
  EXPECT_EQ(slates.size(), 2u) << "4 KB hold two of them";
  slates.forget_user("u");
  slates.add(slate("r4"));
  EXPECT_EQ(slates.size(), 1u);
}

TEST(Feedback, SameIdAgainTakesNoSecondPlace) {
  RecentSlates slates(2);
  slates.add(slate("r1"));
  slates.add(slate("r1", "other"));
  slates.add(slate("r2"));
  EXPECT_EQ(slates.find("r1")->user, "other");
  EXPECT_EQ(slates.size(), 2u);
}

TEST(Feedback, ForgottenUserLeavesNoSlate) {
  RecentSlates slates(3);
  slates.add(slate("r1", "una"));
  slates.add(slate("r2", "otto"));
  slates.forget_user("una");
  EXPECT_FALSE(slates.find("r1"));
  EXPECT_TRUE(slates.find("r2"));
  for (const char* id : {"r3", "r4"}) slates.add(slate(id));
  EXPECT_LE(slates.size(), 3u);
}

}  // namespace
}  // namespace perennial
