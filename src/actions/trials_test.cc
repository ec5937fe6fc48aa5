#include "actions/trials.h"

#include <gtest/gtest.h>

#include "actions/actions_fixture.h"
#include "actions/users.h"
#include "base/random.h"

namespace perennial {
namespace {

using TrialsTest = ActionsFixture;

TEST_F(TrialsTest, ADrawBecomesARowWhenItsGoalsTimeIsOver) {
  event(1, kStart - kDay, "Product Viewed");
  drawn(1, kStart, 0, {{0, 0.3}, {1, 0.2}, {kDoNothing, 0.5}});
  event(1, kStart + 14 * kDay, "Order Completed", 5000);  // just in time
  EXPECT_EQ(trials_.of(letter(), lives_, kStart + 14 * kDay - 1).users(), 0U);
  const Trial trial = trials_.of(letter(), lives_, kStart + 14 * kDay);
  ASSERT_EQ(trial.users(), 1U);
  EXPECT_EQ(trial.dealt[0], 1);
  EXPECT_FLOAT_EQ(static_cast<float>(trial.chances(0, 0)), 0.5F);
  EXPECT_FLOAT_EQ(static_cast<float>(trial.chances(0, 1)), 0.3F);
  EXPECT_NEAR(trial.chances(0, 2), 0.2, 1e-6);
  EXPECT_EQ(trial.outcomes[0], 1);
  EXPECT_TRUE(check(trial).ok());
  const Trial of_note = trials_.of(note(), lives_, kStart + 30 * kDay);
  EXPECT_EQ(of_note.dealt[0], 2) << "another action than the one asked about";
  EXPECT_EQ(of_note.outcomes[0], 50) << "money, in major units";
}

TEST_F(TrialsTest, OnlyWhatComesAfterTheDrawAndWithinItsTimeCounts) {
  event(1, kStart, "Order Completed", 700);  // at the very moment: before
  event(1, kStart + 14 * kDay + 1, "Order Completed", 800);
  drawn(1, kStart, kDoNothing, {{0, 0.5}, {kDoNothing, 0.5}});
  EXPECT_EQ(trials_.of(letter(), lives_, kStart + 30 * kDay).outcomes[0], 0);
  EXPECT_EQ(trials_.of(letter(), lives_, kStart + 30 * kDay).dealt[0], 0);
}

TEST_F(TrialsTest, FeaturesAreAsTheyWereAtTheDraw) {
  event(1, kStart - 3 * kDay, "Product Viewed");
  drawn(1, kStart, 0, {{0, 0.5}, {kDoNothing, 0.5}});
  const Eigen::MatrixXd before = trials_.of(letter(), lives_, kStart + 20 * kDay).features;
  for (int i = 1; i < 10; ++i) event(1, kStart + i * kDay, "Order Completed", 100);
  EXPECT_EQ(trials_.of(letter(), lives_, kStart + 20 * kDay).features, before);
}

TEST_F(TrialsTest, WhoCouldNotHaveHadItIsLeftOut) {
  event(1, kStart, "Product Viewed");
  drawn(1, kStart + 1, 1, {{1, 0.5}, {kDoNothing, 0.5}});
  EXPECT_EQ(trials_.of(letter(), lives_, kStart + 30 * kDay).users(), 0U);
  EXPECT_EQ(trials_.of(note(), lives_, kStart + 30 * kDay).users(), 1U);
}

TEST_F(TrialsTest, ChancesThatAreOffDoNoHarm) {
  for (UserId user = 1; user < 5; ++user) event(user, kStart, "Product Viewed");
  drawn(1, kStart + 1, 0, {{0, 0.5005}, {kDoNothing, 0.5}});  // rounded elsewhere
  drawn(2, kStart + 1, 0, {{0, 1e-9}, {kDoNothing, 1}});      // would count as a thousand million users
  drawn(3, kStart + 1, kDoNothing, {{0, 1e-9}, {kDoNothing, 1}});
  drawn(4, kStart + 1, 1, {{0, 0.5}, {kDoNothing, 0.5}, {1, 0.0001}});
  const Trial trial = trials_.of(letter(), lives_, kStart + 30 * kDay);
  EXPECT_EQ(trial.users(), 1U);
  EXPECT_TRUE(check(trial).ok()) << check(trial).message();
  EXPECT_TRUE(learn_action_effects(rules_, trials_, lives_, kStart + 30 * kDay).ok());
}

TEST_F(TrialsTest, WhatWasChosenIsNoTrial) {
  event(1, kStart, "Product Viewed");
  drawn(1, kStart + 1, 0, {});
  EXPECT_EQ(trials_.size(), 0U);
}

TEST_F(TrialsTest, AnErasedUserIsInNoTrial) {
  event(1, kStart, "Product Viewed");
  drawn(1, kStart + 1, 0, {{0, 0.5}, {kDoNothing, 0.5}});
  StoredRecord erasure;
  erasure.user = 1;
  erasure.payload = Erasure{};
  apply(erasure);
  EXPECT_EQ(trials_.size(), 0U);
}

TEST_F(TrialsTest, OneWhoIsRecognisedKeepsTheOutcome) {
  event(1, kStart - kDay, "Product Viewed");
  drawn(1, kStart, 0, {{0, 0.5}, {kDoNothing, 0.5}});
  merge(1, 2);
  event(2, kStart + kDay, "Order Completed", 100);
  const Trial trial = trials_.of(letter(), lives_, kStart + 20 * kDay);
  ASSERT_EQ(trial.users(), 1U);
  EXPECT_EQ(trial.outcomes[0], 1);
}

TEST_F(TrialsTest, TheSameDecisionIsTheSameMessage) {
  const Decision decision{.user = 3, .action = 1, .gain = 0.25, .cost = 0.5};
  const Record record = action_record(decision, rules_, "una", kStart, kStart);
  EXPECT_EQ(record.message_id, action_record(decision, rules_, "una", kStart, kStart).message_id);
  EXPECT_NE(record.message_id, action_record(decision, rules_, "una", kStart + 1, kStart).message_id);
  const Record later = action_record(decision, rules_, "una", kStart, kStart + 5);
  EXPECT_EQ(later.message_id, record.message_id);
  EXPECT_EQ(later.time, kStart + 5) << "of when it was decided, not planned";
  const auto& action = std::get<Action>(record.payload);
  EXPECT_EQ(action.name, "note");
  EXPECT_EQ(action.channel, "email");
  EXPECT_EQ(action.details, R"({"gain":2.5E-1,"cost":5E-1,"deliver":true})");
}

TEST_F(TrialsTest, EffectsAreLearnedFromWhatWasDrawn) {
  Random random(3);
  for (UserId user = 0; user < 3000; ++user) {
    event(user, kStart - kDay, "Product Viewed");
    const bool letter = random.chance(0.5);
    drawn(user, kStart, letter ? 0 : kDoNothing, {{0, 0.5}, {kDoNothing, 0.5}});
    if (random.chance(letter ? 0.5 : 0.2)) event(user, kStart + kDay, "Order Completed", 1000);
  }
  const Effects effects = learn_action_effects(rules_, trials_, lives_, kStart + 14 * kDay).value();
  ASSERT_EQ(effects.size(), 2U);
  EXPECT_NEAR(effects[0].level, 0.3, 0.06);
  const Features features(lives_.definition(), goal_question(letter().goal, lives_.definition()));
  const Found<Life> somebody = lives_.find(7);
  const std::vector<double> of = features.of(lives_.definition(), {7, somebody->first_seen, &somebody->facts}, kStart);
  EXPECT_NEAR(effects[0].untreated.at(of), 0.2, 0.06);
  EXPECT_EQ(effects[1].treated_users, 0);
  EXPECT_EQ(effects[1].level, 0) << "as expected";
  EXPECT_NEAR(effects[1].untreated.intercept, 3.5, 0.4) << "money of users so far: 10 of a third of them";
}

TEST_F(TrialsTest, EffectsMayDependOnTraits) {
  rules_.effect_traits = {"country"};
  Random random(3);
  for (UserId user = 0; user < 3000; ++user) {
    const bool german = user % 2 == 0;
    traits(user, kStart - kDay, german ? R"({"country":"DE"})" : R"({"country":"FR"})");
    event(user, kStart - kDay, "Product Viewed");
    const bool letter = random.chance(0.5);
    drawn(user, kStart, letter ? 0 : kDoNothing, {{0, 0.5}, {kDoNothing, 0.5}});
    if (random.chance(letter && german ? 0.7 : 0.2)) event(user, kStart + kDay, "Order Completed", 1000);
  }
  const TimeMs now = kStart + 14 * kDay;
  const Effects effects =
      learn_action_effects(rules_, trials_, lives_, now, at_once, trait_features(rules_, profiles_)).value();
  const Contacts nobody(365 * kDay);
  const ActionUsers users(lives_, profiles_, nullptr, nobody, users_, now);
  const Planner planner(rules_, effects, nobody, lives_.definition(), now);
  const auto effect_on = [&](UserId id) {
    double mean = 0;
    users.one(id, [&](const PlannedUser& user) {
      for (const Weighed& one : planner.weigh(user, {}))
        if (one.action == 0) mean = one.effect.mean;
    });
    return mean;
  };
  EXPECT_NEAR(effect_on(10), 0.5, 0.15) << "of one from Germany";
  EXPECT_NEAR(effect_on(11), 0, 0.15) << "of one from France";
}

}  // namespace
}  // namespace perennial
