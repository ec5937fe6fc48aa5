#include "insight/retention.h"

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class RetentionTest : public LivesFixture {
 protected:
  /// Cohort January: users 1, 2, 3; February: user 4.
  void four_users() {
    for (const char* day : {"2025-01-10", "2025-02-10", "2025-04-02"}) event(1, day, "view");
    event(2, "2025-01-31T23:59:59Z", "view");
    event(2, "2025-03-01", "order", 100);
    event(3, "2025-01-01", "view");
    event(4, "2025-02-01", "view");
    event(4, "2025-03-31", "view");
  }
};

TEST_F(RetentionTest, OnCountsExactlyTheInterval) {
  four_users();
  const Table table = retention(lives_, {}, at("2025-04-15")).value();
  const size_t january = row_of(table, "2025-01");
  EXPECT_EQ(whole(table, january, "users"), 3);
  EXPECT_DOUBLE_EQ(real(table, january, "month_0"), 1);
  EXPECT_DOUBLE_EQ(real(table, january, "month_1"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(real(table, january, "month_2"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(real(table, january, "month_3"), 1.0 / 3);
  const size_t february = row_of(table, "2025-02");
  EXPECT_DOUBLE_EQ(real(table, february, "month_1"), 1);
  EXPECT_TRUE(blank(table, february, "month_3"));
}

TEST_F(RetentionTest, OnOrAfterCountsLaterIntervalsToo) {
  four_users();
  const Table table = retention(lives_, {.variant = RetentionVariant::on_or_after}, at("2025-04-15")).value();
  const size_t january = row_of(table, "2025-01");
  EXPECT_DOUBLE_EQ(real(table, january, "month_0"), 1);
  EXPECT_DOUBLE_EQ(real(table, january, "month_1"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(real(table, january, "month_2"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(real(table, january, "month_3"), 1.0 / 3);
}

TEST_F(RetentionTest, OnOrAfterCanStillRiseUnlessItIsEverybody) {
  four_users();
  const Table table = retention(lives_, {.variant = RetentionVariant::on_or_after}, at("2025-05-01")).value();
  const size_t january = row_of(table, "2025-01");
  EXPECT_FALSE(cell_of(table, january, "month_0").incomplete);
  for (const char* month : {"month_1", "month_2", "month_3"}) {
    EXPECT_TRUE(cell_of(table, january, month).incomplete) << "user 3 may come back: " << month;
    EXPECT_TRUE(cell_of(table, row_of(table, "all"), month).incomplete) << month;
  }
  EXPECT_FALSE(cell_of(table, row_of(table, "2025-02"), "month_1").incomplete) << "all of the cohort came";
  const Table value =
      retention(lives_, {.variant = RetentionVariant::on_or_after, .signal = "value"}, at("2025-05-01")).value();
  EXPECT_TRUE(cell_of(value, january, "month_0").incomplete) << "whoever buys later raises the beginning too";
  EXPECT_FALSE(cell_of(retention(lives_, {}, at("2025-05-01")).value(), january, "month_2").incomplete);
}

TEST_F(RetentionTest, WhatIsNotOverIsMarkedAndNotInAll) {
  four_users();
  const Table table = retention(lives_, {}, at("2025-04-15")).value();
  EXPECT_TRUE(cell_of(table, row_of(table, "2025-01"), "month_3").incomplete);
  EXPECT_FALSE(cell_of(table, row_of(table, "2025-01"), "month_2").incomplete);
  EXPECT_TRUE(cell_of(table, row_of(table, "2025-02"), "month_2").incomplete);
  const size_t all = row_of(table, "all");
  EXPECT_EQ(whole(table, all, "users"), 4);
  EXPECT_DOUBLE_EQ(real(table, all, "month_1"), 2.0 / 4) << "user 1 and user 4 of four";
  EXPECT_DOUBLE_EQ(real(table, all, "month_2"), 1.0 / 3) << "only January has a month 2 that is over";
  EXPECT_TRUE(blank(table, all, "month_3"));
}

TEST_F(RetentionTest, TheSignalAndTheCohortAreThoseAskedFor) {
  four_users();
  const Table value = retention(lives_, {.signal = "value"}, at("2025-04-15")).value();
  EXPECT_DOUBLE_EQ(real(value, row_of(value, "2025-01"), "month_0"), 0);
  EXPECT_DOUBLE_EQ(real(value, row_of(value, "2025-01"), "month_2"), 1.0 / 3);
  const Table activated = retention(lives_, {.cohort = CohortEvent::activation}, at("2025-04-15")).value();
  EXPECT_EQ(whole(activated, row_of(activated, "all"), "users"), 1) << "only user 2 ever bought, in March";
  EXPECT_EQ(whole(activated, row_of(activated, "2025-03"), "users"), 1);
  EXPECT_FALSE(retention(lives_, {.signal = "nothing"}, at("2025-04-15")).ok());
}

TEST_F(RetentionTest, WeeksAreThoseOfTheCalendar) {
  event(1, "2026-03-01", "view");  // Sunday
  event(1, "2026-03-02", "view");  // Monday: the next week
  const Table table = retention(lives_, {.intervals = {Interval::week, 12}}, at("2026-03-09")).value();
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_DOUBLE_EQ(real(table, row_of(table, "2026-02-23"), "week_1"), 1);
  EXPECT_EQ(whole(table, row_of(table, "2026-03-02"), "users"), 0);
  EXPECT_TRUE(blank(table, row_of(table, "2026-03-02"), "week_0")) << "of nobody there is no share";
}

TEST_F(RetentionTest, AFactBeforeTheFirstEventIsOfTheFirstInterval) {
  name_users(2);
  invited(0, "2025-01-05", "u1");
  event(1, "2025-02-10", "view");
  for (const CohortEvent cohort : {CohortEvent::first_seen, CohortEvent::activation}) {
    const Table table = retention(lives_, {.cohort = cohort, .signal = "referral"}, at("2025-03-01")).value();
    EXPECT_EQ(whole(table, row_of(table, "2025-02"), "users"), 1);
    EXPECT_DOUBLE_EQ(real(table, row_of(table, "2025-02"), "month_0"), 1);
  }
}

TEST_F(RetentionTest, OnOrAfterIsNeverLessThanOnAndFalls) {
  Random random(21);
  random_lives(random, 150);
  const TimeMs now = at("2025-09-17");
  const Table on = retention(lives_, {}, now).value();
  const Table after = retention(lives_, {.variant = RetentionVariant::on_or_after}, now).value();
  for (size_t row = 1; row < on.rows.size(); ++row) {
    double before = 1;
    for (size_t i = 2; i < on.columns.size(); ++i) {
      if (std::holds_alternative<std::monostate>(on.rows[row][i].value)) continue;
      const double share = std::get<double>(after.rows[row][i].value);
      EXPECT_GE(share, std::get<double>(on.rows[row][i].value));
      EXPECT_LE(share, before);
      before = share;
    }
  }
}

}  // namespace
}  // namespace perennial
