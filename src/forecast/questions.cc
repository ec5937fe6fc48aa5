#include "forecast/questions.h"

#include <algorithm>

#include "base/check.h"

namespace perennial {
namespace {

/// nullptr: the definition's activity.
const char* signal_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::buys:
    case Outcome::spends:
      return "value";
    case Outcome::upgrades:
      return "upgrade";
    case Outcome::refers:
      return "referral";
    default:
      return nullptr;
  }
}

bool is_active_enough(const Definition& definition, const UserFacts& facts, TimeMs now) {
  const std::span<const Fact> activity = facts.of(definition.activity);
  const size_t known = count_until(activity, now);
  return known > 0 && now - activity[known - 1].time < definition.churned_after_ms;
}

bool activates(const Definition& definition, const UserFacts& facts, TimeMs after, TimeMs until) {
  const std::vector<Transition> all = transitions(definition, facts, until);
  return std::any_of(all.begin(), all.end(),
                     [&](const Transition& one) { return one.time > after && one.to.stage >= Stage::activation; });
}

}  // namespace

std::vector<Question> questions_of(const Definition& definition) {
  std::vector<Question> questions = {
      {"activate_30d", Outcome::activates, 30 * kMsOfDay}, {"return_7d", Outcome::returns, 7 * kMsOfDay},
      {"return_30d", Outcome::returns, 30 * kMsOfDay},     {"buy_30d", Outcome::buys, 30 * kMsOfDay},
      {"spend_90d", Outcome::spends, 90 * kMsOfDay},       {"churn", Outcome::churns, definition.churned_after_ms},
      {"upgrade_90d", Outcome::upgrades, 90 * kMsOfDay},   {"refer_90d", Outcome::refers, 90 * kMsOfDay}};
  std::erase_if(questions, [&](const Question& question) {
    const char* signal = signal_name(question.outcome);
    return signal != nullptr && !definition.find_signal(signal);
  });
  return questions;
}

uint8_t signal_of(const Question& question, const Definition& definition) {
  const char* name = signal_name(question.outcome);
  if (name == nullptr) return definition.activity;
  const std::optional<uint8_t> signal = definition.find_signal(name);
  PERENNIAL_CHECK(signal.has_value(), "question {} needs a signal {}", question.name, name);
  return *signal;
}

std::vector<Subject> subjects_of(const Lives& lives) {
  std::vector<Subject> subjects;
  subjects.reserve(lives.size());
  lives.for_each([&](UserId user, const Life& life) { subjects.push_back({user, life.first_seen, &life.facts}); });
  std::sort(subjects.begin(), subjects.end(), [](const Subject& a, const Subject& b) { return a.user < b.user; });
  return subjects;
}

bool is_asked(const Question& question, const Definition& definition, const Subject& subject, TimeMs now) {
  if (subject.first_seen == kNoTime || subject.first_seen > now) return false;
  switch (question.outcome) {
    case Outcome::activates:
      return standing_at(definition, *subject.facts, now).stage == Stage::acquisition;
    case Outcome::churns:
      return is_active_enough(definition, *subject.facts, now);
    case Outcome::upgrades:
      return count_until(subject.facts->of(signal_of(question, definition)), now) == 0;
    default:
      return true;
  }
}

double answer(const Question& question, const Definition& definition, const UserFacts& facts, TimeMs now) {
  const TimeMs until = now + question.horizon_ms;
  if (question.outcome == Outcome::activates) return activates(definition, facts, now, until) ? 1 : 0;
  const std::span<const Fact> of_signal = facts.of(signal_of(question, definition));
  if (question.outcome == Outcome::spends)
    return static_cast<double>(money_between(of_signal, count_until(of_signal, now), count_until(of_signal, until))) /
           static_cast<double>(definition.minor_units);
  bool any = false;  // a refund is no purchase
  for (size_t i = count_until(of_signal, now), end = count_until(of_signal, until); i < end && !any; ++i)
    any = question.outcome != Outcome::buys || money_between(of_signal, i, i + 1) >= 0;
  return any == (question.outcome != Outcome::churns) ? 1 : 0;
}

}  // namespace perennial
