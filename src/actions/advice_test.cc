#include "actions/advice.h"

#include <gtest/gtest.h>

#include "actions/actions_fixture.h"

namespace perennial {
namespace {

Weighed weighed(double gain, Suppression suppression = Suppression::none) {
  Weighed one;
  one.gain = {gain, gain - 1, gain + 1};
  one.suppression = suppression;
  return one;
}

TEST(NextSteps, ASlateStandsThereAsItsItems) {
  const std::vector<Weighed> all = {weighed(9), weighed(2), weighed(8), weighed(20, Suppression::cap)};
  const std::vector<std::optional<size_t>> sizes = {3, std::nullopt, 0, std::nullopt};
  const std::vector<NextStep> steps = next_steps(all, sizes);
  std::vector<std::pair<size_t, int>> order;
  for (const NextStep& step : steps) order.emplace_back(step.action, step.item ? static_cast<int>(*step.item) : -1);
  EXPECT_EQ(order, (std::vector<std::pair<size_t, int>>{{0, 0}, {0, 1}, {0, 2}, {1, -1}})) << "an empty slate is none";
  double sum = 0, low = 0;
  for (const NextStep& step : steps)
    if (step.item) sum += step.gain.value, low += step.gain.low;
  EXPECT_NEAR(sum, 9, 1e-12);
  EXPECT_NEAR(low, 8, 1e-12);
  EXPECT_NEAR(steps[0].gain.value / steps[2].gain.value, 2, 1e-12);
}

TEST(NextSteps, WithoutAnythingToDoThereIsNone) {
  const std::vector<Weighed> all = {weighed(9, Suppression::holdout)};
  EXPECT_TRUE(next_steps(all, std::vector<std::optional<size_t>>{5}).empty());
  EXPECT_TRUE(next_steps({}, {}).empty());
}

class EffectReason : public ActionsFixture {};

TEST_F(EffectReason, TellsTheEffectItsIntervalAndWhereFrom) {
  Weighed one;
  one.effect = {0.021, 0.01};
  ActionEffect effect;
  EXPECT_EQ(effect_reason(one, letter(), effect, lives_.definition()),
            "value within 14 days: +2.1 % [+0.1 %, +4.1 %], as declared, for nothing is learned yet");
  effect.treated_users = 800;
  effect.untreated_users = 1200;
  one.effect = {-1.5, 0.5};
  EXPECT_EQ(effect_reason(one, note(), effect, lives_.definition()),
            "money of value within 14 days: -1.50 [-2.48, -0.52], learned from 2,000 draws");
}

}  // namespace
}  // namespace perennial
