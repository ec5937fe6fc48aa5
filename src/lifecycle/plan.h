// Who would stand elsewhere under another definition, before it is applied. Covered by lifecycle/plan_test.cc.
#pragma once

#include "lifecycle/stage_counts.h"

namespace perennial {

struct Mover {
  UserId user = kNoId;
  Standing from;
  Standing to;
};

struct Plan {
  TimeMs at = 0;
  StageCounts now;
  StageCounts then;
  std::array<std::array<int64_t, kStages>, kStages> moves{};  // users by stage now and then; the diagonal stays
  int64_t other_stage = 0;                                    // users
  int64_t other_overlay = 0;                                  // of the same stage
  std::vector<Mover> movers;                                  // the first so many, by user id
};

/// Both are folds over the same log. Users first seen after `at` do not count, nor those whom only one of them knows:
/// who was erased, or came, while the second was read.
Plan compare(const Lives& now, const Lives& then, TimeMs at, size_t most_movers);

/// invalid_argument, naming the key, when an event type of a signal that the configuration itself says is in no event
/// of the log; with the nearest one that is. `signals` as DefinitionText has them.
Status check_event_types(const std::map<std::string, std::string>& signals, const Dictionary& event_types);

json::object to_json(const Plan& plan, const Dictionary& users);

}  // namespace perennial
