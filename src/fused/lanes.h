// Sixteen floats at a time, written once for every instruction set: the compiler's vector extension. Included only by
// the files that compile the fused kernels, each with flags of its own, so everything here has internal linkage.
// Covered by fused/product_test.cc.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace perennial {
namespace {

constexpr int kLanes = 16;
typedef float Lanes __attribute__((vector_size(64)));
typedef int32_t IntLanes __attribute__((vector_size(64)));
typedef uint32_t BitLanes __attribute__((vector_size(64)));

inline Lanes load(const float* source) {
  Lanes x;
  std::memcpy(&x, source, sizeof x);
  return x;
}
inline void store(float* target, Lanes x) { std::memcpy(target, &x, sizeof x); }
inline Lanes fill(float value) { return Lanes{} + value; }
inline void add_to(float* target, Lanes x) { store(target, load(target) + x); }

#if defined(__AVX512F__)
inline float sum_of(Lanes x) { return _mm512_reduce_add_ps((__m512)x); }
inline float largest_of(Lanes x) { return _mm512_reduce_max_ps((__m512)x); }
#else
inline float sum_of(Lanes x) {
  float values[kLanes];
  store(values, x);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) values[i] += values[i + half];
  return values[0];
}
inline float largest_of(Lanes x) {
  float values[kLanes];
  store(values, x);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) values[i] = values[i] > values[i + half] ? values[i] : values[i + half];
  return values[0];
}
#endif

#if defined(__AVX512F__)
/// e^x, relative error at most 2^-22 (1 + |x|); 0 and infinity where a float ends.
inline Lanes exp_of(Lanes x) {
  const __m512 scaled = (__m512)(x * 1.44269504F);
  const Lanes r = (Lanes)_mm512_reduce_ps(scaled, 0);  // what rounding to the nearest whole number leaves
  Lanes p = r * 1.339086336e-3F + 9.676031918e-3F;     // 2^r over [-0.5, 0.5], through Chebyshev's nodes
  p = p * r + 5.550357114e-2F;
  p = p * r + 2.402210749e-1F;
  p = p * r + 6.931471880e-1F;
  p = p * r + 1.0F;
  return (Lanes)_mm512_scalef_ps((__m512)p, (__m512)((Lanes)scaled - r));
}
/// 1 / x, relative error at most 2^-22.
inline Lanes inverse_of(Lanes x) {
  const Lanes near = (Lanes)_mm512_rcp14_ps((__m512)x);
  return near * (2.0F - x * near);
}
#else
/// e^x within 2 ulp; 0 below -87, and e^88 above 88.
inline Lanes exp_of(Lanes x) {
  constexpr float kShift = 12'582'912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const IntLanes vanishes = x < -87.0F;
  x = x > 88.0F ? fill(88.0F) : x;
  const Lanes shifted = x * 1.44269504F + kShift;
  const Lanes whole = shifted - kShift;
  const Lanes r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
  Lanes p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const Lanes scaled = (Lanes)((IntLanes)p + ((IntLanes)shifted << 23));
  return vanishes ? Lanes{} : scaled;
}
inline Lanes inverse_of(Lanes x) { return 1.0F / x; }
#endif

/// Of the standard normal distribution at x: its distribution function and its density. Error at most 2e-7.
/// Source: Abramowitz and Stegun, 7.1.26.
struct Normal {
  Lanes below, density;
};
inline Normal normal_of(Lanes x) {
  const Lanes size = x < 0.0F ? -x : x;
  const Lanes bell = exp_of(x * x * -0.5F);
  const Lanes t = inverse_of(size * (0.3275911F * 0.70710678F) + 1.0F);
  Lanes p = t * 1.061405429F - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  const Lanes above = p * t * bell * 0.5F;  // of |x|
  return {x < 0.0F ? above : 1.0F - above, bell * 0.39894228F};
}

/// exp_of is finite here: below -80 the result is 0 to a float's precision beside anything it is added to.
inline Lanes logistic_of(Lanes x) { return inverse_of(exp_of(x < -80.0F ? fill(80.0F) : -x) + 1.0F); }

// --- operands of matrix products ------------------------------------------------------------------------------------
// A product takes kSize neighbours along the summed dimension at once: two in bfloat16, one in float32. A matrix whose
// rows are summed over is kept "grouped": element (k, n) of (K, N) at ((k / kSize) * N + n) * kSize + k % kSize.

struct Bfloat16 {
  uint16_t bits;
};

template <class Operand>
struct Group;  // kSize; functions below are overloaded by operand
template <>
struct Group<float> {
  static constexpr int kSize = 1;
};
template <>
struct Group<Bfloat16> {
  static constexpr int kSize = 2;
};

inline void store_row(float* target, Lanes x) { store(target, x); }
inline Lanes load_row(const float* source) { return load(source); }
/// Two neighbouring rows of a grouped matrix of N columns; `target` is the place of the even row's first element.
inline void store_two_rows(float* target, int columns, Lanes even, Lanes odd) {
  store(target, even);
  store(target + columns, odd);
}

#if defined(__AVX512BF16__)
inline void store_row(Bfloat16* target, Lanes x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), (__m256i)_mm512_cvtneps_pbh((__m512)x));
}
inline Lanes load_row(const Bfloat16* source) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(source)));
  return (Lanes)_mm512_slli_epi32(wide, 16);
}
inline void store_two_rows(Bfloat16* target, int, Lanes even, Lanes odd) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)even));
  const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)odd));
  _mm512_storeu_si512(target, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
#endif

}  // namespace
}  // namespace perennial
