#include "insight/stickiness.h"

#include <set>

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class StickinessTest : public LivesFixture {};

TEST_F(StickinessTest, ByHand) {
  // February 2025 has 28 days. User 1 is there on 3 days, twice on one; user 2 on one, and on the last of January.
  for (const char* time : {"2025-02-01", "2025-02-01T10:00:00Z", "2025-02-03", "2025-02-27"}) event(1, time, "view");
  event(2, "2025-01-31T23:59:59Z", "view");
  event(2, "2025-02-28", "view");
  const Table table = stickiness(lives_, {}, at("2025-03-01")).value();
  const size_t february = row_of(table, "2025-02");
  EXPECT_EQ(whole(table, february, "mau"), 2);
  EXPECT_DOUBLE_EQ(real(table, february, "dau"), 4.0 / 28);
  // Days with user 1 in the seven days up to them: 1-9, 27, 28; with user 2: 1-6 (from January), 28.
  EXPECT_DOUBLE_EQ(real(table, february, "wau"), (9 + 2 + 6 + 1) / 28.0);
  EXPECT_DOUBLE_EQ(real(table, february, "dau_mau"), 4.0 / (2 * 28));
  EXPECT_DOUBLE_EQ(real(table, february, "dau_wau"), 4.0 / 18);
  EXPECT_DOUBLE_EQ(real(table, february, "share_1_day"), 0.5);
  EXPECT_DOUBLE_EQ(real(table, february, "share_2_to_3_days"), 0.5);
  const auto& by_days = std::get<Series>(cell_of(table, february, "users_by_active_days").value);
  ASSERT_EQ(by_days.size(), 31U);
  EXPECT_EQ(by_days[0], 1);
  EXPECT_EQ(by_days[2], 1);
}

TEST_F(StickinessTest, AMonthThatIsNotOverHasAsManyDaysAsBegan) {
  event(1, "2025-02-01", "view");
  event(1, "2025-02-02", "view");
  const Table table = stickiness(lives_, {}, at("2025-02-04T01:00:00Z")).value();
  EXPECT_DOUBLE_EQ(real(table, 0, "dau_mau"), 2.0 / 4);
  EXPECT_TRUE(cell_of(table, 0, "dau_mau").incomplete);
}

TEST_F(StickinessTest, TheFirstMonthHasTheDaysOfTheLog) {
  event(1, "2025-01-30T12:00:00Z", "view");
  event(1, "2025-01-31", "view");
  event(2, "2025-01-31", "view");
  event(1, "2025-02-01", "view");
  const Table table = stickiness(lives_, {}, at("2025-04-01")).value();
  EXPECT_DOUBLE_EQ(real(table, 0, "dau"), 3.0 / 2) << "of two days, not of 31";
  EXPECT_DOUBLE_EQ(real(table, 0, "wau"), 3.0 / 2);
  EXPECT_DOUBLE_EQ(real(table, 0, "dau_mau"), 3.0 / 4);
  EXPECT_TRUE(cell_of(table, 0, "mau").incomplete);
  EXPECT_FALSE(cell_of(table, 1, "mau").incomplete);
  EXPECT_TRUE(cell_of(table, 1, "wau").incomplete) << "its first weeks began before the log";
  EXPECT_TRUE(cell_of(table, 1, "dau_wau").incomplete);
  EXPECT_FALSE(cell_of(table, 2, "wau").incomplete);
}

TEST_F(StickinessTest, AUserIsThereFromTheFirstEventOn) {
  name_users(2);
  event(1, "2025-02-10", "view");
  invited(0, "2025-01-05", "u1");
  invited(2, "2025-02-12", "u1");
  const Table table = stickiness(lives_, {12, "referral"}, at("2025-03-01")).value();
  EXPECT_EQ(whole(table, 0, "mau"), 0);
  EXPECT_DOUBLE_EQ(real(table, 1, "share_2_to_3_days"), 1) << "its first day and the twelfth";
}

TEST_F(StickinessTest, AgreesWithCountingEveryDayAnew) {
  Random random(31);
  random_lives(random, 80);
  const TimeMs now = at("2025-08-20T12:00:00Z");
  const Table table = stickiness(lives_, {24, ""}, now).value();
  ASSERT_GE(table.rows.size(), 6U);
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const TimeMs start = std::max(whole(table, row, "month"), earliest_seen(lives_).value() / kDayMs * kDayMs);
    const TimeMs end =
        std::min(interval_start(Interval::month, interval_of(Interval::month, start) + 1), at("2025-08-21"));
    int64_t day_users = 0;
    int64_t week_users = 0;
    std::set<UserId> month_users;
    lives_.for_each([&](UserId user, const Life& life) {
      for (TimeMs day = start; day < end; day += kDayMs) {
        bool on_day = false;
        bool in_week = false;
        for (const Fact& fact : life.facts.of(0)) {
          if (fact.time > now) continue;
          on_day = on_day || (fact.time >= day && fact.time < day + kDayMs);
          in_week = in_week || (fact.time >= day - 6 * kDayMs && fact.time < day + kDayMs);
        }
        day_users += on_day ? 1 : 0;
        week_users += in_week ? 1 : 0;
        if (on_day) month_users.insert(user);
      }
    });
    const auto days = static_cast<double>((end - start) / kDayMs);
    EXPECT_EQ(whole(table, row, "mau"), static_cast<int64_t>(month_users.size()));
    EXPECT_NEAR(real(table, row, "dau"), static_cast<double>(day_users) / days, 1e-9);
    EXPECT_NEAR(real(table, row, "wau"), static_cast<double>(week_users) / days, 1e-9);
  }
}

}  // namespace
}  // namespace perennial
