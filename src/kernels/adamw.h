// AdamW's step in one pass over a parameter. Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization.
#pragma once

#include <cstddef>
#include <cstdint>

namespace perennial {

struct AdamWStep {
  float learning_rate = 1e-3F;
  float beta1 = 0.9F, beta2 = 0.98F;
  float epsilon = 1e-8F;
  float weight_decay = 0.01F;
  int64_t step = 1;  // from 1: corrects the moments' start at zero
};

/// values, mean and square (n) are moved by gradient (n). Nothing overlaps.
void adamw(const AdamWStep& step, const float* gradient, float* values, float* mean, float* square, size_t n);

}  // namespace perennial
