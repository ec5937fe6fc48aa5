// Where a user stands in its life at an instant, and how it came there: a function of the user's facts, the definition
// and the time. Decision: docs/decisions/0003-a-stage-is-a-function-of-facts-and-time.md.
// Covered by lifecycle/standing_test.cc against a function that looks at every event anew.
#pragma once

#include <limits>
#include <vector>

#include "lifecycle/definition.h"
#include "lifecycle/user_facts.h"

namespace perennial {

/// What silence adds to a stage. Nobody in acquisition has one.
enum class Overlay : uint8_t { none, at_risk, churned, won_back };
inline constexpr size_t kOverlays = 4;
const char* overlay_name(Overlay overlay);

struct Standing {
  Stage stage = Stage::acquisition;
  Overlay overlay = Overlay::none;

  bool operator==(const Standing&) const = default;
};

struct Transition {
  TimeMs time = 0;
  Standing from;
  Standing to;
  Offset offset = 0;  // of the event that caused it; 0: time alone, a fact left a window
};

inline constexpr TimeMs kNeverChanges = std::numeric_limits<TimeMs>::max();

/// At `now`; later facts are not looked at. The stage is the highest whose rule holds. O(conditions x log facts), and
/// for distinct periods at most the facts of the window.
Standing standing_at(const Definition& definition, const UserFacts& facts, TimeMs now);

/// The next instant after `now` at which the standing may change without another event: a silence grows long enough, a
/// fact leaves a window, or one that is dated later comes to pass. kNeverChanges if there is none.
TimeMs next_change(const Definition& definition, const UserFacts& facts, TimeMs now);

/// All changes up to `until`, rising; the first leads away from acquisition. An event is in its windows from its own
/// time on, and has left a window of length W at its time + W.
std::vector<Transition> transitions(const Definition& definition, const UserFacts& facts, TimeMs until);

}  // namespace perennial
