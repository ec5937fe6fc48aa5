// The behaviour Transformer with its gradients: by the fused kernels, or composed from libtorch operations, which is
// the reference for them and takes the shapes that they do not. The formulas stand in model/transformer.h; parameter
// names here are the tensor names of the model file.
#pragma once

#include <torch/torch.h>

#include "base/safetensors.h"
#include "model/config.h"
#include "training/forecast_module.h"
#include "training/fused_steps.h"
#include "training/linear.h"

namespace perennial {

/// Whole sequences laid end to end, N tokens, no padding between them; sequence borders by `segment`.
struct PackedBatch {
  torch::Tensor items, types, values, gaps;  // (N) int64: rows of the tables; values and gaps are buckets
  torch::Tensor segment;                     // (N) int64: tokens of one sequence share a number
  torch::Tensor targets;                     // (N) int64: the next item, or -1 where nothing is to be predicted
  torch::Tensor elapsed;                     // (N) int64: read-time gap bucket, 0 unknown
  torch::Tensor feature_ids;                 // (M) int64: read-time features of all tokens in order
  torch::Tensor feature_starts;              // (N) int64: where those of each token start
  int64_t predictions = 0;                   // targets that are not -1
  torch::Tensor next_types;                  // (N) int64: the next token's type, or -1; read by the forecast head only
  ForecastQueries queries;                   // of the batch's users; none without a forecast head
};

class TransformerModuleImpl : public torch::nn::Module {
 public:
  /// Composed where the kernels do not take the shape, and where they are null.
  TransformerModuleImpl(const ModelConfig& config, Precision precision, double dropout, const FusedKernels* kernels);

  /// Before the first step: turns each item's vector to its row of `directions` (items, D), of length 1 or 0, at the
  /// length that random ones have; where the row is 0 the vector stays.
  void point_items(const torch::Tensor& directions);

  /// h (N, D) of every token. The items' gradient is sparse where the kernels make it and `sparse_items` says so.
  torch::Tensor history_vectors(const PackedBatch& batch, bool sparse_items = false);

  /// u (n, D) from h (n, D) and the batch's read-time inputs at the given token indices (n).
  torch::Tensor user_vectors(const torch::Tensor& h, const PackedBatch& batch, const torch::Tensor& rows);

  struct Loss {
    torch::Tensor next_item;  // the mean over the batch's predictions, natural log; 0 without any
    torch::Tensor forecast;   // of the forecast head and the next type; undefined without a head
  };
  Loss loss(const PackedBatch& batch, int64_t shared_negatives);

  /// Null without a forecast head.
  [[nodiscard]] ForecastModule forecast() const { return forecast_; }

  /// Of parameters that `instead` names, its values.
  [[nodiscard]] SafetensorsFile export_weights(const std::map<std::string, torch::Tensor>& instead = {}) const;

 private:
  struct Layer {
    torch::nn::LayerNorm attention_norm{nullptr}, feed_forward_norm{nullptr};
    Linear query{nullptr}, key{nullptr}, value{nullptr}, out{nullptr}, up{nullptr}, down{nullptr};
  };

  torch::Tensor composed_history(const PackedBatch& batch);
  torch::Tensor composed_loss(const torch::Tensor& h, const PackedBatch& batch, int64_t shared_negatives);
  [[nodiscard]] std::vector<torch::Tensor> history_parameters() const;
  [[nodiscard]] std::vector<torch::Tensor> read_parameters() const;
  torch::Tensor attention(Layer& layer, const torch::Tensor& normed, const torch::Tensor& mask,
                          const torch::Tensor& cosine, const torch::Tensor& sine);
  torch::Tensor drop(const torch::Tensor& x);

  ModelConfig config_;
  Precision precision_;
  double dropout_;
  torch::nn::Embedding items_{nullptr}, types_{nullptr}, values_{nullptr}, gaps_{nullptr}, elapsed_{nullptr};
  torch::Tensor features_, item_bias_;
  std::vector<Layer> layers_;
  torch::nn::LayerNorm final_norm_{nullptr};
  Linear mix_in_{nullptr}, mix_out_{nullptr};
  ForecastModule forecast_{nullptr};
  std::unique_ptr<FusedSteps> fused_;  // null: composed
};
TORCH_MODULE(TransformerModule);

}  // namespace perennial
