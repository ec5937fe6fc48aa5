// The loop that all versions of kernels/item_scan.h share; included by each, so that it is compiled for its
// instructions.
#pragma once

#include <bit>

#include "base/fetch.h"
#include "kernels/item_scan.h"

namespace perennial {
namespace {

constexpr size_t kRow = 4 * kBlockItems;  // bytes, four of each item
constexpr size_t kTogether = 4;           // queries that a version may take through a block at once

/// What a query's sums come to in a block: item i is at most (times * sum[i] + plus) * scales[i] + biases[i].
struct Bounds {
  float times, plus;
  const float* scales;
  const float* biases;
};

/// One query's sums.
template <class Version>
[[gnu::always_inline]] inline auto sums_of(const CodedBlocks& blocks, const uint8_t* codes, const ScanQuery& query) {
  return blocks.bits == 4 ? Version::of_halves(codes, query.numbers, blocks.width)
                          : Version::of_bytes(codes, query.numbers, blocks.width);
}

/// For versions that gain nothing from several queries at once.
template <class Version, class Take>
[[gnu::always_inline]] inline void one_by_one(const CodedBlocks& blocks, const uint8_t* codes,
                                              ScanQuery* const* queries, Take take) {
  for (size_t i = 0; i < kTogether; ++i) take(*queries[i], sums_of<Version>(blocks, codes, *queries[i]));
}

/// What a version has:
///   Sums                                      of a block's items, 64 int32
///   of_bytes(codes, numbers, width)           sums of codes of eight bits times numbers
///   of_halves(codes, numbers, width)          of codes of four bits
///   of_together(blocks, codes, queries, take)   take(query, sums) of each of kTogether queries
///   reaching(sums, bounds, least)             a bit for each item that may be at least that much
///   at_most(sums, bounds, floats)             writes what they are at most
template <class Version>
[[gnu::always_inline]] inline void scan_by(const CodedBlocks& blocks, std::span<ScanQuery* const> queries, size_t first,
                                           size_t end) {
  const size_t groups = queries.size() / kTogether;
  const size_t share = groups == 0 ? 0 : (blocks.block_bytes() / groups + 63) / 64 * 64;  // of the next block
  for (ScanQuery* query : queries) {
    query->found = 0;
    fetch(query->allowed + end, (end - first) * sizeof(uint64_t));  // of the next ones
  }
  for (size_t block = first; block < end; ++block) {
    const uint8_t* codes = blocks.codes + block * blocks.block_bytes();
    const float* scales = blocks.scales + block * kBlockItems;
    const float* biases = blocks.biases + block * kBlockItems;
    const auto take = [&](ScanQuery & query, const typename Version::Sums& sums) __attribute__((always_inline)) {
      const float plus =
          static_cast<float>(-blocks.middle * query.sum) + query.within(blocks.norms[block], blocks.errors[block]);
      const Bounds bounds = {2 * query.scale, query.scale * plus, scales, biases};
      uint64_t items = Version::reaching(sums, bounds, query.least - query.slack) & query.allowed[block];
      if (items == 0) return;
      alignas(64) float at_most[kBlockItems];
      Version::at_most(sums, bounds, at_most);
      for (; items != 0; items &= items - 1) {
        const auto at = static_cast<size_t>(std::countr_zero(items));
        const size_t item = block * kBlockItems + at;
        if (blocks.fine != nullptr) fetch(blocks.fine + item * blocks.width / 2, blocks.width / 2);
        query.hits[query.found++] = {static_cast<int32_t>(item), at_most[at], scales[at]};
      }
    };
    if (groups > 0) {  // else the processor fetches fast enough by itself
      fetch(scales + kBlockItems, kBlockItems * sizeof(float));
      fetch(biases + kBlockItems, kBlockItems * sizeof(float));
    }
    const uint8_t* next = codes + blocks.block_bytes();
    for (size_t group = 0; group < groups; ++group, next += share) {
      fetch(next, share);
      ScanQuery* const* its = queries.data() + group * kTogether;
      uint64_t allowed = 0;
      for (size_t i = 0; i < kTogether; ++i) allowed |= its[i]->allowed[block];
      if (allowed != 0) Version::of_together(blocks, codes, its, take);
    }
    for (ScanQuery* query : queries.subspan(groups * kTogether))
      if (query->allowed[block] != 0) take(*query, sums_of<Version>(blocks, codes, *query));
  }
}

}  // namespace
}  // namespace perennial
