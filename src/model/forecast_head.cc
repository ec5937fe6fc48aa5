#include "model/forecast_head.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace perennial {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return x > 30 ? x : std::log1p(std::exp(x)); }

Status take(const SafetensorsFile& weights, const std::string& name, const std::vector<int64_t>& shape,
            std::vector<float>& out) {
  const auto found = weights.tensors.find(name);
  if (found == weights.tensors.end()) return data_loss("the model file has no tensor '{}'", name);
  if (found->second.shape != shape)
    return data_loss("tensor '{}' has shape ({}), the config wants ({})", name, fmt::join(found->second.shape, ", "),
                     fmt::join(shape, ", "));
  out = found->second.values;
  if (!std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); }))
    return data_loss("tensor '{}' holds a value that is not finite", name);
  return {};
}

}  // namespace

Result<ForecastHead> ForecastHead::create(ForecastHeadConfig config, int32_t width, int32_t types,
                                          const SafetensorsFile& weights) {
  ForecastHead head;
  const auto features = static_cast<int64_t>(config.features.size());
  const int64_t outputs = config.outputs();
  constexpr int64_t kHidden = ForecastHeadConfig::kHidden;
  PERENNIAL_TRY(take(weights, "forecast.mean", {features}, head.mean_));
  PERENNIAL_TRY(take(weights, "forecast.scale", {features}, head.scale_));
  PERENNIAL_TRY(take(weights, "forecast.in.weight", {kHidden, width + features}, head.in_));
  PERENNIAL_TRY(take(weights, "forecast.in.bias", {kHidden}, head.in_bias_));
  PERENNIAL_TRY(take(weights, "forecast.out.weight", {outputs, kHidden}, head.out_));
  PERENNIAL_TRY(take(weights, "forecast.out.bias", {outputs}, head.out_bias_));
  PERENNIAL_TRY(take(weights, "forecast.wide", {outputs, features}, head.wide_));
  PERENNIAL_TRY(take(weights, "forecast.next_type.weight", {types, width}, head.type_));
  PERENNIAL_TRY(take(weights, "forecast.next_type.bias", {types}, head.type_bias_));
  if (std::any_of(head.scale_.begin(), head.scale_.end(), [](float scale) { return scale <= 0; }))
    return data_loss("tensor 'forecast.scale' holds a value that is not above 0");
  head.config_ = std::move(config);
  head.width_ = static_cast<size_t>(width);
  return head;
}

HeadForecast ForecastHead::read(std::span<const float> h, std::span<const double> features) const {
  PERENNIAL_CHECK(features.size() == mean_.size(), "{} features, want {}", features.size(), mean_.size());
  PERENNIAL_CHECK(h.empty() || h.size() == width_, "a vector of {} numbers, want {}", h.size(), width_);
  const std::vector<double> o = outputs(h, features);
  HeadForecast forecast;
  double survival = 1;
  size_t at = 0;
  for (; at < config_.hazard_days.size(); ++at) forecast.survival.push_back(survival *= 1 - sigmoid(o[at]));
  for (size_t i = 0; i < config_.outcomes.size(); ++i) forecast.outcomes.push_back(sigmoid(o[at++]));
  forecast.spends = sigmoid(o[at]);
  const double deviation = softplus(o[at + 2]) + 0.05;
  forecast.spend = forecast.spends * std::exp(std::min(o[at + 1] + deviation * deviation / 2, kLargestLogMoney));
  return forecast;
}

std::vector<double> ForecastHead::outputs(std::span<const float> h, std::span<const double> features) const {
  const size_t F = features.size();
  const size_t D = width_;
  std::vector<double> x(D + F, 0);
  std::copy(h.begin(), h.end(), x.begin());
  for (size_t i = 0; i < F; ++i)
    x[D + i] = std::clamp((features[i] - static_cast<double>(mean_[i])) / static_cast<double>(scale_[i]), -5.0, 5.0);

  std::vector<double> hidden(in_bias_.begin(), in_bias_.end());
  for (size_t k = 0; k < hidden.size(); ++k) {
    for (size_t i = 0; i < x.size(); ++i) hidden[k] += static_cast<double>(in_[k * x.size() + i]) * x[i];
    hidden[k] *= sigmoid(hidden[k]);
  }
  std::vector<double> o(out_bias_.begin(), out_bias_.end());
  for (size_t j = 0; j < o.size(); ++j) {
    for (size_t k = 0; k < hidden.size(); ++k) o[j] += static_cast<double>(out_[j * hidden.size() + k]) * hidden[k];
    for (size_t i = 0; i < F; ++i) o[j] += static_cast<double>(wide_[j * F + i]) * x[D + i];
  }

  return o;
}

std::vector<double> ForecastHead::next_type(std::span<const float> h) const {
  std::vector<double> probabilities(type_bias_.begin(), type_bias_.end());
  for (size_t type = 0; type < probabilities.size(); ++type)
    for (size_t i = 0; i < h.size(); ++i)
      probabilities[type] += static_cast<double>(type_[type * h.size() + i]) * static_cast<double>(h[i]);
  const double largest = *std::max_element(probabilities.begin(), probabilities.end());
  double sum = 0;
  for (double& each : probabilities) sum += each = std::exp(each - largest);
  for (double& each : probabilities) each /= sum;
  return probabilities;
}

}  // namespace perennial
