#include "actions/journey.h"

#include <algorithm>

namespace perennial {
namespace {

bool fact_between(const UserFacts& facts, uint8_t signal, TimeMs after, TimeMs until) {
  return count_until(facts.of(signal), until) > count_until(facts.of(signal), after);
}

TimeMs first_fact(const UserFacts& facts, const Definition& definition) {
  TimeMs first = kNoTime;
  for (size_t signal = 0; signal < definition.signals.size(); ++signal)
    if (const std::span<const Fact> of = facts.of(static_cast<uint8_t>(signal)); !of.empty())
      first = first == kNoTime ? of.front().time : std::min(first, of.front().time);
  return first;
}

/// Since when the user stands as now: since the first fact when that was always so; kNoTime of one without any.
template <typename Same>
TimeMs came(const UserFacts& facts, const Definition& definition, TimeMs now, const Same& same) {
  const std::vector<Transition> all = transitions(definition, facts, now);
  TimeMs since = kNoTime;
  auto change = all.rbegin();
  for (; change != all.rend() && same(change->to); ++change) since = change->time;
  return change == all.rend() && same(Standing{}) ? first_fact(facts, definition) : since;
}

/// The first contact of the name in [from, until].
const Contact* contact_of(std::span<const Contact> contacts, uint32_t name, TimeMs from, TimeMs until) {
  const auto found = std::ranges::find_if(
      contacts, [&](const Contact& c) { return c.name == name && c.time >= from && c.time <= until; });
  return found == contacts.end() ? nullptr : &*found;
}

/// Steps from the beginning on, each taken when its action was given, or passed over when nobody got to it in time.
JourneyStanding walk(const Journey& journey, std::span<const uint32_t> names, const JourneyUser& user, TimeMs begun,
                     TimeMs now) {
  JourneyStanding standing{.begun = begun, .due = begun};
  TimeMs after = begun - 1;  // the contact of the step before
  while (standing.step < journey.steps.size()) {
    const TimeMs due = standing.due + journey.steps[standing.step].wait_ms;
    const Contact* given =
        contact_of(user.contacts, names[standing.step], std::max(due, after + 1), due + journey.patience_ms);
    if (given == nullptr && now <= due + journey.patience_ms) return {begun, standing.step, due};
    standing.due = given != nullptr ? given->time : due + journey.patience_ms;
    if (given != nullptr) after = given->time;
    ++standing.step;
  }
  return standing;
}

/// Of the journey that a signal's facts began last: while one lasts, further facts do not begin another.
std::optional<TimeMs> begun_by_signal(const Journey& journey, uint8_t signal, const UserFacts& facts, TimeMs now) {
  std::optional<TimeMs> begun;
  for (const Fact& fact : facts.of(signal)) {
    if (fact.time > now) break;
    const auto ended = [&] {
      return std::ranges::any_of(journey.exits,
                                 [&](uint8_t exit) { return fact_between(facts, exit, *begun, fact.time); });
    };
    if (!begun || fact.time > *begun + journey.length_ms() || ended()) begun = fact.time;
  }
  return begun;
}

}  // namespace

TimeMs Journey::length_ms() const {
  TimeMs length = 0;
  for (const JourneyStep& step : steps) length += step.wait_ms + patience_ms;
  return length;
}

std::optional<JourneyStanding> standing_on(const Journey& journey, std::span<const uint32_t> names,
                                           const JourneyUser& user, const Definition& definition, TimeMs now) {
  std::optional<TimeMs> begun;
  if (const auto* stage = std::get_if<Stage>(&journey.trigger)) {
    if (user.standing.stage != *stage) return std::nullopt;
    begun = came(*user.facts, definition, now, [&](const Standing& s) { return s.stage == *stage; });
  } else if (const auto* overlay = std::get_if<Overlay>(&journey.trigger)) {
    if (user.standing.overlay != *overlay) return std::nullopt;
    begun = came(*user.facts, definition, now, [&](const Standing& s) { return s.overlay == *overlay; });
  } else if (const auto* signal = std::get_if<uint8_t>(&journey.trigger)) {
    begun = begun_by_signal(journey, *signal, *user.facts, now);
  } else {
    const auto& condition = std::get<ForecastCondition>(journey.trigger);
    // It began with its first action; before that it begins whenever the forecast says so.
    const Contact* first = contact_of(user.contacts, names[0], now - journey.length_ms(), now);
    const std::optional<double> forecast = first == nullptr ? user.forecast(condition.question) : std::nullopt;
    if (first != nullptr)
      begun = first->time - journey.steps[0].wait_ms;
    else if (forecast && condition.at_least == (*forecast >= condition.bound))
      begun = now - journey.steps[0].wait_ms;
  }
  if (!begun || *begun == kNoTime) return std::nullopt;
  for (const uint8_t exit : journey.exits)
    if (fact_between(*user.facts, exit, *begun, now)) return std::nullopt;
  return walk(journey, names, user, *begun, now);
}

}  // namespace perennial
