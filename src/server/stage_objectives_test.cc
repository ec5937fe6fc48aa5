#include "server/stage_objectives.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

StageObjectives some_objectives() {
  StageObjectives options{.enabled = true, .holdout_share = 0.1};
  options.stages[static_cast<size_t>(Stage::acquisition)].conversion = 1;
  options.stages[static_cast<size_t>(Stage::expansion)] = {.money = 0.5, .breadth = 1};
  options.overlays[static_cast<size_t>(Overlay::at_risk)] = {.money = 0.1, .revisit = 2};
  return options;
}

/// The first id of that kind that is held out, or is not.
std::string user_with(bool held_out) {
  for (int user = 0;; ++user)
    if (const std::string id = fmt::format("user-{}", user); in_holdout(0.1, id) == held_out) return id;
}

TEST(StageObjectives, TheHoldoutHasItsShareOfUsersAndKeepsThem) {
  int held_out = 0;
  for (int user = 0; user < 100'000; ++user) {
    const std::string id = fmt::format("u{}", user);
    held_out += in_holdout(0.05, id) ? 1 : 0;
    EXPECT_TRUE(!in_holdout(0.05, id) || in_holdout(0.2, id)) << "a larger share keeps those of a smaller one";
  }
  EXPECT_NEAR(held_out, 5'000, 5 * 69) << "five standard deviations";
  EXPECT_FALSE(in_holdout(0, "una"));
  EXPECT_TRUE(in_holdout(1, "una"));
  EXPECT_FALSE(in_holdout(1, "")) << "nothing to know them again by";
}

TEST(StageObjectives, MembersOfTheHoldoutAreTheSameOnEveryMachine) {
  std::string members;
  for (int user = 0; user < 60; ++user)
    if (in_holdout(0.05, fmt::format("u{}", user))) members += fmt::format("u{} ", user);
  EXPECT_EQ(members, "u23 ");
}

TEST(StageObjectives, ArmsAreToldApart) {
  StageObjectives options = some_objectives();
  const ChosenObjective aware = choose_objective(options, {}, user_with(false));
  EXPECT_EQ(aware.variant, "stage-aware");
  EXPECT_TRUE(aware.applied());
  EXPECT_EQ(aware.objective.name, "first_value");
  EXPECT_EQ(aware.objective.weights.conversion, 1);

  const ChosenObjective held_out = choose_objective(options, {}, user_with(true));
  EXPECT_EQ(held_out.variant, "holdout");
  EXPECT_EQ(held_out.why, "holdout");
  EXPECT_FALSE(held_out.applied());

  const ChosenObjective unweighted = choose_objective(options, {Stage::retention, Overlay::none}, user_with(false));
  EXPECT_EQ(unweighted.variant, "stage-aware") << "the arm does not depend on the stage";
  EXPECT_EQ(unweighted.why, "no_weights");

  options.enabled = false;
  for (const bool member : {false, true}) {
    const ChosenObjective off = choose_objective(options, {}, user_with(member));
    EXPECT_EQ(off.variant, "plain");
    EXPECT_EQ(off.why, "off");
  }
}

TEST(StageObjectives, AnOverlayReplacesWhatTheStageAsksFor) {
  const ChosenObjective chosen =
      choose_objective(some_objectives(), {Stage::expansion, Overlay::at_risk}, user_with(false));
  EXPECT_EQ(chosen.objective.name, "win_back");
  EXPECT_EQ(chosen.objective.weights, (ObjectiveWeights{.money = 0.1, .revisit = 2}));
}

TEST(StageObjectives, AForecastPullsTowardsWinningBackBeforeTheSilence) {
  const StageObjectives options = some_objectives();
  const auto weights = [&](Overlay overlay, double churn) {
    return choose_objective(options, {Stage::expansion, overlay}, user_with(false), churn).objective.weights;
  };
  EXPECT_EQ(weights(Overlay::none, 0), (ObjectiveWeights{.money = 0.5, .breadth = 1}));
  EXPECT_EQ(weights(Overlay::none, 1), options.overlays[static_cast<size_t>(Overlay::at_risk)]);
  EXPECT_DOUBLE_EQ(weights(Overlay::none, 0.25).money, 0.75 * 0.5 + 0.25 * 0.1);
  EXPECT_DOUBLE_EQ(weights(Overlay::none, 0.25).revisit, 0.5);
  EXPECT_EQ(weights(Overlay::at_risk, 0.25), options.overlays[static_cast<size_t>(Overlay::at_risk)]);
}

TEST(StageObjectives, OutcomesAreTheSignalsOfTheDefinition) {
  Dictionary types;
  for (const char* type : {"Product Viewed", "order_completed", "Product Reviewed", "Product Shared"}) types.add(type);
  const OutcomeTypes outcomes = outcome_types(preset("e-commerce").value(), types);
  EXPECT_EQ(outcomes.value, (std::vector<bool>{false, true, false, false}));
  EXPECT_EQ(outcomes.sharing, (std::vector<bool>{false, false, true, true}));
}

}  // namespace
}  // namespace perennial
