// The loop that all versions of kernels/item_scan.h share; included by each, so that it is compiled for its
// instructions.
#pragma once

#include <bit>
#include <utility>

#include "base/fetch.h"
#include "kernels/item_scan.h"

namespace perennial {
namespace {

constexpr size_t kRow = 4 * kBlockItems;  // bytes, four of each item

/// The block's codes as bytes: of each row those in lower halves, then those in upper ones.
[[gnu::always_inline]] inline void unpack(const uint8_t* codes, size_t bytes, uint8_t* unpacked) {
  for (size_t row = 0; row < bytes; row += kRow)
    for (size_t i = 0; i < kRow; ++i) {
      unpacked[2 * row + i] = codes[row + i] & 15;
      unpacked[2 * row + kRow + i] = codes[row + i] >> 4;
    }
}

/// at_most of item i is (2 sum[i] + plus) * (scale * scales[i]) + biases[i]. What a version has:
///   Sums                                      of a block's items, 64 int32
///   of_bytes(codes, numbers, width)           sums of codes of eight bits times numbers
///   of_halves(codes, numbers, width)          of codes of four bits
///   of_unpacked(bytes, numbers, width)        of these, unpacked
///   reaching(sums, plus, scale, scales, biases, least)   a bit for each item whose at_most is not less
///   at_most(sums, plus, scale, scales, biases, floats)   writes them
template <class Version>
[[gnu::always_inline]] inline void scan_by(const CodedBlocks& blocks, std::span<ScanQuery> queries, size_t first,
                                           size_t end, uint8_t* scratch) {
  for (ScanQuery& query : queries) query.found = 0;
  for (size_t block = first; block < end; ++block) {
    const uint8_t* codes = blocks.codes + block * blocks.block_bytes();
    const float* scales = blocks.scales + block * kBlockItems;
    const float* biases = blocks.biases + block * kBlockItems;
    const bool unpacked = blocks.bits == 4 && queries.size() > 1;  // then taking the codes apart once is worth it
    if (unpacked) {
      unpack(codes, blocks.block_bytes(), scratch);
      fetch(scales + kBlockItems, kBlockItems * sizeof(float));
      fetch(biases + kBlockItems, kBlockItems * sizeof(float));
    }
    const size_t share = (blocks.block_bytes() / queries.size() + 63) / 64 * 64;
    const uint8_t* next = codes + blocks.block_bytes();
    for (ScanQuery& query : queries) {
      if (unpacked) fetch(std::exchange(next, next + share), share);
      if (query.allowed[block] == 0) continue;
      const auto sums = unpacked           ? Version::of_unpacked(scratch, query.numbers, blocks.width)
                        : blocks.bits == 4 ? Version::of_halves(codes, query.numbers, blocks.width)
                                           : Version::of_bytes(codes, query.numbers, blocks.width);
      const float plus = static_cast<float>(-blocks.middle * query.sum) + query.norm_share * blocks.norms[block] +
                         query.error_share * blocks.errors[block];
      const float wanted = query.least - query.slack;
      uint64_t items = Version::reaching(sums, plus, query.scale, scales, biases, wanted) & query.allowed[block];
      if (items == 0) continue;
      alignas(64) float at_most[kBlockItems];
      Version::at_most(sums, plus, query.scale, scales, biases, at_most);
      for (; items != 0; items &= items - 1) {
        const auto at = static_cast<size_t>(std::countr_zero(items));
        query.hits[query.found++] = {static_cast<int32_t>(block * kBlockItems + at), at_most[at]};
      }
    }
  }
}

}  // namespace
}  // namespace perennial
