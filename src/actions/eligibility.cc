#include "actions/eligibility.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "base/time_zone.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr uint32_t kEverything = 0;  // no name has it
constexpr const char* kNames[kSuppressions] = {"none",  "holdout",     "experiment", "expired", "journey",
                                               "stage", "trait",       "forecast",   "consent", "repeat",
                                               "cap",   "quiet_hours", "no_gain",    "outdone", "budget"};

bool holds(const TraitCondition& condition, const std::string* json_text) {
  using Is = TraitCondition::Is;
  const bool known = json_text != nullptr && *json_text != "null";
  if (condition.is == Is::known) return known;
  if (condition.is == Is::unknown) return !known;
  if (!known) return condition.is == Is::different;
  const std::string text = trait_text(*json_text);
  if (condition.is == Is::equal) return text == condition.value;
  if (condition.is == Is::different) return text != condition.value;
  const Result<double> number = parse_number(text);
  return number.ok() && (condition.is == Is::at_least) == (*number >= condition.number);
}

/// Contacts of the scope in (now - window, now], and those that are dated later.
int64_t lately(std::span<const Contact> contacts, uint32_t scope, TimeMs window_ms, TimeMs now) {
  int64_t count = 0;
  for (auto contact = contacts.rbegin(); contact != contacts.rend() && contact->time > now - window_ms; ++contact)
    if (scope == kEverything || contact->name == scope || contact->channel == scope) ++count;
  return count;
}

bool contains(const ActionSet& set, uint16_t action) { return std::ranges::find(set, action) != set.end(); }

}  // namespace

const char* suppression_name(Suppression suppression) { return kNames[static_cast<size_t>(suppression)]; }

std::string trait_text(const std::string& json_text) {
  if (!json_text.starts_with('"')) return json_text;
  const Result<json::value> value = parse_json(json_text);
  return value.ok() && value->is_string() ? std::string(value->as_string()) : json_text;
}

Eligibility::Eligibility(const ActionRules& rules, const Contacts& contacts, const Definition& definition)
    : rules_(rules), definition_(definition), experiment_ms_(experiment_length(rules)) {
  for (const Journey& journey : rules.journeys) {
    std::vector<uint32_t>& names = journey_names_.emplace_back();
    for (const JourneyStep& step : journey.steps) names.push_back(contacts.name_id(rules.actions[step.action].name));
  }
  for (size_t i = 0; i < rules.actions.size(); ++i) {
    const auto action = static_cast<uint16_t>(i);
    OfAction& of = actions_.emplace_back();
    of.name = contacts.name_id(rules.actions[action].name);
    for (const Cap& cap : rules.caps)
      if (contains(cap.actions, action))
        of.caps.emplace_back(&cap, cap.scope == "all" ? kEverything : contacts.name_id(cap.scope));
    for (const QuietHours& hours : rules.quiet_hours)
      if (contains(hours.actions, action)) of.quiet_hours.push_back(&hours);
    for (const Consent& consent : rules.consents)
      if (contains(consent.actions, action)) of.consents.push_back(&consent);
    for (size_t j = 0; j < rules.journeys.size(); ++j)
      if (std::ranges::find(rules.journeys[j].steps, action, &JourneyStep::action) != rules.journeys[j].steps.end())
        of.journeys.push_back(j);
  }
}

bool Eligibility::is_due(const OfAction& of, uint16_t action, const UserNow& user, TimeMs now) const {
  if (of.journeys.empty()) return true;
  if (user.facts == nullptr) return false;
  return std::ranges::any_of(of.journeys, [&](size_t j) {
    const Journey& journey = rules_.journeys[j];
    const auto on = standing_on(journey, journey_names_[j], {user.facts, user.standing, user.contacts, user.forecast},
                                definition_, now);
    return on && on->step < journey.steps.size() && journey.steps[on->step].action == action && now >= on->due;
  });
}

bool Eligibility::has_enough(const OfAction& of, const UserNow& user, TimeMs now) const {
  return std::ranges::any_of(of.caps, [&](const auto& cap) {
    const Frequency& frequency = cap.first->frequency;
    return lately(user.contacts, cap.second, frequency.window_ms, now) >= frequency.most;
  });
}

bool Eligibility::has_consent(const OfAction& of, const UserNow& user) const {
  return std::ranges::all_of(of.consents, [&](const Consent* consent) {
    const std::string* given = user.trait(consent->trait);
    return given != nullptr && *given == "true";
  });
}

bool Eligibility::is_quiet(const OfAction& of, const UserNow& user, TimeMs now) const {
  if (of.quiet_hours.empty()) return false;
  const std::string* zone = user.trait(rules_.time_zone_trait);
  const std::string named = zone == nullptr ? "" : trait_text(*zone);
  const int minute = minute_of_day(is_time_zone(named) ? named : rules_.time_zone, now);
  return std::ranges::any_of(of.quiet_hours, [&](const QuietHours* hours) { return hours->contain(minute); });
}

Suppression Eligibility::of(uint16_t action, const UserNow& user, TimeMs now) const {
  const ActionSpec& spec = rules_.actions[action];
  const OfAction& of = actions_[action];
  if (is_held_out(kActionHoldout, rules_.holdout_share, user.id)) return Suppression::holdout;
  if (user.last_draw != kNoTime && user.last_draw > now - experiment_ms_) return Suppression::experiment;
  if (now < spec.from || now >= spec.until) return Suppression::expired;
  if (!is_due(of, action, user, now)) return Suppression::journey;
  if (!spec.stages[static_cast<size_t>(user.standing.stage)] ||
      !spec.overlays[static_cast<size_t>(user.standing.overlay)])
    return Suppression::stage;
  for (const TraitCondition& condition : spec.traits)
    if (!holds(condition, user.trait(condition.trait))) return Suppression::trait;
  for (const ForecastCondition& condition : spec.forecasts) {
    const std::optional<double> forecast = user.forecast(condition.question);
    if (!forecast || condition.at_least != (*forecast >= condition.bound)) return Suppression::forecast;
  }
  if (!has_consent(of, user)) return Suppression::consent;
  if (lately(user.contacts, of.name, spec.repeat.window_ms, now) >= spec.repeat.most) return Suppression::repeat;
  if (has_enough(of, user, now)) return Suppression::cap;
  if (is_quiet(of, user, now)) return Suppression::quiet_hours;
  return Suppression::none;
}

Suppression Eligibility::of_handing_over(uint16_t action, const UserNow& user, TimeMs now) const {
  const ActionSpec& spec = rules_.actions[action];
  const OfAction& of = actions_[action];
  if (is_held_out(kActionHoldout, rules_.holdout_share, user.id)) return Suppression::holdout;
  if (now < spec.from || now >= spec.until) return Suppression::expired;
  if (!has_consent(of, user)) return Suppression::consent;
  return is_quiet(of, user, now) ? Suppression::quiet_hours : Suppression::none;
}

TimeMs Eligibility::end_of_quiet(uint16_t action, const UserNow& user, TimeMs now) const {
  constexpr TimeMs kMinuteMs = 60'000;
  TimeMs minute = now / kMinuteMs * kMinuteMs;
  for (int i = 0; i < 24 * 60 && is_quiet(actions_[action], user, minute); ++i) minute += kMinuteMs;
  return minute;
}

}  // namespace perennial
