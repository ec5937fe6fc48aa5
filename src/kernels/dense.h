// The dense maths of inference on raw pointers, float32: plain loops, compiled for AVX-512, AVX2 and the baseline, the
// best one taken at load time. All pointers are borrowed; outputs are overwritten and must not alias inputs unless
// said. Error of a sum of n products: at most n eps sum |a_i b_i|; results are the same on every run of one machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace perennial {

/// sum of a[i] * b[i], i < n.
float dot(const float* a, const float* b, size_t n);

/// y[i] += scale * x[i], i < n.
void axpy(float scale, const float* x, float* y, size_t n);

/// y (out) = bias (out) + x (in) times weights (in, out), row major.
void matvec(const float* x, const float* weights, const float* bias, float* y, size_t in, size_t out);

/// x (n) in 16 bits: x[i] is the returned scale times to[i * stride], within 1/65,534 of the largest |x|. Below 1e-30
/// all are 0. x must be finite.
float to_int16(const float* x, int16_t* to, size_t stride, size_t n);

/// scores (columns) = query (n) times matrix (n, columns), row i of which starts at matrix + i * stride.
void score_columns(const float* query, const int16_t* matrix, size_t stride, float* scores, size_t n, size_t columns);

/// y (n) = weights (rows) times matrix (rows, n), row i of which starts at matrix + i * stride.
void mix_rows(const float* weights, const int16_t* matrix, size_t stride, float* y, size_t rows, size_t n);

/// y (n) = (x - mean) / sqrt(variance + 1e-5) * gain + bias; two-pass variance over n. y may be x.
void layer_norm(const float* x, const float* gain, const float* bias, float* y, size_t n);

/// x (n) becomes exp(x - max) / sum, in place, each within 4 units in the last place. n > 0.
void softmax(float* x, size_t n);

/// x (n) becomes x * Phi(x) (GELU), in place, Phi within 2e-7.
void gelu(float* x, size_t n);

/// x (n) becomes x * sigmoid(x), in place, the sigmoid within 2e-7.
void silu(float* x, size_t n);

/// scores (rows) = matrix (rows, n) times x (n), plus bias (rows).
void score_rows(const float* matrix, const float* bias, const float* x, float* scores, size_t rows, size_t n);

/// What score_rows writes for the `count` rows that `rows` names, to the bit.
void score_some_rows(const float* matrix, const float* bias, const float* x, const int32_t* rows, float* scores,
                     size_t count, size_t n);

}  // namespace perennial
