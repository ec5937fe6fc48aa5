// Forecasts as JSON and back: docs/formats/forecasts.md.
#include <algorithm>

#include "forecast/forecasts.h"
#include "forecast/parameters_json.h"

namespace perennial {
namespace {

constexpr int64_t kFormatVersion = 1;

json::object as_json(const ProbabilityQuality& quality) {
  json::object object = {{"users", quality.users},
                         {"positives", quality.positives},
                         {"auc", quality.auc},
                         {"brier", quality.brier},
                         {"brier_skill", as_json(quality.brier_skill)},
                         {"lift_at_10_percent", quality.lift_at_10_percent}};
  if (quality.calibration_slope) object["calibration_slope"] = as_json(*quality.calibration_slope);
  if (quality.calibration_intercept) object["calibration_intercept"] = as_json(*quality.calibration_intercept);
  return object;
}

json::object as_json(const AmountQuality& quality) {
  json::object object = {{"users", quality.users},
                         {"mean_outcome", quality.mean_outcome},
                         {"mean_absolute_error", as_json(quality.mean_absolute_error)},
                         {"mean_bias", quality.mean_bias}};
  if (quality.gini) object["gini"] = *quality.gini;
  return object;
}

json::object as_json(const Candidate& candidate) {
  json::object object = {{"family", candidate.family}};
  if (!candidate.reason.empty()) {
    object["reason"] = candidate.reason;
    return object;
  }
  object["quality"] = candidate.amount ? as_json(*candidate.amount) : as_json(*candidate.probability);
  object["loss_above_best"] = as_json(candidate.loss_above_best);
  object["calibration"] = json::object{{"intercept", candidate.calibration.line.intercept},
                                       {"slope", candidate.calibration.line.slope},
                                       {"factor", candidate.calibration.factor}};
  if (candidate.model) object["model"] = candidate.model->to_json();
  return object;
}

json::object as_json(const QuestionForecast& forecast) {
  json::object object = {{"name", forecast.question.name},
                         {"horizon_ms", forecast.question.horizon_ms},
                         {"kind", forecast.question.kind() == OutcomeKind::money ? "money" : "probability"}};
  if (forecast.reason.empty())
    object["chosen"] = forecast.candidates.front().family;
  else
    object["reason"] = forecast.reason;
  object["measured_from"] = forecast.measured_from;
  json::array candidates;
  for (const Candidate& candidate : forecast.candidates) candidates.push_back(as_json(candidate));
  object["candidates"] = std::move(candidates);
  return object;
}

Result<std::optional<Interval95>> read_optional_interval(const json::object& object, std::string_view name) {
  if (find_field(object, name) == nullptr) return std::optional<Interval95>();
  PERENNIAL_TRY_ASSIGN(const Interval95 interval, read_interval(object, name));
  return std::optional(interval);
}

Result<int64_t> read_count(const json::object& object, std::string_view name) {
  return integer_field(object, name, 0, 0, int64_t{1} << 53);
}

Result<ProbabilityQuality> read_probability_quality(const json::object& object) {
  ProbabilityQuality quality;
  PERENNIAL_TRY_ASSIGN(quality.users, read_count(object, "users"));
  PERENNIAL_TRY_ASSIGN(quality.positives, read_count(object, "positives"));
  PERENNIAL_TRY_ASSIGN(quality.auc, read_number(object, "auc"));
  PERENNIAL_TRY_ASSIGN(quality.brier, read_number(object, "brier"));
  PERENNIAL_TRY_ASSIGN(quality.brier_skill, read_interval(object, "brier_skill"));
  PERENNIAL_TRY_ASSIGN(quality.calibration_slope, read_optional_interval(object, "calibration_slope"));
  PERENNIAL_TRY_ASSIGN(quality.calibration_intercept, read_optional_interval(object, "calibration_intercept"));
  PERENNIAL_TRY_ASSIGN(quality.lift_at_10_percent, read_number(object, "lift_at_10_percent"));
  return quality;
}

Result<AmountQuality> read_amount_quality(const json::object& object) {
  AmountQuality quality;
  PERENNIAL_TRY_ASSIGN(quality.users, read_count(object, "users"));
  PERENNIAL_TRY_ASSIGN(quality.mean_outcome, read_number(object, "mean_outcome"));
  PERENNIAL_TRY_ASSIGN(quality.mean_absolute_error, read_interval(object, "mean_absolute_error"));
  PERENNIAL_TRY_ASSIGN(quality.mean_bias, read_number(object, "mean_bias"));
  if (find_field(object, "gini") != nullptr) {
    PERENNIAL_TRY_ASSIGN(quality.gini, read_number(object, "gini"));
  }
  return quality;
}

Status read_quality(const Question& question, const json::object& object, Candidate& candidate) {
  PERENNIAL_TRY_ASSIGN(const json::object quality, read_object(object, "quality"));
  if (question.kind() == OutcomeKind::money) {
    PERENNIAL_TRY_ASSIGN(candidate.amount, read_amount_quality(quality));
  } else {
    PERENNIAL_TRY_ASSIGN(candidate.probability, read_probability_quality(quality));
  }
  return {};
}

Status read_model(const Definition& definition, const Question& question, const json::object& object,
                  Candidate& candidate) {
  if (find_field(object, "model") == nullptr) return {};
  const Family* family = find_family(candidate.family);
  if (family == nullptr || !family->suits(question))
    return invalid_argument("family: '{:.40}' cannot have a model of {}", candidate.family, question.name);
  PERENNIAL_TRY_ASSIGN(const json::object model, read_object(object, "model"));
  PERENNIAL_TRY_ASSIGN(candidate.model, family->read(definition, question, model));
  return {};
}

Result<Candidate> read_candidate(const Definition& definition, const Question& question, const json::object& object) {
  Candidate candidate;
  PERENNIAL_TRY_ASSIGN(candidate.family, string_field(object, "family"));
  PERENNIAL_TRY_ASSIGN(candidate.reason, string_field(object, "reason"));
  if (!candidate.reason.empty()) return candidate;
  PERENNIAL_TRY(read_quality(question, object, candidate));
  PERENNIAL_TRY_ASSIGN(candidate.loss_above_best, read_interval(object, "loss_above_best"));
  PERENNIAL_TRY_ASSIGN(const json::object calibration, read_object(object, "calibration"));
  PERENNIAL_TRY_ASSIGN(candidate.calibration.line.intercept, read_number(calibration, "intercept"));
  PERENNIAL_TRY_ASSIGN(candidate.calibration.line.slope, read_number(calibration, "slope"));
  PERENNIAL_TRY_ASSIGN(candidate.calibration.factor, read_positive(calibration, "factor"));
  PERENNIAL_TRY(read_model(definition, question, object, candidate));
  return candidate;
}

Result<std::vector<json::object>> read_objects(const json::object& object, std::string_view name) {
  const json::value* field = find_field(object, name);
  if (field == nullptr || !field->is_array()) return invalid_argument("{}: want a list", name);
  std::vector<json::object> objects;
  for (const json::value& value : field->get_array()) {
    if (!value.is_object()) return invalid_argument("{}: want a list of objects", name);
    objects.push_back(value.get_object());
  }
  return objects;
}

Result<QuestionForecast> read_question(const Definition& definition, const json::object& object) {
  QuestionForecast forecast;
  PERENNIAL_TRY_ASSIGN(const std::string name, string_field(object, "name"));
  const std::vector<Question> known = questions_of(definition);
  const auto question = std::find_if(known.begin(), known.end(), [&](const Question& one) { return one.name == name; });
  if (question == known.end()) return invalid_argument("name: '{:.40}' is no question", name);
  forecast.question = *question;
  constexpr int64_t kLargest = int64_t{1} << 60;
  PERENNIAL_TRY_ASSIGN(const int64_t horizon, integer_field(object, "horizon_ms", 0, 0, kLargest));
  if (horizon != question->horizon_ms)
    return invalid_argument("horizon_ms: {} has {}, this version {}: forecast anew", name, horizon,
                            question->horizon_ms);
  PERENNIAL_TRY_ASSIGN(forecast.reason, string_field(object, "reason"));
  PERENNIAL_TRY_ASSIGN(forecast.measured_from, integer_field(object, "measured_from", 0, -kLargest, kLargest));
  PERENNIAL_TRY_ASSIGN(const std::vector<json::object> candidates, read_objects(object, "candidates"));
  for (const json::object& candidate : candidates) {
    Result<Candidate> read = read_candidate(definition, *question, candidate);
    if (!read.ok()) return read.status().with_context(name);
    forecast.candidates.push_back(std::move(read).value());
  }
  if (forecast.reason.empty() && (forecast.candidates.empty() || !forecast.candidates.front().reason.empty()))
    return invalid_argument("{}: neither a candidate nor a reason", name);
  return forecast;
}

Result<NextEvent> read_next_event(const Definition& definition, const json::object& object) {
  NextEvent next;
  PERENNIAL_TRY_ASSIGN(next.signal, string_field(object, "signal"));
  if (!definition.find_signal(next.signal)) return invalid_argument("signal: '{:.40}' is none", next.signal);
  PERENNIAL_TRY_ASSIGN(next.reason, string_field(object, "reason"));
  if (!next.reason.empty()) return next;
  PERENNIAL_TRY_ASSIGN(const json::object visits, read_object(object, "visits"));
  PERENNIAL_TRY_ASSIGN(next.visits, read_mbg_nbd(visits));
  return next;
}

}  // namespace

json::object Forecasts::to_json() const {
  json::array questions;
  for (const QuestionForecast& forecast : questions_) questions.push_back(as_json(forecast));
  json::array next_events;
  for (const NextEvent& next : next_events_) {
    json::object object = {{"signal", next.signal}};
    if (next.reason.empty())
      object["visits"] = perennial::as_json(next.visits);
    else
      object["reason"] = next.reason;
    next_events.push_back(std::move(object));
  }
  return {{"format_version", kFormatVersion},
          {"until", until_},
          {"definition", definition_digest(definition_)},
          {"questions", std::move(questions)},
          {"next_events", std::move(next_events)}};
}

Result<Forecasts> Forecasts::read(Definition definition, const json::object& object) {
  PERENNIAL_TRY_ASSIGN(const int64_t version, integer_field(object, "format_version", 0, 0, 1'000'000));
  if (version != kFormatVersion)
    return invalid_argument("format_version: {}, this version reads {}: forecast anew", version, kFormatVersion);
  PERENNIAL_TRY_ASSIGN(const std::string digest, string_field(object, "definition"));
  if (digest != definition_digest(definition))
    return failed_precondition("the forecasts were made under another definition of stages: forecast anew");
  Forecasts forecasts;
  constexpr int64_t kLargest = int64_t{1} << 60;
  PERENNIAL_TRY_ASSIGN(forecasts.until_, integer_field(object, "until", 0, -kLargest, kLargest));
  PERENNIAL_TRY_ASSIGN(const std::vector<json::object> questions, read_objects(object, "questions"));
  for (const json::object& question : questions) {
    PERENNIAL_TRY_ASSIGN(QuestionForecast forecast, read_question(definition, question));
    forecasts.questions_.push_back(std::move(forecast));
  }
  PERENNIAL_TRY_ASSIGN(const std::vector<json::object> next_events, read_objects(object, "next_events"));
  for (const json::object& next_event : next_events) {
    PERENNIAL_TRY_ASSIGN(NextEvent next, read_next_event(definition, next_event));
    forecasts.next_events_.push_back(std::move(next));
  }
  forecasts.definition_ = std::move(definition);
  return forecasts;
}

}  // namespace perennial
