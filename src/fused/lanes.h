// As many floats at a time as a register holds, written once for every instruction set: the compiler's vector
// extension. (Vectors wider than a register go through memory: a twentieth of the speed.) Included only by the files
// that compile the fused kernels, each with flags of its own, so everything here has internal linkage.
// Covered by fused/product_test.cc.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace perennial {
namespace {

struct Bfloat16 {
  uint16_t bits;
};

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Lanes __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntLanes __attribute__((vector_size(4 * kLanes)));
typedef uint32_t BitLanes __attribute__((vector_size(4 * kLanes)));

/// 0, 1, 2, ...
template <class Numbers = IntLanes>
inline Numbers lane_numbers() {
  Numbers numbers;
  for (int i = 0; i < kLanes; ++i) numbers[i] = static_cast<decltype(+numbers[0])>(i);
  return numbers;
}

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
/// x as far as times_power tells it apart; x - n of the nearest whole number n; p 2^n for a p between 1/2 and 2, 0 and
/// infinity where a float ends.
inline Lanes within_powers(Lanes x) { return x; }
inline Lanes beyond_whole(Lanes x) { return (Lanes)_mm512_reduce_ps((__m512)x, 0); }
inline Lanes times_power(Lanes p, Lanes n) { return (Lanes)_mm512_scalef_ps((__m512)p, (__m512)n); }

/// 2^x to the digits of a bfloat16: relative error at most 2.7e-6; 0 and infinity where a float ends.
inline Lanes exp2_for(Bfloat16, Lanes x) {
  const Lanes r = (Lanes)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF);  // what rounding down leaves
  Lanes p = r * 1.353416760e-2F + 5.201146122e-2F;                            // 2^r over [0, 1), minimax
  p = p * r + 2.414427565e-1F;
  p = p * r + 6.930038345e-1F;
  p = p * r + 1.000002593F;
  return times_power(p, x);  // rounds x down itself
}
/// 1 / x, relative error at most 2^-22.
inline Lanes inverse_of(Lanes x) {
  const Lanes near = (Lanes)_mm512_rcp14_ps((__m512)x);
  return near * (2.0F - x * near);
}
#else
constexpr float kRounding = 12'582'912.0F;  // 1.5 * 2^23: a sum with it is rounded to a whole number
inline Lanes within_powers(Lanes x) {
  x = x < -127.0F ? fill(-127.0F) : x;
  return x > 127.0F ? fill(127.0F) : x;
}
inline Lanes beyond_whole(Lanes x) { return x - ((x + kRounding) - kRounding); }
/// 0 for n below -125; n is within the powers.
inline Lanes times_power(Lanes p, Lanes n) {
  const Lanes scaled = (Lanes)((IntLanes)p + ((IntLanes)(n + kRounding) << 23));
  return n < -125.5F ? Lanes{} : scaled;
}
inline Lanes inverse_of(Lanes x) { return 1.0F / x; }
#endif

/// 2^x, relative error at most 3e-7. Beyond a float's ends: 0 and infinity with AVX-512, 0 and 2^127 without.
inline Lanes exp2_of(Lanes x) {
  x = within_powers(x);
  const Lanes r = beyond_whole(x);
  Lanes p = r * 1.339086336e-3F + 9.676031918e-3F;  // 2^r over [-0.5, 0.5], through Chebyshev's nodes
  p = p * r + 5.550357114e-2F;
  p = p * r + 2.402210749e-1F;
  p = p * r + 6.931471880e-1F;
  p = p * r + 1.0F;
  return times_power(p, x - r);
}
/// e^x, relative error at most 2^-22 (1 + |x|).
inline Lanes exp_of(Lanes x) { return exp2_of(x * 1.44269504F); }
inline Lanes exp2_for(float, Lanes x) { return exp2_of(x); }

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
