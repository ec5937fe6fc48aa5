#include "training/forecast_module.h"

namespace perennial {
namespace {

using torch::Tensor;
using torch::indexing::Slice;

constexpr double kLargestFeature = 5;
constexpr double kForgotten = 0.1;
constexpr double kDropout = 0.2;
constexpr double kLeastDeviation = 0.05;
constexpr double kHalfLogTwoPi = 0.9189385332046727;

/// -log of the probability of label 0 or 1, from the logit.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels) { return torch::softplus(logits) - logits * labels; }

/// Mean of x where the mask is 1; 0 when it is nowhere.
Tensor masked_mean(const Tensor& x, const Tensor& mask) { return (x * mask).sum() / mask.sum().clamp_min(1); }

/// Zero-inflated log-normal; p, m, s (Q) as model/forecast_head.h has them, money (Q) or -1.
Tensor money_loss(const Tensor& p, const Tensor& m, const Tensor& s, const Tensor& money) {
  const Tensor known = (money >= 0).to(torch::kFloat32);
  const Tensor some = (money > 0).to(torch::kFloat32);
  const Tensor deviation = torch::softplus(s) + kLeastDeviation;
  const Tensor z = (torch::log(money.clamp_min(0.01)) - m) / deviation;
  const Tensor amount = 0.5 * z * z + torch::log(deviation) + kHalfLogTwoPi;
  return masked_mean(cross_entropy(p, some), known) + masked_mean(amount, some);
}

}  // namespace

ForecastModuleImpl::ForecastModuleImpl(const ForecastHeadConfig& config, int64_t width, int64_t types)
    : config_(config) {
  const auto features = static_cast<int64_t>(config.features.size());
  mean_ = register_buffer("mean", torch::zeros({features}));
  scale_ = register_buffer("scale", torch::ones({features}));
  wide_ = register_parameter("wide", torch::zeros({config.outputs(), features}));
  in_ = register_module("in", Linear(width + features, ForecastHeadConfig::kHidden, Precision::float32));
  out_ = register_module("out", Linear(ForecastHeadConfig::kHidden, config.outputs(), Precision::float32, 0.1));
  next_type_ = register_module("next_type", Linear(width, types, Precision::float32));
}

void ForecastModuleImpl::set_scaling(const std::vector<float>& mean, const std::vector<float>& scale) {
  const torch::NoGradGuard no_grad;
  mean_.copy_(torch::tensor(mean));
  scale_.copy_(torch::tensor(scale));
}

Tensor ForecastModuleImpl::outputs(const Tensor& h, const ForecastQueries& queries) {
  Tensor has_history = (queries.rows >= 0).to(torch::kFloat32);
  if (is_training()) has_history = has_history * (torch::rand(has_history.sizes()) >= kForgotten).to(torch::kFloat32);
  const Tensor read = h.index_select(0, queries.rows.clamp_min(0)) * has_history.unsqueeze(1);
  const Tensor f = ((queries.features - mean_) / scale_).clamp(-kLargestFeature, kLargestFeature);
  const Tensor hidden = torch::silu(in_(torch::cat({read, f}, 1)));
  return out_(is_training() ? torch::dropout(hidden, kDropout, true) : hidden) + torch::linear(f, wide_);
}

Tensor ForecastModuleImpl::loss(const Tensor& h, const ForecastQueries& queries) {
  const Tensor o = outputs(h, queries);
  const int64_t hazards = config_.hazards();
  const auto asked = static_cast<int64_t>(config_.outcomes.size());
  const Tensor of_hazards = cross_entropy(o.index({Slice(), Slice(0, hazards)}), queries.hazard_event);
  Tensor total = (of_hazards * queries.hazard_seen).sum() / std::max<int64_t>(1, queries.size());
  const Tensor labels = queries.outcomes;
  const Tensor of_outcomes = cross_entropy(o.index({Slice(), Slice(hazards, hazards + asked)}), labels.clamp_min(0));
  for (int64_t i = 0; i < asked; ++i)
    total = total + masked_mean(of_outcomes.select(1, i), (labels.select(1, i) >= 0).to(torch::kFloat32));
  if (config_.spend.empty()) return total;
  const int64_t at = hazards + asked;
  return total + money_loss(o.select(1, at), o.select(1, at + 1), o.select(1, at + 2), queries.spend);
}

Tensor ForecastModuleImpl::next_type_loss(const Tensor& h, const Tensor& next_types) {
  const Tensor rows = torch::nonzero(next_types >= 0).squeeze(1);
  if (rows.size(0) == 0) return torch::zeros({});
  return torch::cross_entropy_loss(next_type_(h.index_select(0, rows)), next_types.index_select(0, rows));
}

}  // namespace perennial
