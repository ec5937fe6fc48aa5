// The arbiter: of all actions for all users what to do now, and for whom. Expected gain = effect x worth - expected
// cost, under each user's own rules (actions/eligibility.h) and the budgets that all share (actions/allocation.h);
// doing nothing is always a candidate. For a share of the users, others in each period, an action or nothing is drawn
// by known chances instead, once, and they are left alone until the outcome is known, so that effects can be learned:
// Thompson's chances, mixed with even ones. Covered by actions/planner_test.cc. Source: Thompson, "On
// the likelihood that one unknown probability exceeds another", 1933.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actions/allocation.h"
#include "actions/eligibility.h"
#include "forecast/features.h"

namespace perennial {

/// The features that an action's effect depends on: those of its goal.
Question goal_question(const Goal& goal, const Definition& definition);

/// A user as the planner sees it.
struct PlannedUser {
  UserNow view;
  Subject subject;
};

/// What is known of the actions' effects: by action, as ActionRules numbers them.
using Effects = std::vector<ActionEffect>;

/// One action weighed for one user. Money in major units.
struct Weighed {
  uint16_t action = 0;
  Suppression suppression = Suppression::none;
  Effect effect;      // on the goal's outcome
  double cost = 0;    // expected
  Interval95 gain;    // of doing it against not, before any budget's price
  double priced = 0;  // the gain less what it takes from budgets at their prices
};

/// Of the budget rules: what is left now, and what one more unit would bring.
struct BudgetState {
  double left = 0;
  double used = 0;  // by this plan
  double price = 0;
};

inline constexpr uint16_t kDoNothing = UINT16_MAX;

struct Decision {
  UserId user = kNoId;
  uint16_t action = kDoNothing;
  double gain = 0;                                   // expected
  double cost = 0;                                   // expected
  double chance = 1;                                 // with which it was drawn; 1: it was chosen
  std::vector<std::pair<uint16_t, double>> chances;  // of all that could have been drawn; empty: it was chosen
};

struct ActionPlan {
  TimeMs at = 0;
  int64_t users = 0;
  int64_t held_out = 0;
  std::vector<Decision> decisions;                             // chosen actions, and all that was drawn
  std::vector<std::array<int64_t, kSuppressions>> suppressed;  // by action: users by what stood against it
  std::vector<BudgetState> budgets;                            // as the rules have them
  double gain = 0;                                             // expected, of the chosen
  double bound = 0;                                            // no choice could be expected to bring more
};

class Planner {
 public:
  /// All outlive it. `effects`: one an action; `contacts` as they are at `now`.
  Planner(const ActionRules& rules, const Effects& effects, const Contacts& contacts, const Definition& definition,
          TimeMs now);

  /// All actions for one user, the best first, those that are suppressed behind; `prices` by budget rule, or empty.
  [[nodiscard]] std::vector<Weighed> weigh(const PlannedUser& user, const std::vector<double>& prices) const;

  /// `each` calls its argument with every user, in the same order each time. Two plans of one instant are the same.
  Result<ActionPlan> plan(const std::function<void(const std::function<void(const PlannedUser&)>&)>& each,
                          int threads) const;

 private:
  enum class Of : uint8_t { all, eligible };
  void weigh_one(Weighed& weighed, std::span<const double> features) const;
  [[nodiscard]] std::vector<Weighed> weigh_all(const PlannedUser& user, Of of) const;
  void draw(const PlannedUser& user, const std::vector<Weighed>& weighed, ActionPlan& plan) const;
  [[nodiscard]] bool fits(const Weighed& weighed, const ActionPlan& plan) const;
  void spend(const Weighed& weighed, ActionPlan& plan) const;

  const ActionRules& rules_;
  const Effects& effects_;
  const Definition& definition_;
  TimeMs now_;
  int64_t period_ = 0;  // in which the same users are those for whom it is drawn
  Eligibility eligibility_;
  std::vector<BudgetState> budgets_;             // what is left before the plan
  std::vector<Features> features_;               // of distinct goals
  std::vector<size_t> features_of_;              // by action
  std::vector<std::vector<size_t>> budgets_of_;  // by action
};

/// Chances that each of several normal gains is the largest and above 0; the last is that none is. Sums to 1.
std::vector<double> chances_of_being_best(std::span<const Interval95> gains);

}  // namespace perennial
