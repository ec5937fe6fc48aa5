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
    Sums sums = {};
    for (size_t from = 0; from < width; from += kFits) {
      __m256i pairs[kParts] = {};  // of sums an item
      for (size_t d = from; d < std::min(width, from + kFits); d += kGroup) {
        const __m256i low = four(numbers + d);
        const __m256i high = four(numbers + d + 4);
        for (size_t part = 0; part < kParts; ++part) {
          const __m256i both =
              _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + d / kGroup * kRow + part * 32));
          const __m256i products =
              _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(both, half), low),
                               _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(both, 4), half), high));
          pairs[part] = _mm256_add_epi16(pairs[part], products);
        }
      }
      for (size_t part = 0; part < kParts; ++part)
        sums.parts[part] = _mm256_add_epi32(sums.parts[part], _mm256_madd_epi16(pairs[part], _mm256_set1_epi16(1)));
    }
    return sums;
  }

  template <class Take>
  [[gnu::always_inline]] static void of_together(const CodedBlocks& blocks, const uint8_t* codes,
                                                 ScanQuery* const* queries, Take take) {
    one_by_one<Avx2>(blocks, codes, queries, take);
  }

  [[gnu::always_inline]] static __m256i four(const int8_t* numbers) {
    int32_t four;
    __builtin_memcpy(&four, numbers, sizeof four);
    return _mm256_set1_epi32(four);
  }

  [[gnu::always_inline]] static __m256 at_most(const Sums& sums, size_t part, const Bounds& bounds) {
    const __m256 scaled = _mm256_fmadd_ps(_mm256_set1_ps(bounds.times), _mm256_cvtepi32_ps(sums.parts[part]),
                                          _mm256_set1_ps(bounds.plus));
    return _mm256_fmadd_ps(scaled, _mm256_loadu_ps(bounds.scales + 8 * part),
                           _mm256_loadu_ps(bounds.biases + 8 * part));
  }

  [[gnu::always_inline]] static uint64_t reaching(const Sums& sums, const Bounds& bounds, float least) {
    uint64_t reached = 0;
    for (size_t part = 0; part < kParts; ++part) {
      const __m256 not_less = _mm256_cmp_ps(at_most(sums, part, bounds), _mm256_set1_ps(least), _CMP_GE_OQ);
      reached |= static_cast<uint64_t>(_mm256_movemask_ps(not_less)) << (8 * part);
    }
    return reached;
  }

  [[gnu::always_inline]] static void at_most(const Sums& sums, const Bounds& bounds, float* to) {
    for (size_t part = 0; part < kParts; ++part) _mm256_store_ps(to + 8 * part, at_most(sums, part, bounds));
  }
};

}  // namespace

void scan_avx2(const CodedBlocks& blocks, std::span<ScanQuery* const> queries, size_t first, size_t end) {
  scan_by<Avx2>(blocks, queries, first, end);
}

}  // namespace perennial
