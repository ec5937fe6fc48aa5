// The Transformer's forecasts as a family beside the classical ones: what its head is told of a user, how its outputs
// answer the questions, and its labels in training. Covered by forecast/transformer_forecast_test.cc.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "forecast/features.h"
#include "forecast/questions.h"
#include "model/forecast_head.h"

namespace perennial {

inline constexpr std::string_view kTransformerFamily = "transformer";

/// The head that answers the definition's questions.
ForecastHeadConfig head_config(const Definition& definition);

/// failed_precondition when the head was trained under other stages, or reads other features than this program has.
Status check_head(const ForecastHeadConfig& head, const Definition& definition);

/// What the head reads of a user beside its history, in the order of head_config's names.
class HeadFeatures {
 public:
  explicit HeadFeatures(const Definition& definition);

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  /// Looks at no fact later than `now`.
  [[nodiscard]] std::vector<double> of(const Definition& definition, const Subject& subject, TimeMs now) const;

 private:
  std::vector<Features> parts_;                    // of the questions; what one repeats of an earlier is left out
  std::vector<std::pair<size_t, size_t>> picked_;  // part, and the feature in it
  std::vector<std::string> names_;
};

/// The answer to the question, a probability or money; nullopt for a question that the head does not know.
std::optional<double> answer_of(const HeadForecast& forecast, const ForecastHeadConfig& config,
                                const Question& question);

/// What came of a user after `now`, as far as it is known at `until`: what the head learns from.
struct HeadLabels {
  size_t hazards_seen = 0;      // intervals that are over by `until`, or by the event
  bool came = false;            // the event, in the last interval seen
  std::vector<float> outcomes;  // 0, 1, or -1: not asked, or not over
  float spend = -1;             // money, or -1: not over
};
HeadLabels labels_of(const ForecastHeadConfig& config, const Definition& definition, const Subject& subject, TimeMs now,
                     TimeMs until);

}  // namespace perennial
