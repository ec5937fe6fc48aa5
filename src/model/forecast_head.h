// What the behaviour Transformer says about a user's future, from the history vector and a few facts about the user.
//
// With h (D) the history vector, zero for nobody's, and f (F) the features, standardised with the training's mean and
// scale and clamped to [-5, 5]:
//   o = out(silu(in([h, f]))) + wide(f)                     O = hazards + outcomes + 3 numbers
// hazard j = sigmoid(o_j): the next event comes in interval j after the moment of asking, given that it has not come
// before; survival is the product of (1 - hazard). Outcomes are sigmoids. Money is zero-inflated log-normal: with
// probability sigmoid(p) there is some, then log money is normal of mean m and deviation softplus(s) + 0.05.
// The type of the next event (E types) is softmax(next_type(h)).
// The same in libtorch: training/forecast_module.h. Covered by training/forecast_module_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/safetensors.h"

namespace perennial {

/// The shape of the head: `forecasts` of a model's config.json.
struct ForecastHeadConfig {
  static constexpr int kHidden = 64;

  std::vector<std::string> features;  // their names, in order
  std::vector<double> hazard_days;    // rising: the ends of the intervals, the first begins at 0
  std::vector<std::string> outcomes;  // questions answered with a probability each
  std::string spend;                  // the question answered with money; empty: none
  std::string definition_digest;      // of the stages that labels and features followed from

  [[nodiscard]] int64_t hazards() const { return static_cast<int64_t>(hazard_days.size()); }
  [[nodiscard]] int64_t outputs() const { return hazards() + static_cast<int64_t>(outcomes.size()) + 3; }

  bool operator==(const ForecastHeadConfig&) const = default;
};

struct HeadForecast {
  std::vector<double> survival;  // at the end of each interval: the probability of no event until then
  std::vector<double> outcomes;  // probabilities
  double spend = 0;              // expected money
  double spends = 0;             // probability that it is not zero
};

/// Thread rule: immutable.
class ForecastHead {
 public:
  /// data_loss, naming the tensor, when one is missing, of another shape, or not finite. `width` is D, `types` E.
  static Result<ForecastHead> create(ForecastHeadConfig config, int32_t width, int32_t types,
                                     const SafetensorsFile& weights);

  [[nodiscard]] const ForecastHeadConfig& config() const { return config_; }

  /// h (D) or empty for a user without history; features (F) as they are, not standardised.
  [[nodiscard]] HeadForecast read(std::span<const float> h, std::span<const double> features) const;

  /// Probabilities (E) of the types of the next event, given that it comes; h (D).
  [[nodiscard]] std::vector<double> next_type(std::span<const float> h) const;

 private:
  ForecastHead() = default;
  [[nodiscard]] std::vector<double> outputs(std::span<const float> h, std::span<const double> features) const;

  ForecastHeadConfig config_;
  size_t width_ = 0;
  std::vector<float> mean_, scale_;           // (F)
  std::vector<float> in_, in_bias_;           // (kHidden, D + F), (kHidden)
  std::vector<float> out_, out_bias_, wide_;  // (O, kHidden), (O), (O, F)
  std::vector<float> type_, type_bias_;       // (E, D), (E)
};

/// Of the logarithm of expected money: exp of a wild output must stay finite.
inline constexpr double kLargestLogMoney = 20;

}  // namespace perennial
