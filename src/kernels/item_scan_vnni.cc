#include <immintrin.h>

#include "kernels/item_scan_loop.h"
#include "kernels/item_scan_sets.h"

namespace perennial {
namespace {

struct Vnni {
  static constexpr size_t kParts = 4;  // sixteen items each
  struct Sums {
    __m512i parts[kParts];
  };

  // Eight sums at a time, each with a name: a product is there after five cycles, and arrays GCC 12 puts into memory.

  [[gnu::always_inline]] static Sums of_bytes(const uint8_t* codes, const int8_t* numbers, size_t width) {
    __m512i a = _mm512_setzero_si512();
    __m512i b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    for (size_t i = 0; i < width; i += kGroup, codes += 2 * kRow) {
      const __m512i first = four(numbers + i);
      const __m512i second = four(numbers + i + 4);
      a = _mm512_dpbusd_epi32(a, _mm512_load_si512(codes), first);
      b = _mm512_dpbusd_epi32(b, _mm512_load_si512(codes + 64), first);
      c = _mm512_dpbusd_epi32(c, _mm512_load_si512(codes + 128), first);
      d = _mm512_dpbusd_epi32(d, _mm512_load_si512(codes + 192), first);
      e = _mm512_dpbusd_epi32(e, _mm512_load_si512(codes + kRow), second);
      f = _mm512_dpbusd_epi32(f, _mm512_load_si512(codes + kRow + 64), second);
      g = _mm512_dpbusd_epi32(g, _mm512_load_si512(codes + kRow + 128), second);
      h = _mm512_dpbusd_epi32(h, _mm512_load_si512(codes + kRow + 192), second);
    }
    return {{_mm512_add_epi32(a, e), _mm512_add_epi32(b, f), _mm512_add_epi32(c, g), _mm512_add_epi32(d, h)}};
  }

  [[gnu::always_inline]] static Sums of_halves(const uint8_t* codes, const int8_t* numbers, size_t width) {
    const __m512i half = _mm512_set1_epi8(0x0F);
    __m512i a = _mm512_setzero_si512();                       // to d: of codes in the bytes' lower halves
    __m512i b = a, c = a, d = a, e = a, f = a, g = a, h = a;  // from e: of those in the upper ones, 16 times
    for (size_t i = 0; i < width; i += kGroup, codes += kRow) {
      const __m512i low = four(numbers + i);
      const __m512i high = four(numbers + i + 4);
      a = _mm512_dpbusd_epi32(a, _mm512_and_si512(half, _mm512_load_si512(codes)), low);
      b = _mm512_dpbusd_epi32(b, _mm512_and_si512(half, _mm512_load_si512(codes + 64)), low);
      c = _mm512_dpbusd_epi32(c, _mm512_and_si512(half, _mm512_load_si512(codes + 128)), low);
      d = _mm512_dpbusd_epi32(d, _mm512_and_si512(half, _mm512_load_si512(codes + 192)), low);
      e = _mm512_dpbusd_epi32(e, _mm512_andnot_si512(half, _mm512_load_si512(codes)), high);
      f = _mm512_dpbusd_epi32(f, _mm512_andnot_si512(half, _mm512_load_si512(codes + 64)), high);
      g = _mm512_dpbusd_epi32(g, _mm512_andnot_si512(half, _mm512_load_si512(codes + 128)), high);
      h = _mm512_dpbusd_epi32(h, _mm512_andnot_si512(half, _mm512_load_si512(codes + 192)), high);
    }
    return {{_mm512_add_epi32(a, _mm512_srai_epi32(e, 4)), _mm512_add_epi32(b, _mm512_srai_epi32(f, 4)),
             _mm512_add_epi32(c, _mm512_srai_epi32(g, 4)), _mm512_add_epi32(d, _mm512_srai_epi32(h, 4))}};
  }

  [[gnu::always_inline]] static Sums of_unpacked(const uint8_t* bytes, const int8_t* numbers, size_t width) {
    return of_bytes(bytes, numbers, width);
  }

  [[gnu::always_inline]] static __m512i four(const int8_t* numbers) {
    int32_t four;
    __builtin_memcpy(&four, numbers, sizeof four);
    return _mm512_set1_epi32(four);
  }

  [[gnu::always_inline]] static __m512 at_most(const Sums& sums, size_t part, float plus, float scale,
                                               const float* scales, const float* biases) {
    const __m512 both = _mm512_fmadd_ps(_mm512_set1_ps(2), _mm512_cvtepi32_ps(sums.parts[part]), _mm512_set1_ps(plus));
    return _mm512_fmadd_ps(both, _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_loadu_ps(scales + 16 * part)),
                           _mm512_loadu_ps(biases + 16 * part));
  }

  [[gnu::always_inline]] static uint64_t reaching(const Sums& sums, float plus, float scale, const float* scales,
                                                  const float* biases, float least) {
    uint64_t reached = 0;
    for (size_t part = 0; part < kParts; ++part)
      reached |= uint64_t{_mm512_cmp_ps_mask(at_most(sums, part, plus, scale, scales, biases), _mm512_set1_ps(least),
                                             _CMP_GE_OQ)}
                 << (16 * part);
    return reached;
  }

  [[gnu::always_inline]] static void at_most(const Sums& sums, float plus, float scale, const float* scales,
                                             const float* biases, float* to) {
    for (size_t part = 0; part < kParts; ++part)
      _mm512_store_ps(to + 16 * part, at_most(sums, part, plus, scale, scales, biases));
  }
};

}  // namespace

void scan_vnni(const CodedBlocks& blocks, std::span<ScanQuery> queries, size_t first, size_t end, uint8_t* scratch) {
  scan_by<Vnni>(blocks, queries, first, end, scratch);
}

}  // namespace perennial
