#include "kernels/item_scan.h"

#include <cstring>
#include <vector>

#include "kernels/clones.h"
#include "kernels/item_scan_loop.h"
#include "kernels/item_scan_sets.h"

namespace perennial {
namespace {

struct Portable {
  struct Sums {
    int32_t of[kBlockItems];
  };
  static constexpr size_t kPart = 16;  // items

  /// add(d, at, factors, all): what four numbers of sixteen items, from d on, add to four sums of each; `at` is where
  /// the items stand in a row, and the factors are the query's numbers, as often.
  template <class Add>
  static Sums add_up(const int8_t* numbers, size_t width, Add add) {
    Sums sums;
    for (size_t item = 0; item < kBlockItems; item += kPart) {
      int32_t all[4 * kPart] = {};
      for (size_t d = 0; d < width; d += 4) {
        const int16_t four[4] = {numbers[d], numbers[d + 1], numbers[d + 2], numbers[d + 3]};
        int16_t factors[4 * kPart];
        for (size_t i = 0; i < kPart; ++i) std::memcpy(factors + 4 * i, four, sizeof four);
        add(d, 4 * item, factors, all);
      }
      for (size_t i = 0; i < kPart; ++i)
        sums.of[item + i] = all[4 * i] + all[4 * i + 1] + all[4 * i + 2] + all[4 * i + 3];
    }
    return sums;
  }

  static Sums of_bytes(const uint8_t* codes, const int8_t* numbers, size_t width) {
    return add_up(numbers, width, [&](size_t d, size_t at, const int16_t* factors, int32_t* all) {
      const uint8_t* its = codes + d / 4 * kRow + at;
      for (size_t i = 0; i < 4 * kPart; ++i) all[i] += int16_t{its[i]} * factors[i];
    });
  }

  static Sums of_halves(const uint8_t* codes, const int8_t* numbers, size_t width) {
    return add_up(numbers, width, [&](size_t d, size_t at, const int16_t* factors, int32_t* all) {
      const uint8_t* its = codes + d / kGroup * kRow + at;
      const int shift = d % kGroup == 0 ? 0 : 4;
      for (size_t i = 0; i < 4 * kPart; ++i) all[i] += static_cast<int16_t>(its[i] >> shift & 15) * factors[i];
    });
  }

  template <class Take>
  static void of_together(const CodedBlocks& blocks, const uint8_t* codes, ScanQuery* const* queries, Take take) {
    one_by_one<Portable>(blocks, codes, queries, take);
  }

  static uint64_t reaching(const Sums& sums, const Bounds& bounds, float least) {
    float most[kBlockItems];
    at_most(sums, bounds, most);
    uint64_t reached = 0;
    for (size_t item = 0; item < kBlockItems; ++item) reached |= uint64_t{most[item] >= least} << item;
    return reached;
  }

  static void at_most(const Sums& sums, const Bounds& bounds, float* to) {
    for (size_t item = 0; item < kBlockItems; ++item)
      to[item] =
          (bounds.times * static_cast<float>(sums.of[item]) + bounds.plus) * bounds.scales[item] + bounds.biases[item];
  }
};

void scan_portable(const CodedBlocks& blocks, std::span<ScanQuery* const> queries, size_t first, size_t end) {
  scan_by<Portable>(blocks, queries, first, end);
}

std::vector<ScanKernel> runnable() {
  std::vector<ScanKernel> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni"))
    kernels.push_back({"vnni", scan_vnni});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernels.push_back({"avx2", scan_avx2});
#endif
  kernels.push_back({"portable", scan_portable});
  return kernels;
}

}  // namespace

PERENNIAL_CLONES void look_closer(const CodedBlocks& blocks, ScanQuery& query) {
  const size_t half = blocks.width / 2;
  const int8_t* lower = query.numbers;
  const int8_t* upper = query.numbers + half;
  const float wanted = query.least - query.slack;
  size_t kept = 0;
  for (size_t i = 0; i < query.found; ++i) {
    ScanHit hit = query.hits[i];
    const auto item = static_cast<size_t>(hit.item);
    const uint8_t* fine = blocks.fine + item * half;
    int32_t sum = 0;
    for (size_t d = 0; d < half; ++d) {
      sum += int16_t(fine[d] & 15) * int16_t{lower[d]};
      sum += int16_t(fine[d] >> 4) * int16_t{upper[d]};
    }
    const float nearer = static_cast<float>(2 * sum - 15 * query.sum) / 16 -
                         query.error_share * (blocks.errors[item / kBlockItems] - blocks.fine_error);
    hit.at_most += nearer * (query.scale * hit.scale);
    if (hit.at_most >= wanted) query.hits[kept++] = hit;
  }
  query.found = kept;
}

std::span<const ScanKernel> scan_kernels() {
  static const std::vector<ScanKernel> kernels = runnable();
  return kernels;
}

}  // namespace perennial
