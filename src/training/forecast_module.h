// The forecast head composed from libtorch operations, trained beside the next item. The formulas stand in
// model/forecast_head.h; parameter names here are the tensor names of the model file, after "forecast.".
// Covered by training/forecast_module_test.cc.
#pragma once

#include <torch/torch.h>

#include "model/forecast_head.h"
#include "training/linear.h"

namespace perennial {

/// Q moments at which something was asked of users of a batch, and what came of it.
struct ForecastQueries {
  torch::Tensor rows;          // (Q) int64: the token read last, or -1: none yet
  torch::Tensor features;      // (Q, F) float32, as they are
  torch::Tensor hazard_seen;   // (Q, hazards) float32: 1 where the interval is known, 0 elsewhere
  torch::Tensor hazard_event;  // (Q, hazards): 1 in the interval in which the event came
  torch::Tensor outcomes;      // (Q, outcomes): 0, 1, or -1 where it is not known
  torch::Tensor spend;         // (Q): money, or -1 where it is not known

  [[nodiscard]] int64_t size() const { return rows.defined() ? rows.size(0) : 0; }
};

class ForecastModuleImpl : public torch::nn::Module {
 public:
  /// `width` D, `types` E.
  ForecastModuleImpl(const ForecastHeadConfig& config, int64_t width, int64_t types);

  /// The features' mean and scale, (F) each; scale above 0.
  void set_scaling(const std::vector<float>& mean, const std::vector<float>& scale);

  /// o (Q, O) from h (N, D), of which queries.rows are read. In training a tenth of the queries forgets its history, so
  /// that users without one are no surprise.
  torch::Tensor outputs(const torch::Tensor& h, const ForecastQueries& queries);

  /// Negative log likelihood, natural log: of the hazards summed over the intervals seen, a query; plus each outcome's
  /// and money's averaged over the queries in which it is known.
  torch::Tensor loss(const torch::Tensor& h, const ForecastQueries& queries);

  /// Of the type of the next token, (N) int64 or -1; mean over the others.
  torch::Tensor next_type_loss(const torch::Tensor& h, const torch::Tensor& next_types);

 private:
  ForecastHeadConfig config_;
  torch::Tensor mean_, scale_, wide_;
  Linear in_{nullptr}, out_{nullptr}, next_type_{nullptr};
};
TORCH_MODULE(ForecastModule);

}  // namespace perennial
