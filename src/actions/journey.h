// Journeys: actions in an order, with waits, from a moment of a user's life on. Where a user stands in one is a
// function of facts, contacts and time: nothing is stored. A journey only says when its actions are due; who gets them
// is the arbiter's matter. Covered by actions/journey_test.cc.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "actions/contacts.h"
#include "lifecycle/standing.h"

namespace perennial {

/// Of a forecast of forecast/questions.h.
struct ForecastCondition {
  std::string question;
  bool at_least = true;  // else below
  double bound = 0;
};

/// When a journey begins: the user comes to a stage or an overlay, and is on it while there; the first fact of a signal
/// since the journey was last begun and ended, by an exit or after its whole length; or a forecast is beyond a bound
/// when it is asked.
using Trigger = std::variant<Stage, Overlay, uint8_t, ForecastCondition>;

struct JourneyStep {
  TimeMs wait_ms = 0;  // after the step before, or the beginning
  uint16_t action = 0;
};

struct Journey {
  std::string name;
  Trigger trigger;
  std::vector<JourneyStep> steps;  // at least one
  std::vector<uint8_t> exits;      // signals that end it
  TimeMs patience_ms = 0;          // how long a step is due; then it is passed over

  /// From its beginning to when its last step is due no more, at most.
  [[nodiscard]] TimeMs length_ms() const;
};

/// What a journey looks at.
struct JourneyUser {
  const UserFacts* facts = nullptr;
  Standing standing;  // at `now`
  std::span<const Contact> contacts;
  std::function<std::optional<double>(std::string_view question)> forecast;
};

struct JourneyStanding {
  TimeMs begun = 0;
  size_t step = 0;  // the next; steps.size(): over
  TimeMs due = 0;   // from when on
};

/// nullopt: not on it. `names`: Contacts::name_id of the action of each step.
std::optional<JourneyStanding> standing_on(const Journey& journey, std::span<const uint32_t> names,
                                           const JourneyUser& user, const Definition& definition, TimeMs now);

}  // namespace perennial
