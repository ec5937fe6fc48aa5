#include "kernels/dense.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/fetch.h"
#include "kernels/clones.h"

namespace perennial {
namespace {

constexpr size_t kLanes = 16;

// Sums and the like have independent parts, so that the compiler may vectorise without reordering what the source
// fixes.

/// combine of all of(i), i < n, and `start`, which changes no result.
template <class Of, class Combine>
[[gnu::always_inline]] inline float reduce(size_t n, float start, Of of, Combine combine) {
  float parts[kLanes];
  for (float& part : parts) part = start;
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) parts[lane] = combine(parts[lane], of(i + lane));
  for (size_t lane = 0; i < n; ++i, ++lane) parts[lane] = combine(parts[lane], of(i));
  for (size_t half = kLanes / 2; half > 0; half /= 2)
    for (size_t lane = 0; lane < half; ++lane) parts[lane] = combine(parts[lane], parts[lane + half]);
  return parts[0];
}

template <class Of>
[[gnu::always_inline]] inline float sum_of(size_t n, Of of) {
  return reduce(n, 0, of, [](float a, float b) { return a + b; });
}

template <class Of>
[[gnu::always_inline]] inline float largest_of(size_t n, float least, Of of) {
  return reduce(n, least, of, [](float a, float b) { return a < b ? b : a; });
}

[[gnu::always_inline]] inline float dot_inline(const float* a, const float* b, size_t n) {
  return sum_of(n, [=](size_t i) { return a[i] * b[i]; });
}

/// The next columns of what add_rows adds, kColumns at a time; where it stopped.
template <size_t kColumns, typename Number>
[[gnu::always_inline]] inline size_t add_columns(const float* weights, const Number* matrix, size_t stride, float* y,
                                                 size_t rows, size_t j, size_t n) {
  for (; j + kColumns <= n; j += kColumns) {
    float sums[kColumns];
    for (size_t lane = 0; lane < kColumns; ++lane) sums[lane] = y[j + lane];
    for (size_t i = 0; i < rows; ++i)
      for (size_t lane = 0; lane < kColumns; ++lane)
        sums[lane] += weights[i] * static_cast<float>(matrix[i * stride + j + lane]);
    for (size_t lane = 0; lane < kColumns; ++lane) y[j + lane] = sums[lane];
  }
  return j;
}

/// y (n) += weights (rows) times matrix (rows, n), a few registers of y at a time.
template <typename Number>
[[gnu::always_inline]] inline void add_rows(const float* weights, const Number* matrix, size_t stride, float* y,
                                            size_t rows, size_t n) {
  size_t j = add_columns<4 * kLanes>(weights, matrix, stride, y, rows, 0, n);
  j = add_columns<2 * kLanes>(weights, matrix, stride, y, rows, j, n);
  for (size_t i = 0; j < n && i < rows; ++i)
    for (size_t rest = j; rest < n; ++rest) y[rest] += weights[i] * static_cast<float>(matrix[i * stride + rest]);
}

/// e^x within 2 ulp for x in [-87, 88], 0 from -88 down, e^88 from there up: 2^k e^r, |r| <= ln 2 / 2, by its series.
/// No branches and no inner loops, so that loops of it become vectors.
[[gnu::always_inline]] inline float exp_inline(float x) {
  const float above = x > -88.0F ? x : -88.0F;
  const float bounded = above < 88.0F ? above : 88.0F;
  const float k = std::floor(bounded * 1.44269504F + 0.5F);
  const float r = (bounded - k * 0.693359375F) + k * 2.12194440e-4F;  // ln 2 in two parts
  float series = 1.0F / 5040 * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  return series * std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);  // k = -127: 0
}

/// Phi(x) within 1e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
[[gnu::always_inline]] inline float normal_cdf_inline(float x) {
  const float z = std::abs(x) * 0.70710678F;
  const float t = 1.0F / (1.0F + 0.3275911F * z);
  float polynomial = 1.061405429F * t - 1.453152027F;
  polynomial = polynomial * t + 1.421413741F;
  polynomial = polynomial * t - 0.284496736F;
  polynomial = polynomial * t + 0.254829592F;
  const float half_tail = std::copysign(0.5F * polynomial * t * exp_inline(-z * z), x);
  return (std::bit_cast<int32_t>(x) < 0 ? 0.0F : 1.0F) - half_tail;  // -0 too
}

}  // namespace

PERENNIAL_CLONES float dot(const float* a, const float* b, size_t n) { return dot_inline(a, b, n); }

PERENNIAL_CLONES void axpy(float scale, const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

PERENNIAL_CLONES void matvec(const float* x, const float* weights, const float* bias, float* y, size_t in, size_t out) {
  std::copy_n(bias, out, y);
  add_rows(x, weights, out, y, in, out);
}

PERENNIAL_CLONES float to_int16(const float* x, int16_t* to, size_t stride, size_t n) {
  constexpr float kMost = 32'767;
  constexpr float kLeast = 1e-30F;
  const float largest = largest_of(n, 0, [=](size_t i) { return std::abs(x[i]); });
  const float by = largest > kLeast ? kMost / largest : 0;
  for (size_t i = 0; i < n; ++i) to[i * stride] = static_cast<int16_t>(static_cast<int32_t>(std::nearbyint(x[i] * by)));
  return largest / kMost;
}

PERENNIAL_CLONES void score_columns(const float* query, const int16_t* matrix, size_t stride, float* scores, size_t n,
                                    size_t columns) {
  std::fill_n(scores, columns, 0.0F);
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {  // row by row, as it lies: it may come from far
    const int16_t* row = matrix + i * stride;
    const float a = query[i];
    const float b = query[i + 1];
    const float c = query[i + 2];
    const float d = query[i + 3];
    for (size_t j = 0; j < columns; ++j)
      scores[j] += (a * static_cast<float>(row[j]) + b * static_cast<float>(row[j + stride])) +
                   (c * static_cast<float>(row[j + 2 * stride]) + d * static_cast<float>(row[j + 3 * stride]));
  }
  for (; i < n; ++i)
    for (size_t j = 0; j < columns; ++j) scores[j] += query[i] * static_cast<float>(matrix[i * stride + j]);
}

PERENNIAL_CLONES void mix_rows(const float* weights, const int16_t* matrix, size_t stride, float* y, size_t rows,
                               size_t n) {
  std::fill_n(y, n, 0.0F);
  add_rows(weights, matrix, stride, y, rows, n);
}

PERENNIAL_CLONES void layer_norm(const float* x, const float* gain, const float* bias, float* y, size_t n) {
  const float mean = sum_of(n, [=](size_t i) { return x[i]; }) / static_cast<float>(n);
  const float squares = sum_of(n, [=](size_t i) { return (x[i] - mean) * (x[i] - mean); });
  const float scale = 1.0F / std::sqrt(squares / static_cast<float>(n) + 1e-5F);
  for (size_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
}

PERENNIAL_CLONES void softmax(float* x, size_t n) {
  const float largest = largest_of(n, x[0], [=](size_t i) { return x[i]; });
  for (size_t i = 0; i < n; ++i) x[i] = exp_inline(x[i] - largest);
  const float share = 1 / sum_of(n, [=](size_t i) { return x[i]; });
  for (size_t i = 0; i < n; ++i) x[i] *= share;
}

PERENNIAL_CLONES void gelu(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] *= normal_cdf_inline(x[i]);
}

PERENNIAL_CLONES void silu(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = x[i] / (1.0F + exp_inline(-x[i]));
}

PERENNIAL_CLONES void score_rows(const float* matrix, const float* bias, const float* x, float* scores, size_t rows,
                                 size_t n) {
  for (size_t row = 0; row < rows; ++row) scores[row] = bias[row] + dot_inline(matrix + row * n, x, n);
}

PERENNIAL_CLONES void score_some_rows(const float* matrix, const float* bias, const float* x, const int32_t* rows,
                                      float* scores, size_t count, size_t n) {
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) fetch(matrix + static_cast<size_t>(rows[i + kAhead]) * n, n * sizeof(float));
    const auto row = static_cast<size_t>(rows[i]);
    scores[i] = bias[row] + dot_inline(matrix + row * n, x, n);
  }
}

}  // namespace perennial
