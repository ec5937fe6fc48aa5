#include "kernels/adamw.h"

#include <cmath>

#include "kernels/clones.h"

namespace perennial {
namespace {

PERENNIAL_CLONES void move(const float* __restrict gradient, float* __restrict values, float* __restrict mean,
                           float* __restrict square, size_t n, float beta1, float beta2, float rate, float kept,
                           float square_scale, float epsilon) {
  for (size_t i = 0; i < n; ++i) {
    const float g = gradient[i];
    const float m = beta1 * mean[i] + (1 - beta1) * g;
    const float v = beta2 * square[i] + (1 - beta2) * g * g;
    mean[i] = m;
    square[i] = v;
    values[i] = values[i] * kept - rate * m / (std::sqrt(v * square_scale) + epsilon);
  }
}

}  // namespace

void adamw(const AdamWStep& step, const float* gradient, float* values, float* mean, float* square, size_t n) {
  const auto t = static_cast<double>(step.step);
  const double mean_scale = 1 / (1 - std::pow(static_cast<double>(step.beta1), t));
  const double square_scale = 1 / (1 - std::pow(static_cast<double>(step.beta2), t));
  move(gradient, values, mean, square, n, step.beta1, step.beta2, static_cast<float>(step.learning_rate * mean_scale),
       1 - step.learning_rate * step.weight_decay, static_cast<float>(square_scale), step.epsilon);
}

}  // namespace perennial
