#include <immintrin.h>

#include "kernels/item_scan_loop.h"
#include "kernels/item_scan_sets.h"

namespace perennial {
namespace {

constexpr size_t kParts = 8;  // eight items each

struct Scores {
  __m256 parts[kParts];
};

/// Of eight items: the sums of products with the query.
[[gnu::always_inline]] inline __m256i products(const uint8_t* bytes, const QuantizedQuery& query, size_t width) {
  __m256i low = _mm256_setzero_si256();  // of four items each, two sums of an item side by side
  __m256i high = _mm256_setzero_si256();
  for (size_t d = 0; d < width; d += 4) {
    int32_t four;
    __builtin_memcpy(&four, query.numbers + d, sizeof four);
    const __m256i factors = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
    const auto* items = reinterpret_cast<const __m128i*>(bytes + d * kBlockItems);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_load_si128(items)), factors));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_load_si128(items + 1)), factors));
  }
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0b11'01'10'00);  // hadd: items 0 1 4 5 2 3 6 7
}

}  // namespace

void next_hit_avx2(const QuantizedBlocks& blocks, const QuantizedQuery& query, const uint64_t* allowed, size_t first,
                   size_t end, float least, ScanHit& hit) {
  const __m256 scale = _mm256_set1_ps(query.scale);
  const __m256i offset = _mm256_set1_epi32(query.offset);
  scan_blocks(
      blocks, query, allowed, first, end, least, hit,
      [&](size_t block) {
        const uint8_t* bytes = blocks.bytes + block * blocks.width * kBlockItems;
        Scores scores;
        for (size_t part = 0; part < kParts; ++part) {
          const __m256i sums = _mm256_add_epi32(products(bytes + part * 32, query, blocks.width), offset);
          const size_t at = block * kBlockItems + part * 8;
          scores.parts[part] =
              _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), _mm256_mul_ps(scale, _mm256_loadu_ps(blocks.scales + at)),
                              _mm256_loadu_ps(blocks.biases + at));
        }
        return scores;
      },
      [](const Scores& scores, float wanted) {
        uint64_t reached = 0;
        for (size_t part = 0; part < kParts; ++part) {
          const __m256 not_less = _mm256_cmp_ps(scores.parts[part], _mm256_set1_ps(wanted), _CMP_GE_OQ);
          reached |= static_cast<uint64_t>(_mm256_movemask_ps(not_less)) << (8 * part);
        }
        return reached;
      },
      [](const Scores& scores, float* to) {
        for (size_t part = 0; part < kParts; ++part) _mm256_store_ps(to + 8 * part, scores.parts[part]);
      });
}

}  // namespace perennial
