#include "forecast/user_forecasts.h"

#include "base/text.h"

namespace perennial {
namespace {

constexpr int kSurvivalDays = 90;

json::value or_null(const std::optional<double>& number) { return number ? json::value(*number) : json::value(); }

json::object to_json(const Interval95& interval) {
  return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

json::object quality_to_json(const ForecastAnswer& answer) {
  if (answer.probability) {
    const ProbabilityQuality& quality = *answer.probability;
    json::object object = {{"users", quality.users},
                           {"auc", quality.auc},
                           {"brier_skill", to_json(quality.brier_skill)},
                           {"lift_at_10_percent", quality.lift_at_10_percent}};
    if (quality.calibration_slope) object["calibration_slope"] = to_json(*quality.calibration_slope);
    if (quality.calibration_intercept) object["calibration_intercept"] = to_json(*quality.calibration_intercept);
    return object;
  }
  const AmountQuality& quality = *answer.amount;
  return {{"users", quality.users},
          {"mean_absolute_error", to_json(quality.mean_absolute_error)},
          {"mean_bias", quality.mean_bias},
          {"gini", or_null(quality.gini)}};
}

json::object to_json(const ForecastAnswer& answer) {
  json::object object = {{"question", answer.question.name},
                         {"horizon_days", answer.question.horizon_days()},
                         {"kind", answer.question.kind() == OutcomeKind::money ? "money" : "probability"},
                         {"value", or_null(answer.value)}};
  if (answer.value) {
    object["family"] = answer.family;
    object["quality"] = quality_to_json(answer);
  } else {
    object["reason"] = answer.reason;
  }
  return object;
}

}  // namespace

UserForecasts forecasts_of(const Forecasts& forecasts, const Definition& definition, const Subject& subject,
                           std::string user_id, TimeMs now, const RawForecast& raw) {
  UserForecasts all{std::move(user_id), now, {}, {}};
  for (const QuestionForecast& each : forecasts.questions()) {
    ForecastAnswer& answer = all.answers.emplace_back(ForecastAnswer{.question = each.question});
    const Result<Prediction> prediction = forecasts.predict(each.question.name, subject, now, raw);
    if (!prediction.ok()) {
      answer.reason = prediction.status().message();
      continue;
    }
    answer.value = prediction->value;
    answer.family = prediction->by->family;
    answer.probability = prediction->by->probability;
    answer.amount = prediction->by->amount;
  }
  const std::string& activity = definition.signals[definition.activity].name;
  if (auto curve = forecasts.survival(activity, subject, now, kSurvivalDays); curve.ok())
    all.survival = std::move(curve).value();
  return all;
}

std::string quality_in_words(const ForecastAnswer& answer) {
  if (answer.probability)
    return fmt::format("AUC {:.2f}, Brier skill {:.2f}", answer.probability->auc,
                       answer.probability->brier_skill.value);
  return answer.amount ? fmt::format("mean absolute error {:.2f}", answer.amount->mean_absolute_error.value) : "";
}

json::object to_json(const UserForecasts& forecasts) {
  json::array answers;
  for (const ForecastAnswer& answer : forecasts.answers) answers.push_back(to_json(answer));
  json::array survival;
  for (const SurvivalPoint& point : forecasts.survival)
    survival.push_back(json::object{{"days", point.days}, {"probability", point.probability}});
  return {{"user_id", forecasts.user_id},
          {"at", format_iso8601(forecasts.at)},
          {"forecasts", std::move(answers)},
          {"survival", std::move(survival)}};
}

}  // namespace perennial
