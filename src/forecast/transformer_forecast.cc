#include "forecast/transformer_forecast.h"

#include <algorithm>
#include <cmath>

#include "forecast/forecasts.h"

namespace perennial {
namespace {

constexpr double kHazardDays[] = {0.25, 0.5, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 365};

constexpr double kSameDays = 1e-6;

bool asks_for_the_next_event(const Question& question) {
  return question.outcome == Outcome::returns || question.outcome == Outcome::churns;
}

TimeMs ms_of(double days) { return std::llround(days * static_cast<double>(kMsOfDay)); }

const Question* find_question(const std::vector<Question>& questions, std::string_view name) {
  const auto found =
      std::find_if(questions.begin(), questions.end(), [&](const Question& each) { return each.name == name; });
  return found == questions.end() ? nullptr : &*found;
}

}  // namespace

ForecastHeadConfig head_config(const Definition& definition) {
  ForecastHeadConfig config;
  config.features = HeadFeatures(definition).names();
  config.hazard_days.assign(std::begin(kHazardDays), std::end(kHazardDays));
  for (const Question& question : questions_of(definition)) {
    if (asks_for_the_next_event(question))
      config.hazard_days.push_back(question.horizon_days());
    else if (question.kind() == OutcomeKind::money)
      config.spend = question.name;
    else
      config.outcomes.push_back(question.name);
  }
  std::sort(config.hazard_days.begin(), config.hazard_days.end());
  config.hazard_days.erase(std::unique(config.hazard_days.begin(), config.hazard_days.end()), config.hazard_days.end());
  config.definition_digest = definition_digest(definition);
  return config;
}

Status check_head(const ForecastHeadConfig& head, const Definition& definition) {
  if (head.definition_digest != definition_digest(definition))
    return failed_precondition("the model was trained under other stages: run 'train' again");
  if (head.features != HeadFeatures(definition).names())
    return failed_precondition("the model reads other features than this program knows: run 'train' again");
  return {};
}

HeadFeatures::HeadFeatures(const Definition& definition) {
  for (const Question& question : questions_of(definition)) {
    const Features features(definition, question);
    bool adds = false;
    for (size_t i = 0; i < features.names().size(); ++i) {
      const std::string& name = features.names()[i];
      if (std::find(names_.begin(), names_.end(), name) != names_.end()) continue;
      names_.push_back(name);
      picked_.emplace_back(parts_.size(), i);
      adds = true;
    }
    if (adds) parts_.push_back(features);
  }
}

std::vector<double> HeadFeatures::of(const Definition& definition, const Subject& subject, TimeMs now) const {
  std::vector<std::vector<double>> values;
  for (const Features& part : parts_) values.push_back(part.of(definition, subject, now));
  std::vector<double> features;
  features.reserve(picked_.size());
  for (const auto& [part, index] : picked_) features.push_back(values[part][index]);
  return features;
}

std::optional<double> answer_of(const HeadForecast& forecast, const ForecastHeadConfig& config,
                                const Question& question) {
  if (asks_for_the_next_event(question)) {
    // A number that was read from JSON may differ in its last bit.
    const auto day = std::find_if(config.hazard_days.begin(), config.hazard_days.end(),
                                  [&](double end) { return std::abs(end - question.horizon_days()) < kSameDays; });
    if (day == config.hazard_days.end()) return std::nullopt;
    const double survival = forecast.survival[static_cast<size_t>(day - config.hazard_days.begin())];
    return question.outcome == Outcome::churns ? survival : 1 - survival;
  }
  if (question.kind() == OutcomeKind::money)
    return question.name == config.spend ? std::optional(forecast.spend) : std::nullopt;
  const auto outcome = std::find(config.outcomes.begin(), config.outcomes.end(), question.name);
  if (outcome == config.outcomes.end()) return std::nullopt;
  return forecast.outcomes[static_cast<size_t>(outcome - config.outcomes.begin())];
}

HeadLabels labels_of(const ForecastHeadConfig& config, const Definition& definition, const Subject& subject, TimeMs now,
                     TimeMs until) {
  HeadLabels labels;
  const std::span<const Fact> activity = subject.facts->of(definition.activity);
  const size_t next = count_until(activity, now);
  const TimeMs comes = next < activity.size() && activity[next].time <= until ? activity[next].time : kNeverChanges;
  while (labels.hazards_seen < config.hazard_days.size() && !labels.came) {
    const TimeMs end = now + ms_of(config.hazard_days[labels.hazards_seen]);
    if (end > until) break;  // also when the event has come: else only the intervals with one would be known
    labels.came = comes <= end;
    ++labels.hazards_seen;
  }
  const std::vector<Question> questions = questions_of(definition);
  for (const std::string& name : config.outcomes) {
    const Question* question = find_question(questions, name);
    const bool known =
        question != nullptr && now + question->horizon_ms <= until && is_asked(*question, definition, subject, now);
    labels.outcomes.push_back(known ? static_cast<float>(answer(*question, definition, *subject.facts, now)) : -1);
  }
  const Question* spend = find_question(questions, config.spend);
  if (spend != nullptr && now + spend->horizon_ms <= until)
    labels.spend = std::max(0.0F, static_cast<float>(answer(*spend, definition, *subject.facts, now)));
  return labels;
}

}  // namespace perennial
