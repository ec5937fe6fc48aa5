#include "forecast/forecasts.h"

#include <algorithm>

#include "base/digest.h"
#include "forecast/occasions.h"

namespace perennial {
namespace {

constexpr double kPriorDeviation = 3;

TimeMs earliest(std::span<const Subject> everybody, TimeMs until) {
  TimeMs since = until;
  for (const Subject& subject : everybody)
    if (subject.first_seen != kNoTime) since = std::min(since, subject.first_seen);
  return since;
}

QuestionForecast forecast_of(const Definition& definition, const Question& question, std::span<const Subject> everybody,
                             TimeMs until, const RivalsOf& rivals) {
  QuestionForecast forecast{question, {}, until - question.horizon_ms, {}};
  const Result<Exam> exam = prepare_exam(definition, question, everybody, earliest(everybody, until), until);
  if (!exam.ok()) {
    forecast.reason = exam.status().message();
    return forecast;
  }
  const std::vector<Rival> joined = rivals ? rivals(*exam) : std::vector<Rival>();
  forecast.candidates = hold_exam(definition, *exam, everybody, joined);
  if (forecast.candidates.empty() || !forecast.candidates.front().reason.empty())
    forecast.reason = forecast.candidates.empty() ? "no family answers it" : forecast.candidates.front().reason;
  return forecast;
}

NextEvent next_event_of(const Definition& definition, uint8_t signal, std::span<const Subject> everybody,
                        TimeMs until) {
  NextEvent next{definition.signals[signal].name, {}, {}};
  MbgNbdOptions options;
  options.prior_deviation = kPriorDeviation;
  const Result<MbgNbdFit> fit = fit_mbg_nbd(histories_at(everybody, signal, until), options);
  if (fit.ok())
    next.visits = fit->model;
  else
    next.reason = fit.status().message();
  return next;
}

}  // namespace

std::string definition_digest(const Definition& definition) {
  std::string text = fmt::format("{} {} {} {} {}\n", definition.activity, definition.at_risk_after_ms,
                                 definition.churned_after_ms, definition.won_back_for_ms, definition.minor_units);
  for (const Signal& signal : definition.signals) {
    text += signal.name;
    for (const std::string& type : signal.event_types) text.append("\t").append(type);
    text += '\n';
  }
  for (const StageRule& rule : definition.rules) text.append(rule.text).append("\n");
  for (const std::string& property : definition.inviter_properties) text.append(property).append("\t");
  return to_hex(sha256(text));
}

Forecasts Forecasts::fit(Definition definition, std::span<const Subject> everybody, TimeMs until,
                         const RivalsOf& rivals) {
  Forecasts forecasts;
  forecasts.until_ = until;
  for (const Question& question : questions_of(definition))
    forecasts.questions_.push_back(forecast_of(definition, question, everybody, until, rivals));
  forecasts.next_events_.push_back(next_event_of(definition, definition.activity, everybody, until));
  const auto value = definition.find_signal("value");
  if (value && *value != definition.activity)
    forecasts.next_events_.push_back(next_event_of(definition, *value, everybody, until));
  forecasts.definition_ = std::move(definition);
  return forecasts;
}

Result<Prediction> Forecasts::predict(std::string_view question, const Subject& subject, TimeMs now,
                                      const RawForecast& raw) const {
  const auto found = std::find_if(questions_.begin(), questions_.end(),
                                  [&](const QuestionForecast& one) { return one.question.name == question; });
  if (found == questions_.end()) return not_found("'{:.40}' is no question that is forecast", question);
  if (!found->reason.empty()) return failed_precondition("{}", found->reason);
  if (!is_asked(found->question, definition_, subject, now))
    return failed_precondition("{} is not asked of this user at this time", question);
  for (const Candidate& candidate : found->candidates) {
    if (!candidate.reason.empty()) break;
    std::optional<double> forecast;
    if (candidate.model)
      forecast = candidate.model->forecast(definition_, subject, now);
    else if (raw)
      forecast = raw(found->question, candidate.family);
    if (forecast)
      return Prediction{candidate.calibration.apply(found->question.kind(), *forecast), &found->question, &candidate};
  }
  return failed_precondition("{} has no model that can speak here", question);
}

Result<std::vector<SurvivalPoint>> Forecasts::survival(std::string_view signal, const Subject& subject, TimeMs now,
                                                       int days, int every) const {
  const auto found = std::find_if(next_events_.begin(), next_events_.end(),
                                  [&](const NextEvent& next) { return next.signal == signal; });
  if (found == next_events_.end()) return not_found("'{:.40}' is no signal whose next event is forecast", signal);
  if (!found->reason.empty()) return failed_precondition("{}", found->reason);
  const auto history = history_at(subject.facts->of(*definition_.find_signal(signal)), now);
  if (!history) return failed_precondition("the user has no event of signal {} yet", signal);
  std::vector<SurvivalPoint> curve;
  for (int day = 1; day <= days; day += std::max(1, every))
    curve.push_back({static_cast<double>(day), 1 - probability_of_purchase_within(found->visits, *history, day)});
  return curve;
}

}  // namespace perennial
