// The loop that all versions of kernels/item_scan.h share; included by each, so that it is compiled for its
// instructions.
#pragma once

#include "kernels/item_scan.h"

namespace perennial {
namespace {

/// approximate(block): its approximate scores; reaching(scores, least): a bit for each that is not less;
/// store(scores, floats).
template <class Approximate, class Reaching, class Store>
[[gnu::always_inline]] inline void scan_blocks(const QuantizedBlocks& blocks, const QuantizedQuery& query,
                                               const uint64_t* allowed, size_t first, size_t end, float least,
                                               ScanHit& hit, Approximate approximate, Reaching reaching, Store store) {
  for (size_t block = first; block < end; ++block) {
    if (allowed[block] == 0) continue;
    const auto scores = approximate(block);
    const float bound = query.norm_share * blocks.norms[block] + query.error_share * blocks.errors[block] + query.slack;
    const uint64_t items = reaching(scores, least - bound) & allowed[block];
    if (items == 0) continue;
    hit.block = block;
    hit.items = items;
    hit.bound = bound;
    store(scores, hit.approximations);
    return;
  }
  hit.block = end;
  hit.items = 0;
}

}  // namespace
}  // namespace perennial
