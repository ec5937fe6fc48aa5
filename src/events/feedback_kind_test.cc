#include "events/feedback_kind.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

TEST(Feedback, KindsAreThoseOfSegmentsCommerceEvents) {
  EXPECT_EQ(feedback_kind("Product List Viewed"), FeedbackKind::impression);
  EXPECT_EQ(feedback_kind("Product Clicked"), FeedbackKind::click);
  EXPECT_EQ(feedback_kind("product_clicked"), FeedbackKind::click);
  EXPECT_EQ(feedback_kind("Order Completed"), FeedbackKind::order);
  EXPECT_EQ(feedback_kind("buy"), FeedbackKind::order);
  EXPECT_EQ(feedback_kind("Product Reviewed"), FeedbackKind::rating);
  EXPECT_EQ(feedback_kind("Signed Up"), FeedbackKind::other);
  EXPECT_EQ(feedback_kind(""), FeedbackKind::other);
}

}  // namespace
}  // namespace perennial
