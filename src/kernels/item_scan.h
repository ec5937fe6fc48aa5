// The inner loop of an exact top-k (kernels/item_index.h): int8 items, 64 at a time, against an int8 query, until
// some of them may score high enough. One version an instruction set. Maths and ladder: docs/kernels/top_k.md.
// Covered by kernels/item_index_test.cc, every version that the machine runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace perennial {

constexpr size_t kBlockItems = 64;

/// Number d of item i is scales[i] * (bytes[i / 64][d / 4][i % 64][d % 4] - 128), but for rounding.
struct QuantizedBlocks {
  const uint8_t* bytes;  // (blocks, width / 4, 64, 4), aligned to 64
  const float* scales;   // (blocks, 64)
  const float* biases;   // (blocks, 64)
  const float* norms;    // (blocks): at least the length of each of its items
  const float* errors;   // (blocks): at least what rounding moved each of them
  size_t width;          // a multiple of 4
};

struct QuantizedQuery {
  const int8_t* numbers;  // (width)
  int32_t offset;         // -128 times their sum
  float scale;            // of a number
  // An exact score lies within norm_share * norms[b] + error_share * errors[b] + slack of the approximate one.
  float norm_share, error_share, slack;
};

struct ScanHit {
  size_t block;    // the end of the scan: none
  uint64_t items;  // bit i: item i of the block
  float bound;     // of what the approximations are wrong by
  alignas(64) float approximations[kBlockItems];
};

struct ScanKernel {
  const char* name;
  /// The first block in [first, end) with allowed items whose score may reach `least`. `allowed` has a word a
  /// block; items that fill up the last one are hit like others.
  void (*next_hit)(const QuantizedBlocks&, const QuantizedQuery&, const uint64_t* allowed, size_t first, size_t end,
                   float least, ScanHit& hit);
};

/// Those that this machine runs, the fastest first.
std::span<const ScanKernel> scan_kernels();

}  // namespace perennial
