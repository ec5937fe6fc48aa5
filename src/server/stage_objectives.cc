#include "server/stage_objectives.h"

#include <algorithm>
#include <cmath>

#include "events/roles.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr double kChurnSteps = 20;  // it changes all the time, and with it no list would be the last one
constexpr const char* kObjectives[kStages] = {"first_value", "second_value", "return", "breadth_and_value", "sharing"};

ObjectiveWeights weights_of(const StageObjectives& options, const Standing& standing) {
  return standing.overlay == Overlay::none ? options.stages[static_cast<size_t>(standing.stage)]
                                           : options.overlays[static_cast<size_t>(standing.overlay)];
}

/// a (1 - share) + b share.
ObjectiveWeights between(const ObjectiveWeights& a, const ObjectiveWeights& b, double share) {
  const auto mix = [share](double from, double to) { return (1 - share) * from + share * to; };
  return {.conversion = mix(a.conversion, b.conversion),
          .money = mix(a.money, b.money),
          .revisit = mix(a.revisit, b.revisit),
          .breadth = mix(a.breadth, b.breadth),
          .sharing = mix(a.sharing, b.sharing)};
}

void mark(const Definition& definition, const char* signal, const Dictionary& event_types, std::vector<bool>& marked) {
  marked.resize(event_types.size());
  const std::optional<uint8_t> number = definition.find_signal(signal);
  if (!number) return;
  for (const std::string& name : definition.signals[*number].event_types)
    for (size_t type = 0; type < marked.size(); ++type)
      if (comparable_type(event_types.name(static_cast<EventTypeId>(type))) == comparable_type(name))
        marked[type] = true;
}

}  // namespace

const char* objective_name(const Standing& standing) {
  return standing.overlay == Overlay::none ? kObjectives[static_cast<size_t>(standing.stage)] : "win_back";
}

bool in_holdout(double share, std::string_view user) { return is_held_out("objectives.holdout", share, user); }

ChosenObjective choose_objective(const StageObjectives& options, const Standing& standing, std::string_view user,
                                 std::optional<double> churn_probability) {
  ChosenObjective chosen{{objective_name(standing), weights_of(options, standing)}, "stage-aware", ""};
  if (churn_probability && standing.overlay == Overlay::none)
    chosen.objective.weights =
        between(chosen.objective.weights, options.overlays[static_cast<size_t>(Overlay::at_risk)],
                std::round(std::clamp(*churn_probability, 0.0, 1.0) * kChurnSteps) / kChurnSteps);
  if (!options.enabled) {
    chosen.variant = "plain";
    chosen.why = "off";
  } else if (in_holdout(options.holdout_share, user)) {
    chosen.variant = chosen.why = "holdout";
  } else if (!chosen.objective.weights.any()) {
    chosen.why = "no_weights";
  }
  return chosen;
}

OutcomeTypes outcome_types(const Definition& definition, const Dictionary& event_types) {
  OutcomeTypes types;
  mark(definition, "value", event_types, types.value);
  for (const char* signal : {"share", "review"}) mark(definition, signal, event_types, types.sharing);
  return types;
}

}  // namespace perennial
