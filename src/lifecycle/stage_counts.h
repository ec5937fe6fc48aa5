// How many users stand at which stage. Covered by lifecycle/lives_test.cc and lifecycle/stage_watch_test.cc.
#pragma once

#include <array>

#include "base/json.h"
#include "lifecycle/lives.h"

namespace perennial {

/// How many users stand where.
struct StageCounts {
  std::array<std::array<int64_t, kOverlays>, kStages> users{};

  [[nodiscard]] int64_t& of(const Standing& standing) {
    return users[static_cast<size_t>(standing.stage)][static_cast<size_t>(standing.overlay)];
  }
  [[nodiscard]] int64_t in(Stage stage) const;
  [[nodiscard]] int64_t all() const;
};

/// Of the users first seen at or before `now`; a user without an event that has a time is at no date.
StageCounts count_stages(const Lives& lives, TimeMs now);

json::object to_json(const StageCounts& counts, TimeMs now);

}  // namespace perennial
