// Which objective a user's list has: by where the user stands in life, with a share of users who never have one, so
// that the difference can be measured. Joins lifecycle and recommend. Covered by server/stage_objectives_test.cc.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "lifecycle/standing.h"
#include "recommend/objective.h"

namespace perennial {

struct StageObjectives {
  bool enabled = false;                                // off: every list is the plain one
  double holdout_share = 0;                            // of users, for good
  std::array<ObjectiveWeights, kStages> stages{};      // of users without an overlay
  std::array<ObjectiveWeights, kOverlays> overlays{};  // instead of the stage's; that of none is not read
};

/// What the reply says of it.
struct ChosenObjective {
  Objective objective;  // what the stage asks for, also when it is not applied
  std::string variant;  // "plain", "stage-aware", "holdout" or "control": the arm, whatever the stage, so that arms are
                        // comparable; "control" is that of the arbiter, whose users have the popular list
  std::string why;  // not applied because: "off", "holdout", "control", "no_weights", "similar_items"; empty when it is
  [[nodiscard]] bool applied() const { return why.empty(); }
};

/// "first_value", "win_back"...
const char* objective_name(const Standing& standing);

/// By hash of the id, so that it lasts; an empty id is never held out, for there is nothing to know it again by.
bool in_holdout(double share, std::string_view user);

/// `user` is the id that lasts longest: of the identity that all others were merged into. A known chance of churning
/// pulls the weights of a user whom no overlay marks yet that far, in twentieths, towards those of at_risk.
ChosenObjective choose_objective(const StageObjectives& options, const Standing& standing, std::string_view user,
                                 std::optional<double> churn_probability = std::nullopt);

/// The event types of the definition's signals as outcomes of items: value is `value`; share and review tell others.
OutcomeTypes outcome_types(const Definition& definition, const Dictionary& event_types);

}  // namespace perennial
