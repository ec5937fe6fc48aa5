#include <immintrin.h>

#include "kernels/item_scan_loop.h"
#include "kernels/item_scan_sets.h"

namespace perennial {
namespace {

constexpr size_t kParts = 4;  // sixteen items each

struct Scores {
  __m512 parts[kParts];
};

}  // namespace

void next_hit_vnni(const QuantizedBlocks& blocks, const QuantizedQuery& query, const uint64_t* allowed, size_t first,
                   size_t end, float least, ScanHit& hit) {
  const __m512i offset = _mm512_set1_epi32(query.offset);
  const __m512 scale = _mm512_set1_ps(query.scale);
  scan_blocks(
      blocks, query, allowed, first, end, least, hit,
      [&](size_t block) {
        const uint8_t* bytes = blocks.bytes + block * blocks.width * kBlockItems;
        __m512i sums[kParts] = {offset, offset, offset, offset};
        for (size_t d = 0; d < blocks.width; d += 4) {
          int32_t four;
          __builtin_memcpy(&four, query.numbers + d, sizeof four);
          const __m512i factors = _mm512_set1_epi32(four);
          for (size_t part = 0; part < kParts; ++part)
            sums[part] =
                _mm512_dpbusd_epi32(sums[part], _mm512_load_si512(bytes + d * kBlockItems + part * 64), factors);
        }
        Scores scores;
        for (size_t part = 0; part < kParts; ++part) {
          const size_t at = block * kBlockItems + part * 16;
          scores.parts[part] =
              _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[part]), _mm512_mul_ps(scale, _mm512_loadu_ps(blocks.scales + at)),
                              _mm512_loadu_ps(blocks.biases + at));
        }
        return scores;
      },
      [](const Scores& scores, float wanted) {
        uint64_t reached = 0;
        for (size_t part = 0; part < kParts; ++part)
          reached |= uint64_t{_mm512_cmp_ps_mask(scores.parts[part], _mm512_set1_ps(wanted), _CMP_GE_OQ)}
                     << (16 * part);
        return reached;
      },
      [](const Scores& scores, float* to) {
        for (size_t part = 0; part < kParts; ++part) _mm512_store_ps(to + 16 * part, scores.parts[part]);
      });
}

}  // namespace perennial
