#include <immintrin.h>

#include <algorithm>

#include "kernels/item_scan_loop.h"
#include "kernels/item_scan_sets.h"

namespace perennial {
namespace {

struct Avx2 {
  static constexpr size_t kParts = 8;  // eight items each
  // Numbers with codes of four bits: eight sums of two products of 15 * 127 stay below 2^15.
  static constexpr size_t kFits = 32;
  struct Sums {
    __m256i parts[kParts];
  };

  [[gnu::always_inline]] static Sums of_bytes(const uint8_t* codes, const int8_t* numbers, size_t width) {
    Sums sums;
    for (size_t part = 0; part < kParts; ++part) {
      __m256i low = _mm256_setzero_si256();  // of four items each, two sums of an item side by side
      __m256i high = _mm256_setzero_si256();
      for (size_t d = 0; d < width; d += 4) {
        int32_t bytes;
        __builtin_memcpy(&bytes, numbers + d, sizeof bytes);
        const __m256i factors = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(bytes)));
        const auto* items = reinterpret_cast<const __m128i*>(codes + d * kBlockItems + part * 32);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_load_si128(items)), factors));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_load_si128(items + 1)), factors));
      }
      // hadd: items 0 1 4 5 2 3 6 7
      sums.parts[part] = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0b11'01'10'00);
    }
    return sums;
  }

  [[gnu::always_inline]] static Sums of_halves(const uint8_t* codes, const int8_t* numbers, size_t width) {
    const __m256i half = _mm256_set1_epi8(0x0F);
    return add_up(numbers, width, [&](size_t d, size_t part, __m256i low, __m256i high) {
      const __m256i both = load(codes + d / kGroup * kRow + part * 32);
      return _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(both, half), low),
                              _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(both, 4), half), high));
    });
  }

  [[gnu::always_inline]] static Sums of_unpacked(const uint8_t* bytes, const int8_t* numbers, size_t width) {
    return add_up(numbers, width, [&](size_t d, size_t part, __m256i low, __m256i high) {
      const uint8_t* at = bytes + d / 4 * kRow + part * 32;
      return _mm256_add_epi16(_mm256_maddubs_epi16(load(at), low), _mm256_maddubs_epi16(load(at + kRow), high));
    });
  }

  /// products(d, part, low, high): of a part's codes, the eight from d on, with the query's, in pairs of sums an item.
  template <class Products>
  [[gnu::always_inline]] static Sums add_up(const int8_t* numbers, size_t width, Products products) {
    Sums sums = {};
    for (size_t from = 0; from < width; from += kFits) {
      __m256i pairs[kParts] = {};
      for (size_t d = from; d < std::min(width, from + kFits); d += kGroup) {
        const __m256i low = four(numbers + d);
        const __m256i high = four(numbers + d + 4);
        for (size_t part = 0; part < kParts; ++part)
          pairs[part] = _mm256_add_epi16(pairs[part], products(d, part, low, high));
      }
      for (size_t part = 0; part < kParts; ++part)
        sums.parts[part] = _mm256_add_epi32(sums.parts[part], _mm256_madd_epi16(pairs[part], _mm256_set1_epi16(1)));
    }
    return sums;
  }

  [[gnu::always_inline]] static __m256i load(const uint8_t* bytes) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
  }

  [[gnu::always_inline]] static __m256i four(const int8_t* numbers) {
    int32_t four;
    __builtin_memcpy(&four, numbers, sizeof four);
    return _mm256_set1_epi32(four);
  }

  [[gnu::always_inline]] static __m256 at_most(const Sums& sums, size_t part, float plus, float scale,
                                               const float* scales, const float* biases) {
    const __m256 both = _mm256_fmadd_ps(_mm256_set1_ps(2), _mm256_cvtepi32_ps(sums.parts[part]), _mm256_set1_ps(plus));
    return _mm256_fmadd_ps(both, _mm256_mul_ps(_mm256_set1_ps(scale), _mm256_loadu_ps(scales + 8 * part)),
                           _mm256_loadu_ps(biases + 8 * part));
  }

  [[gnu::always_inline]] static uint64_t reaching(const Sums& sums, float plus, float scale, const float* scales,
                                                  const float* biases, float least) {
    uint64_t reached = 0;
    for (size_t part = 0; part < kParts; ++part) {
      const __m256 not_less =
          _mm256_cmp_ps(at_most(sums, part, plus, scale, scales, biases), _mm256_set1_ps(least), _CMP_GE_OQ);
      reached |= static_cast<uint64_t>(_mm256_movemask_ps(not_less)) << (8 * part);
    }
    return reached;
  }

  [[gnu::always_inline]] static void at_most(const Sums& sums, float plus, float scale, const float* scales,
                                             const float* biases, float* to) {
    for (size_t part = 0; part < kParts; ++part)
      _mm256_store_ps(to + 8 * part, at_most(sums, part, plus, scale, scales, biases));
  }
};

}  // namespace

void scan_avx2(const CodedBlocks& blocks, std::span<ScanQuery> queries, size_t first, size_t end, uint8_t* scratch) {
  scan_by<Avx2>(blocks, queries, first, end, scratch);
}

}  // namespace perennial
