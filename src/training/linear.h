// A linear layer whose product may be of bfloat16.
#pragma once

#include <torch/torch.h>

namespace perennial {

enum class Precision { float32, bfloat16 };  // of matrix products; sums, norms and parameters are float32

/// bfloat16 when the processor has instructions for it, float32 otherwise.
Precision best_precision();

struct LinearImpl : torch::nn::Module {
  LinearImpl(int64_t in, int64_t out, Precision precision, double scale = 1);
  torch::Tensor forward(const torch::Tensor& x);  // (N, in) -> (N, out)
  torch::Tensor weight, bias;
  Precision precision;
};
TORCH_MODULE(Linear);

}  // namespace perennial
