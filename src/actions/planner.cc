#include "actions/planner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "actions/trait_features.h"
#include "base/check.h"
#include "base/random.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr double kEvenShare =
    0.2;                       // of the chances that are dealt evenly, so that each stays large enough to learn from
constexpr int kSteps = 64;     // of the integral over a gain
constexpr double kFarOut = 5;  // deviations, beyond which a normal gain is not looked at
constexpr const char* kExplore = "actions.explore";

double normal_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double deviation_of(const Interval95& gain) {
  return std::max((gain.high - gain.low) / (2 * kNormal95), 1e-9 * (1 + std::abs(gain.value)));
}

}  // namespace

Question goal_question(const Goal& goal, const Definition& definition) {
  Question question{"goal", Outcome::returns, goal.within_ms};
  if (goal.signal == definition.find_signal("value")) question.outcome = goal.money ? Outcome::spends : Outcome::buys;
  if (goal.signal == definition.find_signal("upgrade")) question.outcome = Outcome::upgrades;
  if (goal.signal == definition.find_signal("referral")) question.outcome = Outcome::refers;
  return question;
}

std::vector<double> chances_of_being_best(std::span<const Interval95> gains) {
  std::vector<double> chances(gains.size() + 1);
  double none = 1;
  for (const Interval95& gain : gains) none *= normal_below(-gain.value / deviation_of(gain));
  for (size_t i = 0; i < gains.size(); ++i) {
    const double mean = gains[i].value, deviation = deviation_of(gains[i]);
    const double from = std::max(0.0, mean - kFarOut * deviation), until = mean + kFarOut * deviation;
    const double step = (until - from) / kSteps;
    for (int s = 0; step > 0 && s < kSteps; ++s) {
      const double x = from + (s + 0.5) * step;
      double others = 1;
      for (size_t j = 0; j < gains.size(); ++j)
        if (j != i) others *= normal_below((x - gains[j].value) / deviation_of(gains[j]));
      const double z = (x - mean) / deviation;
      chances[i] += others * std::exp(-z * z / 2) / (deviation * std::sqrt(2 * M_PI)) * step;
    }
  }
  chances.back() = none;
  double sum = 0;
  for (const double chance : chances) sum += chance;
  for (double& chance : chances) chance /= sum;
  return chances;
}

Planner::Planner(const ActionRules& rules, const Effects& effects, const Contacts& contacts,
                 const Definition& definition, TimeMs now)
    : rules_(rules), effects_(effects), definition_(definition), now_(now), eligibility_(rules, contacts, definition) {
  period_ = now / std::max<TimeMs>(experiment_length(rules), 1);
  PERENNIAL_CHECK(effects.size() == rules.actions.size(), "{} effects, {} actions", effects.size(),
                  rules.actions.size());
  std::vector<Question> questions;
  for (const ActionSpec& action : rules.actions) {
    const Question question = goal_question(action.goal, definition);
    const auto same = [&](const Question& other) {
      return other.outcome == question.outcome && other.horizon_ms == question.horizon_ms;
    };
    const auto found = std::ranges::find_if(questions, same);
    features_of_.push_back(static_cast<size_t>(found - questions.begin()));
    if (found != questions.end()) continue;
    questions.push_back(question);
    features_.emplace_back(definition, question);
  }
  budgets_of_.resize(rules.actions.size());
  for (size_t b = 0; b < rules.budgets.size(); ++b) {
    const BudgetRule& rule = rules.budgets[b];
    const Given given = contacts.given(rule.scope == "all" ? "" : rule.scope, now - rule.window_ms, kNeverChanges);
    const double gone = rule.counts ? static_cast<double>(given.actions) : given.cost;
    budgets_.push_back({.left = std::max(0.0, rule.limit - gone)});
    for (const uint16_t action : rule.actions) budgets_of_[action].push_back(b);
  }
}

void Planner::weigh_one(Weighed& weighed, std::span<const double> features) const {
  const ActionSpec& spec = rules_.actions[weighed.action];
  const ActionEffect& known = effects_[weighed.action];
  weighed.effect = known.at(features);
  double reached = known.untreated.at(features) + weighed.effect.mean;  // the goal, or its money
  if (!spec.goal.money) reached = std::clamp(reached, 0.0, 1.0);
  weighed.cost = spec.cost + spec.cost_of_goal * std::max(reached, 0.0);
  const double value = weighed.effect.mean * spec.goal.worth - weighed.cost;
  const double half = kNormal95 * weighed.effect.standard_error * std::abs(spec.goal.worth - spec.cost_of_goal);
  weighed.gain = {value, value - half, value + half};
  weighed.priced = value;
  if (weighed.suppression == Suppression::none && value <= 0) weighed.suppression = Suppression::no_gain;
}

/// One entry an action; the numbers of one that is not eligible are 0 when only those of the eligible are wanted.
std::vector<Weighed> Planner::weigh_all(const PlannedUser& user, Of of) const {
  std::vector<std::vector<double>> features(features_.size());
  std::vector<Weighed> all;
  for (size_t i = 0; i < rules_.actions.size(); ++i) {
    const auto action = static_cast<uint16_t>(i);
    Weighed& weighed = all.emplace_back();
    weighed.action = action;
    weighed.suppression = eligibility_.of(action, user.view, now_);
    if (of == Of::eligible && weighed.suppression != Suppression::none) continue;
    std::vector<double>& of_goal = features[features_of_[action]];
    if (of_goal.empty()) {
      of_goal = features_[features_of_[action]].of(definition_, user.subject, now_);
      add_trait_features(rules_.effect_traits, user.view.trait, of_goal);
    }
    weigh_one(weighed, of_goal);
  }
  return all;
}

std::vector<Weighed> Planner::weigh(const PlannedUser& user, const std::vector<double>& prices) const {
  std::vector<Weighed> all = weigh_all(user, Of::all);
  for (Weighed& weighed : all) {
    for (const size_t b : budgets_of_[weighed.action]) {
      const double takes = rules_.budgets[b].counts ? 1 : weighed.cost;
      if (!prices.empty()) weighed.priced -= prices[b] * takes;
      if (weighed.suppression == Suppression::none && takes > budgets_[b].left)
        weighed.suppression = Suppression::budget;
    }
    if (weighed.suppression == Suppression::none && weighed.priced < 0) weighed.suppression = Suppression::budget;
  }
  std::ranges::stable_sort(all, [](const Weighed& a, const Weighed& b) {
    const bool a_may = a.suppression == Suppression::none, b_may = b.suppression == Suppression::none;
    return a_may != b_may ? a_may : a.priced > b.priced;
  });
  return all;
}

bool Planner::fits(const Weighed& weighed, const ActionPlan& plan) const {
  return std::ranges::all_of(budgets_of_[weighed.action], [&](size_t b) {
    const BudgetState& budget = plan.budgets[b];
    return budget.used + (rules_.budgets[b].counts ? 1 : weighed.cost) <= budget.left;
  });
}

void Planner::spend(const Weighed& weighed, ActionPlan& plan) const {
  for (const size_t b : budgets_of_[weighed.action])
    plan.budgets[b].used += rules_.budgets[b].counts ? 1 : weighed.cost;
}

void Planner::draw(const PlannedUser& user, const std::vector<Weighed>& weighed, ActionPlan& plan) const {
  std::vector<const Weighed*> possible;
  std::vector<Interval95> gains;
  for (const Weighed& one : weighed) {
    // No gain is expected of it: that is what may be wrong.
    if (one.suppression != Suppression::none && one.suppression != Suppression::no_gain) continue;
    if (!fits(one, plan)) continue;
    possible.push_back(&one);
    gains.push_back(one.gain);
  }
  if (possible.empty()) return;  // nothing to learn: there was no choice
  std::vector<double> chances = chances_of_being_best(gains);
  const auto arms = static_cast<double>(chances.size());
  for (double& chance : chances) chance = (1 - kEvenShare) * chance + kEvenShare / arms;
  Decision decision{.user = user.subject.user};
  double left = Random(stable_hash(kExplore, user.view.id) ^ mix64(static_cast<uint64_t>(period_))).uniform();
  size_t drawn = 0;
  while (drawn + 1 < chances.size() && (left -= chances[drawn]) >= 0) ++drawn;
  decision.chance = chances[drawn];
  for (size_t i = 0; i < possible.size(); ++i) decision.chances.emplace_back(possible[i]->action, chances[i]);
  decision.chances.emplace_back(kDoNothing, chances.back());
  if (drawn < possible.size()) {
    const Weighed& one = *possible[drawn];
    decision.action = one.action;
    decision.gain = one.gain.value;
    decision.cost = one.cost;
    spend(one, plan);
  }
  plan.decisions.push_back(std::move(decision));
}

Result<ActionPlan> Planner::plan(const std::function<void(const std::function<void(const PlannedUser&)>&)>& each,
                                 int threads) const {
  ActionPlan plan{.at = now_,
                  .suppressed = std::vector<std::array<int64_t, kSuppressions>>(rules_.actions.size()),
                  .budgets = budgets_};
  Offers offers;
  std::vector<UserId> users;
  each([&](const PlannedUser& user) {
    ++plan.users;
    if (is_held_out(kActionHoldout, rules_.holdout_share, user.view.id)) ++plan.held_out;
    const std::vector<Weighed> weighed = weigh_all(user, Of::eligible);
    const bool bound = !weighed.empty() && weighed.front().suppression == Suppression::experiment;
    if (!bound && share_of(kExplore, fmt::format("{}\n{}", user.view.id, period_)) < rules_.explore_share)
      return draw(user, weighed, plan);
    for (const Weighed& one : weighed) {
      ++plan.suppressed[one.action][static_cast<size_t>(one.suppression)];
      if (one.suppression == Suppression::none)
        offers.add(one.action, static_cast<float>(one.gain.value), static_cast<float>(one.cost));
    }
    users.push_back(user.subject.user);
    offers.end_user();
  });
  std::vector<Budget> budgets;
  for (size_t b = 0; b < rules_.budgets.size(); ++b) {
    const BudgetRule& rule = rules_.budgets[b];
    budgets.push_back(
        {rule.scope, rule.actions, std::max(0.0, plan.budgets[b].left - plan.budgets[b].used), rule.counts});
  }
  PERENNIAL_TRY_ASSIGN(const Allocation made, allocate(offers, budgets, threads, static_cast<uint64_t>(now_)));
  plan.gain = made.gain;
  plan.bound = made.bound;
  for (size_t b = 0; b < budgets.size(); ++b) {
    plan.budgets[b].used += made.used[b];
    plan.budgets[b].price = made.prices[b];
  }
  for (size_t user = 0; user < users.size(); ++user) {
    const uint64_t chosen = made.chosen[user];
    for (uint64_t j = offers.begin[user]; j < offers.begin[user + 1]; ++j) {
      if (j == chosen) continue;
      auto& counts = plan.suppressed[offers.action[j]];
      --counts[static_cast<size_t>(Suppression::none)];
      ++counts[static_cast<size_t>(chosen == Allocation::kNothing ? Suppression::budget : Suppression::outdone)];
    }
    if (chosen == Allocation::kNothing) continue;
    plan.decisions.push_back({.user = users[user],
                              .action = offers.action[chosen],
                              .gain = offers.gain[chosen],
                              .cost = offers.cost[chosen],
                              .chance = 1,
                              .chances = {}});
  }
  return plan;
}

}  // namespace perennial
