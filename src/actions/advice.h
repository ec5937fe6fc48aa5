// What to do next for one user, actions and items in one order, with the reason of each: what people and programs read
// who ask for one user. Covered by actions/advice_test.cc.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actions/planner.h"

namespace perennial {

struct NextStep {
  size_t action = 0;           // index among the weighed
  std::optional<size_t> item;  // of its slate, from 0: then this is to show that item
  Interval95 gain;             // expected, in major units
};

/// The weighed that nothing stands against, in their order. `slate_sizes`: how many items each would show, nullopt for
/// one that is no slate; a slate stands there as its items, which share its gain as those who look down a list see
/// them: the item at rank r from 1 by 1 / log2(r + 1). One without items is left out.
std::vector<NextStep> next_steps(std::span<const Weighed> weighed, std::span<const std::optional<size_t>> slate_sizes);

/// "orders within 14 days: +2.1 % [-0.3 %, +4.5 %], learned from 812 draws": the effect on this user's goal.
std::string effect_reason(const Weighed& weighed, const ActionSpec& action, const ActionEffect& effect,
                          const Definition& definition);

/// "+0.0120 [+0.0040, +0.0200] T, lines": the mean effect over all users; or that it is as expected. HARMFUL when it is
/// surely below 0.
std::string mean_effect_text(const ActionEffect& effect);

}  // namespace perennial
