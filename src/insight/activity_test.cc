#include "insight/activity.h"

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class ActivityTest : public LivesFixture {};

TEST_F(ActivityTest, NewReturningResurrectingDormantByHand) {
  // months:  1: Jan Feb . Apr; 2: Feb; 3: Feb Mar; 4: Jan
  for (const char* day : {"2025-01-31T23:59:59.999Z", "2025-02-01", "2025-02-20", "2025-04-30"}) event(1, day, "view");
  event(2, "2025-02-28", "view");
  event(3, "2025-02-02", "view");
  event(3, "2025-03-01", "order", 100);
  event(4, "2025-01-01", "view");
  const Table table = activity(lives_, {}, at("2025-05-01")).value();
  ASSERT_EQ(table.rows.size(), 4U);
  const auto expect = [&](const char* month, int64_t fresh, int64_t returning, int64_t resurrecting, int64_t dormant) {
    SCOPED_TRACE(month);
    const size_t row = row_of(table, month);
    EXPECT_EQ(whole(table, row, "new"), fresh);
    EXPECT_EQ(whole(table, row, "returning"), returning);
    EXPECT_EQ(whole(table, row, "resurrecting"), resurrecting);
    EXPECT_EQ(whole(table, row, "dormant"), dormant);
    EXPECT_FALSE(cell_of(table, row, "active").incomplete);
  };
  expect("2025-01", 2, 0, 0, 0);
  expect("2025-02", 2, 1, 0, 1);
  expect("2025-03", 0, 1, 0, 2);
  expect("2025-04", 0, 0, 1, 1);
  EXPECT_TRUE(blank(table, 0, "churn_rate")) << "nobody was active before";
  EXPECT_DOUBLE_EQ(real(table, 1, "churn_rate"), 1.0 / 2);
  EXPECT_DOUBLE_EQ(real(table, 2, "churn_rate"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(real(table, 1, "quick_ratio"), 2);
}

TEST_F(ActivityTest, TheSignalIsTheOneAskedFor) {
  event(1, "2025-01-05", "view");
  event(1, "2025-02-05", "order", 100);
  const Table table = activity(lives_, {{}, "value"}, at("2025-03-01")).value();
  EXPECT_EQ(whole(table, 0, "active"), 0);
  EXPECT_EQ(whole(table, 1, "new"), 1) << "new to buying, though seen before";
  EXPECT_EQ(activity(lives_, {{}, "nothing"}, at("2025-03-01")).status().code(), Code::invalid_argument);
}

TEST_F(ActivityTest, WhatIsNotOverIsMarkedAndTheFutureUnknown) {
  event(1, "2025-01-05", "view");
  event(1, "2025-02-10", "view");
  const Table table = activity(lives_, {}, at("2025-02-09")).value();
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(whole(table, 1, "active"), 0) << "the event of the tenth is not known on the ninth";
  EXPECT_TRUE(cell_of(table, 1, "dormant").incomplete);
  EXPECT_TRUE(cell_of(table, 1, "churn_rate").incomplete);
}

TEST_F(ActivityTest, TheFirstRowKnowsWhatWasBeforeIt) {
  event(1, "2025-01-05", "view");
  event(1, "2025-02-05", "view");
  event(2, "2025-01-05", "view");
  const Table table = activity(lives_, {{Interval::month, 1}, ""}, at("2025-03-01")).value();
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(whole(table, 0, "returning"), 1);
  EXPECT_EQ(whole(table, 0, "dormant"), 1);
  EXPECT_DOUBLE_EQ(real(table, 0, "churn_rate"), 0.5);
}

TEST_F(ActivityTest, AMergedUserIsOne) {
  event(1, "2025-01-05", "view");
  event(2, "2025-02-05", "view");
  merge(1, 2);
  const Table table = activity(lives_, {}, at("2025-03-01")).value();
  EXPECT_EQ(whole(table, 0, "new"), 1);
  EXPECT_EQ(whole(table, 1, "returning"), 1);
}

TEST_F(ActivityTest, WhereTheLogBeginsWithinIsMarkedAndWhatIsComparedWithIt) {
  for (const char* day : {"2025-01-25T10:00:00Z", "2025-02-10", "2025-03-10"}) event(1, day, "view");
  event(2, "2025-01-31", "view");
  const Table table = activity(lives_, {}, at("2025-04-01")).value();
  for (const char* name : {"active", "new"}) {
    EXPECT_TRUE(cell_of(table, 0, name).incomplete) << name;
    EXPECT_FALSE(cell_of(table, 1, name).incomplete) << name;
  }
  for (const char* name : {"returning", "dormant", "churn_rate", "quick_ratio"}) {
    EXPECT_TRUE(cell_of(table, 1, name).incomplete) << name;
    EXPECT_FALSE(cell_of(table, 2, name).incomplete) << name;
  }
  EXPECT_NE(to_text(table).find("The log begins on 2025-01-25"), std::string::npos);
  const Table later = activity(lives_, {{Interval::month, 2}, ""}, at("2025-04-01")).value();
  EXPECT_TRUE(cell_of(later, 0, "churn_rate").incomplete) << "also where the month before is not shown";
}

TEST_F(ActivityTest, ALogThatBeginsOnTheFirstDayIsWhole) {
  event(1, "2025-01-01T09:00:00Z", "view");
  event(1, "2025-02-01", "view");
  const Table table = activity(lives_, {}, at("2025-03-01")).value();
  EXPECT_FALSE(cell_of(table, 0, "active").incomplete);
  EXPECT_FALSE(cell_of(table, 1, "churn_rate").incomplete);
  EXPECT_EQ(to_text(table).find("The log begins"), std::string::npos);
}

TEST_F(ActivityTest, AUserIsThereFromTheFirstEventOn) {
  name_users(2);
  event(1, "2025-02-10", "view");
  invited(0, "2025-01-05", "u1");
  const Table table = activity(lives_, {{}, "referral"}, at("2025-03-01")).value();
  EXPECT_EQ(whole(table, 0, "active"), 0) << "the inviter was not there yet";
  EXPECT_EQ(whole(table, 1, "new"), 1);
  EXPECT_EQ(whole(activity(lives_, {{}, "referral"}, at("2025-02-01")).value(), 0, "active"), 0);
}

TEST_F(ActivityTest, NobodyAndNoTimes) {
  EXPECT_TRUE(activity(lives_, {}, at("2025-03-01")).value().rows.empty());
  event(1, kNoTime, "view");
  const auto none = activity(lives_, {}, at("2025-03-01"));
  EXPECT_EQ(none.status().code(), Code::failed_precondition);
  EXPECT_NE(none.status().message().find("timestamp"), std::string::npos);
}

TEST_F(ActivityTest, SumsAgreeForRandomLives) {
  Random random(11);
  random_lives(random, 200);
  for (const Interval interval : {Interval::day, Interval::week, Interval::month}) {
    const Table table = activity(lives_, {{interval, 400}, ""}, at("2025-09-17T11:00:00Z")).value();
    ASSERT_GT(table.rows.size(), 5U);
    for (size_t i = 0; i < table.rows.size(); ++i) {
      EXPECT_EQ(whole(table, i, "active"),
                whole(table, i, "new") + whole(table, i, "returning") + whole(table, i, "resurrecting"));
      if (i == 0) continue;
      EXPECT_EQ(whole(table, i - 1, "active"), whole(table, i, "returning") + whole(table, i, "dormant"))
          << "who was active before stayed or went";
    }
  }
}

}  // namespace
}  // namespace perennial
