#include "insight/revenue.h"

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class RevenueTest : public LivesFixture {};

TEST_F(RevenueTest, TheStageIsThatJustBeforeTheOrder) {
  event(1, "2025-01-10", "order", 1000);  // acquisition
  event(1, "2025-01-20", "order", 2000);  // activation
  event(1, "2025-01-20", "order", 500);   // a second line of that order
  event(1, "2025-02-01", "order", 4000);  // retention
  event(2, "2025-02-05", "order", 60'000);
  event(2, "2025-02-06", "order", 100);  // expansion
  const Table table = revenue_by_stage(lives_, {}, "EUR", at("2025-03-01")).value();
  EXPECT_EQ(whole(table, 0, "all"), 3500);
  EXPECT_EQ(whole(table, 0, "acquisition"), 1000);
  EXPECT_EQ(whole(table, 0, "activation"), 2500);
  EXPECT_EQ(whole(table, 1, "acquisition"), 60'000);
  EXPECT_EQ(whole(table, 1, "retention"), 4000);
  EXPECT_EQ(whole(table, 1, "expansion"), 100);
  EXPECT_EQ(whole(table, 1, "all"), 64'100);
}

TEST_F(RevenueTest, WonBackIsMoneyOfThoseWhoHadChurned) {
  event(1, "2025-01-01", "order", 1000);
  event(1, "2025-03-01", "order", 2000);  // churned until then
  event(2, "2025-01-01", "order", 1000);
  event(2, "2025-03-02", "view");
  event(2, "2025-03-03", "order", 300);  // won back the day before
  event(2, "2025-03-30", "order", 50);   // that is over
  const Table table = revenue_by_stage(lives_, {}, "EUR", at("2025-04-01")).value();
  EXPECT_EQ(whole(table, 0, "of_won_back"), 0);
  EXPECT_EQ(whole(table, 2, "of_won_back"), 2300);
  EXPECT_EQ(whole(table, 2, "all"), 2350);
}

TEST_F(RevenueTest, CohortsHaveTheirMoneyByMonthAfter) {
  event(1, "2025-01-31", "view");
  event(1, "2025-02-01", "order", 1000);
  event(2, "2025-01-01", "order", 501);
  event(2, "2025-03-10", "order", 2000);
  event(3, "2025-03-01", "order", 700);
  const Table table = revenue_by_cohort(lives_, {}, "EUR", at("2025-03-15")).value();
  const size_t january = row_of(table, "2025-01");
  EXPECT_EQ(whole(table, january, "users"), 2);
  EXPECT_EQ(whole(table, january, "all"), 3501);
  EXPECT_EQ(whole(table, january, "per_user"), 1750);
  EXPECT_EQ(whole(table, january, "month_0"), 501);
  EXPECT_EQ(whole(table, january, "month_1"), 1000);
  EXPECT_EQ(whole(table, january, "month_2"), 2000);
  EXPECT_TRUE(cell_of(table, january, "month_2").incomplete);
  EXPECT_FALSE(cell_of(table, january, "month_1").incomplete);
  EXPECT_EQ(whole(table, row_of(table, "2025-02"), "users"), 0);
  EXPECT_TRUE(blank(table, row_of(table, "2025-02"), "per_user"));
  EXPECT_TRUE(blank(table, row_of(table, "2025-03"), "month_1"));
}

TEST_F(RevenueTest, AFactBeforeTheFirstEventIsOfTheFirstInterval) {
  name_users(2);
  invited(0, "2025-01-05", "u1");
  event(1, "2025-02-10", "invite", 700);
  const Table table = revenue_by_cohort(lives_, {{}, "referral"}, "EUR", at("2025-03-01")).value();
  EXPECT_EQ(whole(table, row_of(table, "2025-01"), "all"), 0);
  EXPECT_EQ(whole(table, row_of(table, "2025-02"), "month_0"), 700);
}

TEST_F(RevenueTest, WhereTheLogBeginsWithinIsMarked) {
  event(1, "2025-01-20", "order", 700);
  event(1, "2025-02-20", "order", 700);
  const Table table = revenue_by_stage(lives_, {}, "EUR", at("2025-03-01")).value();
  EXPECT_TRUE(cell_of(table, 0, "all").incomplete);
  EXPECT_FALSE(cell_of(table, 1, "all").incomplete);
}

TEST_F(RevenueTest, BothCountTheSameMoney) {
  Random random(61);
  random_lives(random, 200);
  const TimeMs now = at("2026-01-15");
  const Table stages = revenue_by_stage(lives_, {{Interval::week, 200}, "value"}, "EUR", now).value();
  const Table cohorts = revenue_by_cohort(lives_, {{Interval::week, 200}, "value"}, "EUR", now).value();
  int64_t of_stages = 0;
  int64_t of_rows = 0;
  int64_t of_cohorts = 0;
  int64_t of_lives = 0;
  for (size_t row = 0; row < stages.rows.size(); ++row) {
    of_rows += whole(stages, row, "all");
    for (size_t stage = 0; stage < kStages; ++stage)
      of_stages += whole(stages, row, stage_name(static_cast<Stage>(stage)));
  }
  for (size_t row = 0; row < cohorts.rows.size(); ++row) of_cohorts += whole(cohorts, row, "all");
  lives_.for_each([&](UserId, const Life& life) {
    const std::span<const Fact> facts = life.facts.of(1);
    of_lives += money_between(facts, 0, count_until(facts, now));
  });
  EXPECT_GT(of_lives, 0);
  EXPECT_EQ(of_rows, of_lives);
  EXPECT_EQ(of_stages, of_lives);
  EXPECT_EQ(of_cohorts, of_lives);
}

}  // namespace
}  // namespace perennial
