#include "kernels/dense.h"

#include <algorithm>
#include <cmath>

#include "kernels/clones.h"

namespace perennial {
namespace {

constexpr size_t kLanes = 16;

// Independent partial sums, so that the compiler may vectorise without reordering a sum that the source fixes.
[[gnu::always_inline]] inline float dot_inline(const float* a, const float* b, size_t n) {
  float sums[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (size_t lane = 0; i < n; ++i, ++lane) sums[lane] += a[i] * b[i];
  for (size_t half = kLanes / 2; half > 0; half /= 2)
    for (size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

}  // namespace

PERENNIAL_CLONES float dot(const float* a, const float* b, size_t n) { return dot_inline(a, b, n); }

PERENNIAL_CLONES void axpy(float scale, const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

PERENNIAL_CLONES void matvec(const float* x, const float* weights, const float* bias, float* y, size_t in, size_t out) {
  std::copy_n(bias, out, y);
  for (size_t i = 0; i < in; ++i) {
    const float factor = x[i];
    const float* row = weights + i * out;
    for (size_t j = 0; j < out; ++j) y[j] += factor * row[j];
  }
}

PERENNIAL_CLONES void layer_norm(const float* x, const float* gain, const float* bias, float* y, size_t n) {
  float sum = 0;
  for (size_t i = 0; i < n; ++i) sum += x[i];
  const float mean = sum / static_cast<float>(n);
  float squares = 0;
  for (size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0F / std::sqrt(squares / static_cast<float>(n) + 1e-5F);
  for (size_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
}

void softmax(float* x, size_t n) {
  const float largest = *std::max_element(x, x + n);
  float sum = 0;
  for (size_t i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - largest);
    sum += x[i];
  }
  for (size_t i = 0; i < n; ++i) x[i] /= sum;
}

void gelu(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = 0.5F * x[i] * (1.0F + std::erf(x[i] * 0.70710678F));
}

void silu(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = x[i] / (1.0F + std::exp(-x[i]));
}

PERENNIAL_CLONES void score_rows(const float* matrix, const float* bias, const float* x, float* scores, size_t rows,
                                 size_t n) {
  for (size_t row = 0; row < rows; ++row) scores[row] = bias[row] + dot_inline(matrix + row * n, x, n);
}

}  // namespace perennial
