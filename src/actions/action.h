// What can be done for a user (a message, an offer), and under which limits, as the configuration declares it:
// docs/actions.md. Covered by actions/action_test.cc.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/journey.h"
#include "lifecycle/standing.h"
#include "uplift/learner.h"

namespace perennial {

/// What the user should do, and what that is worth.
struct Goal {
  uint8_t signal = 0;
  bool money = false;    // the outcome is the money of the signal's events; else whether there is one
  TimeMs within_ms = 0;  // after the action
  double worth = 0;      // in major units of money, of one outcome, or of one major unit of it
};

/// Of what a user is known to be.
struct TraitCondition {
  enum class Is : uint8_t { known, unknown, equal, different, at_least, below };
  std::string trait;
  Is is = Is::known;
  std::string value;  // as text, or as JSON writes numbers, true and false
  double number = 0;  // of at_least and below
};

/// So many in any time of this length.
struct Frequency {
  int64_t most = 1;
  TimeMs window_ms = 0;
};

enum class ActionKind : uint8_t { message, offer, discount, invite, slate };
const char* kind_name(ActionKind kind);

struct ActionSpec {
  std::string name;
  ActionKind kind = ActionKind::message;
  std::string channel;
  double cost = 0;          // of doing it once, in major units
  double cost_of_goal = 0;  // beside it, when the goal is reached: what a discount takes off; of money, a share of it
  Goal goal;
  std::array<bool, kStages> stages{};      // that may have it
  std::array<bool, kOverlays> overlays{};  // likewise
  std::vector<TraitCondition> traits;      // all of them
  std::vector<ForecastCondition> forecasts;
  TimeMs from = 0;
  TimeMs until = kNeverChanges;
  Frequency repeat;      // to one user
  EffectPrior expected;  // effect on the goal's outcome, before anything was seen of it
  int items = 0;         // that a slate shows; 0: it is none
  std::string payload;   // a JSON object that goes along as it is, or empty
};

/// Actions that a limit is for: all, those of a channel, or one.
using ActionSet = std::vector<uint16_t>;

/// How many actions of a set a user has at most.
struct Cap {
  std::string scope;
  ActionSet actions;
  Frequency frequency;
};

/// What may be given to all users together in any time of this length.
struct BudgetRule {
  std::string scope;
  ActionSet actions;
  double limit = 0;
  bool counts = false;  // of actions; else of their expected cost, in major units
  TimeMs window_ms = 0;
};

/// Nothing is sent from the one minute of the user's day to the other; may go over midnight.
struct QuietHours {
  ActionSet actions;
  int from = 0;
  int until = 0;

  [[nodiscard]] bool contain(int minute) const {
    return from <= until ? from <= minute && minute < until : minute >= from || minute < until;
  }
};

/// The user must have said so: a trait that is true.
struct Consent {
  ActionSet actions;
  std::string trait;
};

struct ActionRules {
  std::vector<ActionSpec> actions;  // by name, rising
  std::vector<Journey> journeys;    // likewise; their actions are given in no other way
  std::vector<Cap> caps;
  std::vector<BudgetRule> budgets;
  std::vector<QuietHours> quiet_hours;
  std::vector<Consent> consents;
  std::string time_zone = "UTC";  // of users who have none
  std::string time_zone_trait = "timezone";
  std::vector<std::string> effect_traits;  // that effects may depend on, beside what users did
  double holdout_share = 0.05;             // of users, who never get an action
  double explore_share = 0.05;             // of decisions, drawn by known chances

  [[nodiscard]] std::optional<uint16_t> find(std::string_view name) const;
};

/// For how long a user for whom something was drawn is left alone: until the outcome of any action is known.
TimeMs experiment_length(const ActionRules& rules);

/// Of all that looks back: repeats, caps, budgets, journeys.
TimeMs longest_window(const ActionRules& rules);

/// The configuration's texts: those of "actions.NAME.KEY", "journeys.NAME.KEY" and "arbiter.KEY", under their whole
/// keys.
using ActionTexts = std::map<std::string, std::string>;

/// Checked, and the same whatever the order. `defaults` carries what stands in the settings' table: time zone, shares.
/// invalid_argument starts with the key, then says what is wrong and the way out.
Result<ActionRules> make_action_rules(const ActionTexts& texts, ActionRules defaults, const Definition& definition);

}  // namespace perennial
