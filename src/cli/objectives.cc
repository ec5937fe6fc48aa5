#include "cli/objectives.h"

namespace perennial {
namespace {

ObjectiveWeights weights_of(const Settings& settings, const std::string& place) {
  const auto weight = [&](const char* outcome) { return settings.objective_weights.at(place + "." + outcome); };
  return {.conversion = weight("conversion"),
          .money = weight("money"),
          .revisit = weight("revisit"),
          .breadth = weight("breadth"),
          .sharing = weight("sharing")};
}

}  // namespace

StageObjectives stage_objectives(const Settings& settings) {
  StageObjectives objectives;
  objectives.enabled = settings.objectives;
  objectives.holdout_share = settings.objectives_holdout_share;
  for (size_t stage = 0; stage < kStages; ++stage)
    objectives.stages[stage] = weights_of(settings, stage_name(static_cast<Stage>(stage)));
  for (size_t overlay = 1; overlay < kOverlays; ++overlay)
    objectives.overlays[overlay] = weights_of(settings, overlay_name(static_cast<Overlay>(overlay)));
  return objectives;
}

}  // namespace perennial
