// The fused kernels as libtorch autograd functions. One object holds what lives from step to step: each thread's
// scratch memory and the rotation tables. Covered by training/fused_steps_test.cc against the composed module.
#pragma once

#include <torch/torch.h>

#include "fused/fused.h"

namespace perennial {

struct PackedBatch;

/// Thread rule: one step at a time: backward before the next batch goes forward, which is checked. Must outlive the
/// graphs of its results.
class FusedSteps {
 public:
  FusedSteps(const FusedShape& shape, const FusedKernels& kernels);

  /// h (N, D). `parameters`: items, types, values, gaps, then of each layer in the order of LayerPointers, then the
  /// final norm's gain and bias. The items' gradient is sparse where `sparse_items` says so.
  torch::Tensor history_vectors(torch::TensorList parameters, const PackedBatch& batch, FusedDropout dropout,
                                bool sparse_items);

  /// The mean over the batch's predictions, natural log; 0 without any. `read`: elapsed, features, mix_in weight and
  /// bias, mix_out weight and bias. Over `negatives` items drawn by libtorch's generator when > 0: the items' gradient
  /// is sparse then.
  torch::Tensor next_item_loss(const torch::Tensor& h, torch::TensorList read, const torch::Tensor& items,
                               const torch::Tensor& bias, const PackedBatch& batch, int64_t negatives);

 private:
  friend struct FusedHistory;
  friend struct FusedLoss;

  void prepare(const PackedBatch& batch);

  FusedShape shape_;
  const FusedKernels& kernels_;
  std::vector<Arena> arenas_;  // by thread
  Rotations rotations_;
  int64_t batches_ = 0;                       // seen: backward must follow its own forward
  std::vector<std::vector<int64_t>> starts_;  // by thread: its sequences' starts, and the end
};

}  // namespace perennial
