// All forecasts of one user at an instant, each with the quality that such forecasts had on time held out, for people.
// Covered by forecast/transformer_forecast_test.cc.
#pragma once

#include "forecast/forecasts.h"

namespace perennial {

struct ForecastAnswer {
  Question question;
  std::optional<double> value;  // a probability, or money in major units; none: see reason
  std::string reason;           // why there is none
  std::string family;           // that answered
  std::optional<ProbabilityQuality> probability;
  std::optional<AmountQuality> amount;
};

struct UserForecasts {
  std::string user_id;
  TimeMs at = 0;
  std::vector<ForecastAnswer> answers;
  std::vector<SurvivalPoint> survival;  // of the next event of the definition's activity; empty: nothing is known
};

/// `raw` as Forecasts::predict has it.
UserForecasts forecasts_of(const Forecasts& forecasts, const Definition& definition, const Subject& subject,
                           std::string user_id, TimeMs now, const RawForecast& raw = {});

/// "AUC 0.86, Brier skill 0.13".
std::string quality_in_words(const ForecastAnswer& answer);

json::object to_json(const UserForecasts& forecasts);

}  // namespace perennial
