#include "kernels/item_scan.h"

#include <cstring>
#include <vector>

#include "kernels/item_scan_loop.h"
#include "kernels/item_scan_sets.h"

namespace perennial {
namespace {

struct Scores {
  float of[kBlockItems];
};

constexpr size_t kPartItems = 16;

/// Of sixteen items: the sums of products with the query.
void sum_products(const uint8_t* bytes, const QuantizedQuery& query, size_t width, int32_t* sums) {
  int32_t all[4 * kPartItems] = {};  // as the bytes lie: of an item four side by side
  for (size_t d = 0; d < width; d += 4) {
    const int16_t four[4] = {query.numbers[d], query.numbers[d + 1], query.numbers[d + 2], query.numbers[d + 3]};
    int16_t factors[4 * kPartItems];
    for (size_t item = 0; item < kPartItems; ++item) std::memcpy(factors + 4 * item, four, sizeof four);
    const uint8_t* its = bytes + d * kBlockItems;
    for (size_t i = 0; i < 4 * kPartItems; ++i) all[i] += int16_t{its[i]} * factors[i];
  }
  for (size_t item = 0; item < kPartItems; ++item)
    sums[item] = all[4 * item] + all[4 * item + 1] + all[4 * item + 2] + all[4 * item + 3];
}

void next_hit_portable(const QuantizedBlocks& blocks, const QuantizedQuery& query, const uint64_t* allowed,
                       size_t first, size_t end, float least, ScanHit& hit) {
  scan_blocks(
      blocks, query, allowed, first, end, least, hit,
      [&](size_t block) {
        const uint8_t* bytes = blocks.bytes + block * blocks.width * kBlockItems;
        int32_t sums[kBlockItems];
        for (size_t item = 0; item < kBlockItems; item += kPartItems)
          sum_products(bytes + 4 * item, query, blocks.width, sums + item);
        Scores scores;
        for (size_t item = 0; item < kBlockItems; ++item) {
          const size_t at = block * kBlockItems + item;
          scores.of[item] =
              static_cast<float>(sums[item] + query.offset) * (query.scale * blocks.scales[at]) + blocks.biases[at];
        }
        return scores;
      },
      [](const Scores& scores, float wanted) {
        uint64_t reached = 0;
        for (size_t item = 0; item < kBlockItems; ++item) reached |= uint64_t{scores.of[item] >= wanted} << item;
        return reached;
      },
      [](const Scores& scores, float* to) { std::memcpy(to, scores.of, sizeof scores.of); });
}

std::vector<ScanKernel> runnable() {
  std::vector<ScanKernel> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni"))
    kernels.push_back({"vnni", next_hit_vnni});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernels.push_back({"avx2", next_hit_avx2});
#endif
  kernels.push_back({"portable", next_hit_portable});
  return kernels;
}

}  // namespace

std::span<const ScanKernel> scan_kernels() {
  static const std::vector<ScanKernel> kernels = runnable();
  return kernels;
}

}  // namespace perennial
