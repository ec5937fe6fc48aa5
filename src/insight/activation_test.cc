#include "insight/activation.h"

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

class ActivationTest : public LivesFixture {};

TEST_F(ActivationTest, TheFirstActivationIsTheFirstTransition) {
  Random random(51);
  random_lives(random, 300);
  Definition definition = small_definition();
  // Growth can come about by time alone, and windows end.
  definition.rules[1] = parse_rule("growth(active) >= 2 over 10d or value >= 3 within 12d", definition.signals).value();
  int activated = 0;
  int before = 0;  // they were first seen
  for (const Definition& each : {small_definition(), definition}) {
    lives_.for_each([&](UserId user, const Life& life) {
      for (const TimeMs until : {at("2025-03-01"), at("2025-12-01")}) {
        const std::vector<Transition> changes = transitions(each, life.facts, until);
        const auto time = activation_time(each, life, until);
        ASSERT_EQ(time.has_value(), !changes.empty() && life.first_seen <= until) << user;
        if (time) {
          EXPECT_EQ(*time, std::max(changes.front().time, life.first_seen)) << user;
          before += changes.front().time < life.first_seen ? 1 : 0;
        }
        activated += time ? 1 : 0;
      }
    });
  }
  EXPECT_GT(activated, 200);
  EXPECT_GT(before, 0);
}

TEST_F(ActivationTest, UsersNotActivatedAreCountedForAsLongAsTheyWereWatched) {
  // As of day 11, five times: activated after 1 and 3 days; watched 2 and 5 days without; activated after 3 again.
  for (UserId five = 0; five < 25; five += 5) {
    event(five, "2025-01-01", "view");
    event(five, "2025-01-02", "order", 100);
    event(five + 1, "2025-01-01", "view");
    event(five + 1, "2025-01-04", "order", 100);
    event(five + 2, "2025-01-02", "view");
    event(five + 2, "2025-01-05", "order", 100);
    event(five + 3, "2025-01-09", "view");
    event(five + 4, "2025-01-06", "view");
    event(five + 4, "2025-01-20", "order", 100);  // not known yet
  }
  const Table table = time_to_activation(lives_, {}, at("2025-01-11")).value();
  const size_t all = row_of(table, "all");
  EXPECT_EQ(whole(table, all, "users"), 25);
  EXPECT_EQ(whole(table, all, "activated"), 15);
  EXPECT_TRUE(cell_of(table, all, "activated").incomplete) << "ten may still be";
  EXPECT_TRUE(cell_of(table, row_of(table, "2025-01"), "activated").incomplete);
  EXPECT_DOUBLE_EQ(real(table, all, "within_1_days"), 0.2);
  EXPECT_TRUE(blank(table, all, "within_7_days")) << "nobody without was watched for so long";
  EXPECT_DOUBLE_EQ(real(table, all, "lower_quartile_days"), 3);
  EXPECT_DOUBLE_EQ(real(table, all, "median_days"), 3) << "1 - 4/5 * 1/3";
  EXPECT_TRUE(blank(table, all, "upper_quartile_days"));
}

TEST_F(ActivationTest, CohortsAreByFirstEvent) {
  event(1, "2025-01-31", "view");
  event(1, "2025-02-02", "order", 100);
  event(2, "2025-02-01", "order", 100);
  const Table table = time_to_activation(lives_, {}, at("2025-03-01")).value();
  EXPECT_DOUBLE_EQ(real(table, row_of(table, "2025-01"), "median_days"), 2);
  EXPECT_DOUBLE_EQ(real(table, row_of(table, "2025-02"), "median_days"), 0) << "the first event was an order";
  EXPECT_FALSE(cell_of(table, row_of(table, "2025-02"), "users").incomplete);
  EXPECT_FALSE(cell_of(table, row_of(table, "2025-02"), "activated").incomplete) << "all of them are";
}

TEST_F(ActivationTest, NobodyIsActivatedBeforeTheFirstEvent) {
  name_users(12);
  for (UserId user = 0; user < 6; ++user) {
    invited(user, "2025-01-10", fmt::format("u{}", user + 6));
    event(user + 6, "2025-02-10", "view");
  }
  const Table table = time_to_activation(lives_, {}, at("2025-03-01")).value();
  const size_t inviters = row_of(table, "2025-02");
  EXPECT_EQ(whole(table, inviters, "activated"), 6);
  EXPECT_DOUBLE_EQ(real(table, inviters, "within_1_days"), 1);
  EXPECT_DOUBLE_EQ(real(table, inviters, "median_days"), 0) << "as soon as they are there";
}

TEST_F(ActivationTest, NobodyIsNothing) {
  EXPECT_TRUE(time_to_activation(lives_, {}, at("2025-03-01")).value().rows.empty());
}

}  // namespace
}  // namespace perennial
