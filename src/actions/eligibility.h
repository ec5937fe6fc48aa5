// Whether a user may have an action now, and why not: what the rules say of one user, without the budgets that all
// share. Covered by actions/eligibility_test.cc.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actions/action.h"
#include "actions/contacts.h"

namespace perennial {

/// In the order in which they are looked at.
enum class Suppression : uint8_t {
  none,
  holdout,     // the user is in the control group
  experiment,  // something was drawn for the user, whose outcome is not known yet
  expired,     // before or after the action's time
  journey,     // not due in any journey that it is part of
  stage,       // or overlay
  trait,
  forecast,  // not within the bounds, or not known
  consent,
  repeat,  // had it lately
  cap,     // had enough of a kind lately
  quiet_hours,
  no_gain,  // doing nothing is expected to bring more
  outdone,  // another action brings the user more
  budget,   // others gain more from what there is
};
inline constexpr size_t kSuppressions = 15;
const char* suppression_name(Suppression suppression);

/// A user at a moment, as the rules see them. Borrows.
struct UserNow {
  std::string_view id;  // that lasts longest
  Standing standing;
  std::function<const std::string*(std::string_view trait)> trait;           // its JSON text, or null
  std::function<std::optional<double>(std::string_view question)> forecast;  // nullopt: there is none
  std::span<const Contact> contacts;                                         // by time
  const UserFacts* facts = nullptr;                                          // what journeys go by
  TimeMs last_draw = kNoTime;                                                // Contacts::last_draw
};

inline constexpr const char* kActionHoldout = "actions.holdout";  // the purpose of is_held_out

class Eligibility {
 public:
  /// All outlive this; names of the contacts are looked up now.
  Eligibility(const ActionRules& rules, const Contacts& contacts, const Definition& definition);

  /// Suppression::none, or what stands against it first. Never no_gain or budget.
  [[nodiscard]] Suppression of(uint16_t action, const UserNow& user, TimeMs now) const;

  /// Of an action that was decided and is to be handed over now: holdout, expired, consent, quiet_hours or none.
  [[nodiscard]] Suppression of_handing_over(uint16_t action, const UserNow& user, TimeMs now) const;

  /// The next minute of the user's day without quiet hours for the action; a day later when there is none.
  [[nodiscard]] TimeMs end_of_quiet(uint16_t action, const UserNow& user, TimeMs now) const;

 private:
  struct OfAction {
    std::vector<std::pair<const Cap*, uint32_t>> caps;  // and the name or channel that it counts; kEverything
    std::vector<const QuietHours*> quiet_hours;
    std::vector<const Consent*> consents;
    uint32_t name = 0;
    std::vector<size_t> journeys;  // that it is part of
  };
  [[nodiscard]] bool is_due(const OfAction& of, uint16_t action, const UserNow& user, TimeMs now) const;
  [[nodiscard]] bool has_consent(const OfAction& of, const UserNow& user) const;
  [[nodiscard]] bool has_enough(const OfAction& of, const UserNow& user, TimeMs now) const;
  [[nodiscard]] bool is_quiet(const OfAction& of, const UserNow& user, TimeMs now) const;

  const ActionRules& rules_;
  const Definition& definition_;
  TimeMs experiment_ms_;
  std::vector<std::vector<uint32_t>> journey_names_;  // of the steps of each
  std::vector<OfAction> actions_;
};

/// A trait's JSON text as a rule compares it: a string without its quotes, everything else as it is written.
std::string trait_text(const std::string& json_text);

}  // namespace perennial
