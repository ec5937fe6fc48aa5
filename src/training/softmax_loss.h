// Softmax cross-entropy over items, computed in tiles of rows with its gradient, so that all logits never exist at
// once. Covered by training/training_test.cc against the composed formula. Formulas: docs/kernels/softmax_loss.md.
#pragma once

#include <torch/torch.h>

#include "training/transformer_module.h"

namespace perennial {

/// mean over n of  log sum_j exp(u_n . item_j + bias_j) - (u_n . item_t + bias_t),  t = targets[n].
/// u (n, D), items (V, D), bias (V) float32; targets (n) int64 in [0, V). Differentiable in u, items, bias. n = 0 gives
/// 0.
torch::Tensor full_softmax_loss(const torch::Tensor& u, const torch::Tensor& items, const torch::Tensor& bias,
                                const torch::Tensor& targets, Precision precision);

/// The same over the target and `negatives` items drawn uniformly, shared by all rows; each negative stands for
/// V/negatives items, and one that is the row's target is left out. An estimate of the full loss; draws from
/// libtorch's global generator.
torch::Tensor sampled_softmax_loss(const torch::Tensor& u, const torch::Tensor& items, const torch::Tensor& bias,
                                   const torch::Tensor& targets, int64_t negatives, Precision precision);

}  // namespace perennial
