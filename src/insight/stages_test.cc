// The reports against count_stages(), which looks at one date at a time.
#include "insight/stages.h"

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class StagesTest : public LivesFixture {};

Definition growing_definition() {
  Definition definition = small_definition();
  definition.rules[3] = parse_rule("growth(active) >= 1.5 over 15d", definition.signals).value();
  definition.rules[2] = parse_rule("days(active) >= 4 within 30d", definition.signals).value();
  return definition;
}

class GrowthTest : public LivesFixture {
 protected:
  GrowthTest() : LivesFixture(growing_definition()) {}
};

TEST_F(StagesTest, FlowsByHand) {
  event(1, "2025-01-01", "view");  // acquisition, then activation on January 20
  event(1, "2025-01-20", "order", 1000);
  event(2, "2025-01-05", "order", 1000);  // activation, then retention
  event(2, "2025-01-25", "order", 1000);
  event(3, "2025-01-06", "order", 1000);    // activation and silent: at risk
  event(4, "2025-01-15", "order", 60'000);  // new, straight to expansion
  event(5, "2025-02-15", "view");           // not yet
  const Table table = flows(lives_, at("2025-01-10"), at("2025-02-01")).value();
  ASSERT_EQ(table.rows.size(), kStages + 2);
  EXPECT_EQ(whole(table, row_of(table, "acquisition"), "activation"), 1);
  EXPECT_EQ(whole(table, row_of(table, "activation"), "users"), 2);
  EXPECT_EQ(whole(table, row_of(table, "activation"), "retention"), 1);
  EXPECT_EQ(whole(table, row_of(table, "activation"), "activation"), 1);
  EXPECT_EQ(whole(table, row_of(table, "activation"), "became_at_risk"), 1);
  EXPECT_EQ(whole(table, row_of(table, "new"), "expansion"), 1);
  EXPECT_EQ(whole(table, row_of(table, "new"), "users"), 1);
  EXPECT_EQ(whole(table, row_of(table, "all"), "users"), 4);
}

TEST_F(StagesTest, FlowsNeedAPeriod) {
  event(1, "2025-01-01", "view");
  EXPECT_EQ(flows(lives_, at("2025-02-01"), at("2025-02-01")).status().code(), Code::invalid_argument);
}

TEST_F(StagesTest, FlowsAreTheDifferencesOfTheStages) {
  Random random(41);
  random_lives(random, 300);
  for (int i = 0; i < 20; ++i) {
    const TimeMs since = at("2025-01-01") + static_cast<TimeMs>(random.below(250)) * kDayMs;
    const TimeMs now = since + static_cast<TimeMs>(1 + random.below(90)) * kDayMs;
    const StageCounts before = count_stages(lives_, since);
    const StageCounts after = count_stages(lives_, now);
    const Table table = flows(lives_, since, now).value();
    for (size_t stage = 0; stage < kStages; ++stage) {
      const char* name = stage_name(static_cast<Stage>(stage));
      EXPECT_EQ(whole(table, row_of(table, name), "users"), before.in(static_cast<Stage>(stage)));
      EXPECT_EQ(whole(table, row_of(table, "all"), name), after.in(static_cast<Stage>(stage)));
    }
    EXPECT_EQ(whole(table, row_of(table, "new"), "users"), after.all() - before.all());
  }
}

TEST_F(StagesTest, HistoryIsWhatEachDateCounts) {
  Random random(42);
  random_lives(random, 300);
  event(500, kNoTime, "view");  // at no date
  std::vector<TimeMs> instants;
  for (TimeMs time = at("2024-12-20"); time < at("2025-12-01"); time += 9 * kDayMs + 12'345) instants.push_back(time);
  const std::vector<StageCounts> history = stage_history(lives_, instants);
  int64_t overlays = 0;
  for (size_t i = 0; i < instants.size(); ++i) {
    EXPECT_EQ(history[i].users, count_stages(lives_, instants[i]).users) << format_iso8601(instants[i]);
    for (const auto& of_stage : history[i].users) overlays += of_stage[1] + of_stage[2] + of_stage[3];
  }
  EXPECT_GT(overlays, 0);
}

TEST_F(GrowthTest, HistoryIsWhatEachDateCounts) {
  Random random(43);
  random_lives(random, 300);
  std::vector<TimeMs> instants;
  for (TimeMs time = at("2025-01-01"); time < at("2025-12-01"); time += kDayMs) instants.push_back(time);
  const std::vector<StageCounts> history = stage_history(lives_, instants);
  int64_t grown = 0;
  for (size_t i = 0; i < instants.size(); ++i) {
    ASSERT_EQ(history[i].users, count_stages(lives_, instants[i]).users) << format_iso8601(instants[i]);
    grown += history[i].in(Stage::expansion);
  }
  EXPECT_GT(grown, 0);
}

TEST_F(StagesTest, RowsAreTheFirstsOfMonthsAndNow) {
  event(1, "2025-01-10", "order", 100);
  event(2, "2025-02-01", "view");
  const Table table = stages_over_time(lives_, {}, at("2025-03-15")).value();
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(whole(table, 0, "at"), at("2025-02-01"));
  EXPECT_EQ(whole(table, 1, "at"), at("2025-03-01"));
  EXPECT_EQ(whole(table, 2, "at"), at("2025-03-15"));
  EXPECT_EQ(whole(table, 0, "users"), 2) << "as lifecycle report --at 2025-02-01 says";
  EXPECT_EQ(whole(table, 2, "activation"), 1);
  EXPECT_EQ(whole(table, 2, "churned"), 1);
  EXPECT_EQ(stages_over_time(lives_, {}, at("2025-03-01")).value().rows.size(), 2U) << "now is a first: once";
  EXPECT_EQ(stages_over_time(lives_, {Interval::week, 4}, at("2025-03-15")).value().rows.size(), 4U);
}

TEST_F(StagesTest, TodayHasAHistory) {
  event(1, "2025-01-10", "order", 100);
  event(2, "2025-02-10", "order", 100);
  const Table table = stages_today(lives_, {}, at("2025-03-01")).value();
  ASSERT_EQ(table.rows.size(), kStages);
  EXPECT_EQ(whole(table, 1, "users"), 2);
  EXPECT_DOUBLE_EQ(real(table, 1, "share"), 1);
  EXPECT_EQ(std::get<Series>(cell_of(table, 1, "history").value), (Series{1, 2}));
  EXPECT_EQ(whole(table, 1, "churned"), 1);
}

TEST_F(StagesTest, BeforeAnybodyThereIsNothing) {
  EXPECT_TRUE(stages_today(lives_, {}, at("2025-03-01")).value().rows.empty());
  event(1, "2025-01-10", "order", 100);
  EXPECT_TRUE(stages_over_time(lives_, {}, at("2024-03-01")).value().rows.empty());
  EXPECT_EQ(stages_over_time(lives_, {}, at("2025-01-10")).value().rows.size(), 1U) << "the instant of the first";
}

TEST_F(StagesTest, UsersWithoutATimeAreAtNoDateAndTheSummarySaysSo) {
  event(1, "2025-01-10", "order", 100);
  EXPECT_EQ(to_text(stages_today(lives_, {}, at("2025-03-01")).value()).find("without a time"), std::string::npos);
  event(2, kNoTime, "order", 100);
  const Table today = stages_today(lives_, {}, at("2025-03-01")).value();
  EXPECT_EQ(whole(today, 0, "users") + whole(today, 1, "users"), 1);
  EXPECT_NE(to_text(today).find("1 user is known without a time and is not counted."), std::string::npos);
  event(3, kNoTime, "view");
  EXPECT_NE(to_text(stages_today(lives_, {}, at("2025-03-01")).value())
                .find("2 users are known without a time and are not counted."),
            std::string::npos);
  const Table moved = flows(lives_, at("2025-01-01"), at("2025-02-01")).value();
  EXPECT_EQ(whole(moved, row_of(moved, "acquisition"), "users"), 0);
  EXPECT_EQ(whole(moved, row_of(moved, "new"), "users"), 1);
  EXPECT_EQ(whole(stages_over_time(lives_, {}, at("2025-03-01")).value(), 0, "users"), 1);
}

TEST_F(StagesTest, WithoutTimesThereIsNoLife) {
  event(1, kNoTime, "order", 100);
  EXPECT_EQ(stages_today(lives_, {}, at("2025-03-01")).status().code(), Code::failed_precondition);
}

}  // namespace
}  // namespace perennial
