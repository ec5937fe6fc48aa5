// A linear layer whose product may be of bfloat16.
#pragma once

#include <torch/torch.h>

#include "fused/fused.h"

namespace perennial {

struct LinearImpl : torch::nn::Module {
  LinearImpl(int64_t in, int64_t out, Precision precision, double scale = 1);
  torch::Tensor forward(const torch::Tensor& x);  // (N, in) -> (N, out)
  torch::Tensor weight, bias;
  Precision precision;
};
TORCH_MODULE(Linear);

}  // namespace perennial
