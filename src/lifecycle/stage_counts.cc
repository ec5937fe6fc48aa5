#include "lifecycle/stage_counts.h"

#include <numeric>

#include "base/text.h"

namespace perennial {

int64_t StageCounts::in(Stage stage) const {
  const auto& of_stage = users[static_cast<size_t>(stage)];
  return std::accumulate(of_stage.begin(), of_stage.end(), int64_t{0});
}

int64_t StageCounts::all() const {
  int64_t sum = 0;
  for (size_t stage = 0; stage < kStages; ++stage) sum += in(static_cast<Stage>(stage));
  return sum;
}

StageCounts count_stages(const Lives& lives, TimeMs now) {
  StageCounts counts;
  lives.for_each([&](UserId, const Life& life) {
    if (life.first_seen == kNoTime || life.first_seen > now) return;
    ++counts.of(standing_at(lives.definition(), life.facts, now));
  });
  return counts;
}

json::object to_json(const StageCounts& counts, TimeMs now) {
  json::array stages;
  for (size_t stage = 0; stage < kStages; ++stage) {
    json::object row = {{"stage", stage_name(static_cast<Stage>(stage))},
                        {"users", counts.in(static_cast<Stage>(stage))}};
    for (size_t overlay = 1; overlay < kOverlays; ++overlay)
      row[overlay_name(static_cast<Overlay>(overlay))] = counts.users[stage][overlay];
    stages.push_back(std::move(row));
  }
  return {{"at", format_iso8601(now)}, {"users", counts.all()}, {"stages", std::move(stages)}};
}

}  // namespace perennial
