#include <immintrin.h>

#include "kernels/item_scan_loop.h"
#include "kernels/item_scan_sets.h"

namespace perennial {
namespace {

struct Vnni {
  struct Sums {
    __m512i a, b, c, d;  // sixteen items each
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
    return {_mm512_add_epi32(a, e), _mm512_add_epi32(b, f), _mm512_add_epi32(c, g), _mm512_add_epi32(d, h)};
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
    return {_mm512_add_epi32(a, _mm512_srai_epi32(e, 4)), _mm512_add_epi32(b, _mm512_srai_epi32(f, 4)),
            _mm512_add_epi32(c, _mm512_srai_epi32(g, 4)), _mm512_add_epi32(d, _mm512_srai_epi32(h, 4))};
  }

  /// A load of codes serves four products.
  template <class Take>
  [[gnu::always_inline]] static void of_together(const CodedBlocks& blocks, const uint8_t* codes,
                                                 ScanQuery* const* queries, Take take) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i half = _mm512_set1_epi8(0x0F);
    Sums first = {zero, zero, zero, zero};
    Sums second = first, third = first, fourth = first;
    const auto add_all = [&](const Sums& row, size_t from) __attribute__((always_inline)) {
      add(first, row, four(queries[0]->numbers + from));
      add(second, row, four(queries[1]->numbers + from));
      add(third, row, four(queries[2]->numbers + from));
      add(fourth, row, four(queries[3]->numbers + from));
    };
    if (blocks.bits == 8) {
      for (size_t from = 0; from < blocks.width; from += 4, codes += kRow) add_all(row_of(codes), from);
    } else {
      for (size_t from = 0; from < blocks.width; from += kGroup, codes += kRow) {
        const Sums both = row_of(codes);
        add_all({_mm512_and_si512(half, both.a), _mm512_and_si512(half, both.b), _mm512_and_si512(half, both.c),
                 _mm512_and_si512(half, both.d)},
                from);
        add_all({upper(both.a), upper(both.b), upper(both.c), upper(both.d)}, from + 4);
      }
    }
    static_assert(kTogether == 4);
    take(*queries[0], first);
    take(*queries[1], second);
    take(*queries[2], third);
    take(*queries[3], fourth);
  }

  [[gnu::always_inline]] static Sums row_of(const uint8_t* codes) {
    return {_mm512_load_si512(codes), _mm512_load_si512(codes + 64), _mm512_load_si512(codes + 128),
            _mm512_load_si512(codes + 192)};
  }

  [[gnu::always_inline]] static __m512i upper(__m512i bytes) {
    return _mm512_and_si512(_mm512_set1_epi8(0x0F), _mm512_srli_epi16(bytes, 4));
  }

  [[gnu::always_inline]] static void add(Sums& sums, const Sums& row, __m512i numbers) {
    sums.a = _mm512_dpbusd_epi32(sums.a, row.a, numbers);
    sums.b = _mm512_dpbusd_epi32(sums.b, row.b, numbers);
    sums.c = _mm512_dpbusd_epi32(sums.c, row.c, numbers);
    sums.d = _mm512_dpbusd_epi32(sums.d, row.d, numbers);
  }

  [[gnu::always_inline]] static __m512i four(const int8_t* numbers) {
    int32_t four;
    __builtin_memcpy(&four, numbers, sizeof four);
    return _mm512_set1_epi32(four);
  }

  [[gnu::always_inline]] static __m512 at_most(__m512i sums, const Bounds& bounds, size_t from) {
    const __m512 scaled =
        _mm512_fmadd_ps(_mm512_set1_ps(bounds.times), _mm512_cvtepi32_ps(sums), _mm512_set1_ps(bounds.plus));
    return _mm512_fmadd_ps(scaled, _mm512_loadu_ps(bounds.scales + from), _mm512_loadu_ps(bounds.biases + from));
  }

  [[gnu::always_inline]] static uint64_t reaching(const Sums& sums, const Bounds& bounds, float least) {
    const auto of = [&](__m512i its, size_t from) __attribute__((always_inline)) {
      return _mm512_cmp_ps_mask(at_most(its, bounds, from), _mm512_set1_ps(least), _CMP_GE_OQ);
    };
    return _mm512_kunpackd(_mm512_kunpackw(of(sums.d, 48), of(sums.c, 32)),
                           _mm512_kunpackw(of(sums.b, 16), of(sums.a, 0)));
  }

  [[gnu::always_inline]] static void at_most(const Sums& sums, const Bounds& bounds, float* to) {
    _mm512_store_ps(to, at_most(sums.a, bounds, 0));
    _mm512_store_ps(to + 16, at_most(sums.b, bounds, 16));
    _mm512_store_ps(to + 32, at_most(sums.c, bounds, 32));
    _mm512_store_ps(to + 48, at_most(sums.d, bounds, 48));
  }
};

}  // namespace

void scan_vnni(const CodedBlocks& blocks, std::span<ScanQuery* const> queries, size_t first, size_t end) {
  scan_by<Vnni>(blocks, queries, first, end);
}

}  // namespace perennial
