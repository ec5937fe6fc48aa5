#include "events/roles.h"

#include <gtest/gtest.h>

#include "events/test_files.h"

namespace perennial {
namespace {

TEST(EventRoles, OrdersAreTokensTargetsAndValue) {
  const EventRole role = EventRoles().role_of("Order Completed");
  EXPECT_TRUE(role.token && role.target && role.value && !role.negative);
}

TEST(EventRoles, UnknownTypesAreBehaviour) {
  const EventRole role = EventRoles().role_of("Sofa Tried Out");
  EXPECT_TRUE(role.token && role.target && !role.value && !role.negative);
}

TEST(EventRoles, RefundsAreValueAndNegativeButNoTokens) {
  EXPECT_EQ(EventRoles().role_of("Order Refunded"), (EventRole{.value = true, .negative = true}));
  EXPECT_EQ(EventRoles().role_of("Order Cancelled"), (EventRole{.value = true}));
  EXPECT_TRUE(is_refund_type("Order Refunded") && is_refund_type("Order Cancelled"));
  EXPECT_FALSE(is_refund_type("Order Completed"));
}

TEST(EventRoles, DislikesAreNegativeAndRemovalsFromACartNothing) {
  EXPECT_EQ(EventRoles().role_of("Not Interested"), (EventRole{.negative = true}));
  EXPECT_EQ(EventRoles().role_of("Product Removed"), EventRole());
}

TEST(EventRoles, ImpressionsViewsOfPagesAndMessagesAreIgnored) {
  for (const char* type :
       {"Product List Viewed", "Promotion Viewed", "impression", "Page Viewed", "Screen Viewed", "page", "screen",
        "Email Opened", "Email Anything At All", "Push Notification Tapped", "Application Opened", "Signed Up"})
    EXPECT_EQ(EventRoles().role_of(type), EventRole()) << type;
}

TEST(EventRoles, CaseAndUnderscoresDoNotMatter) {
  const EventRoles roles;
  for (const char* type : {"order_completed", "ORDER COMPLETED", "Order-Completed"})
    EXPECT_EQ(roles.role_of(type), roles.role_of("Order Completed")) << type;
  EXPECT_EQ(roles.role_of("page_view"), EventRole());
}

TEST(EventRoles, SetReplacesADefaultAndBeatsAFamily) {
  EventRoles roles;
  ASSERT_TRUE(roles.set("Email Opened", "token, value").ok());
  EXPECT_EQ(roles.role_of("email opened"), (EventRole{.token = true, .value = true}));
  ASSERT_TRUE(roles.set("purchase", "ignored").ok());
  EXPECT_EQ(roles.role_of("Purchase"), EventRole());
  ASSERT_TRUE(roles.set("x", "target").ok());
  EXPECT_TRUE(roles.role_of("x").token) << "a target is a token";
}

TEST(EventRoles, SetRefusesWhatItDoesNotKnow) {
  EventRoles roles;
  const std::string before = roles.fingerprint();
  EXPECT_TRUE(says(roles.set("view", "tokens"), "unknown role 'tokens'"));
  EXPECT_TRUE(says(roles.set("view", ""), "is empty"));
  EXPECT_TRUE(says(roles.set("view", "ignored token"), "stands alone"));
  EXPECT_FALSE(roles.set("", "token").ok());
  EXPECT_EQ(roles.fingerprint(), before);
}

TEST(EventRoles, FingerprintTellsTablesApart) {
  EventRoles one;
  EventRoles two;
  EXPECT_EQ(one.fingerprint(), two.fingerprint());
  ASSERT_TRUE(two.set("view", "token").ok());
  EXPECT_NE(one.fingerprint(), two.fingerprint());
  EXPECT_EQ(one.fingerprint().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace perennial
