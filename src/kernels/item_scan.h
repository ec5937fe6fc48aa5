// The inner loop of an exact top-k (kernels/item_index.h): items of eight or four bits a number, 64 at a time, against
// int8 queries, for those whose score may be high enough. One version an instruction set. Maths and ladder:
// docs/kernels/top_k.md. Covered by kernels/item_index_test.cc, every version that the machine runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace perennial {

constexpr size_t kBlockItems = 64;
constexpr size_t kGroup = 8;  // widths are padded to whole groups; of four bits so many lie in four bytes of an item

/// Number d of item i is scales[i] * (2 c - middle), but for rounding. Its code c stands
///   of eight bits in codes[i / 64][d / 4][i % 64][d % 4];
///   of four bits in codes[i / 64][d / 8][i % 64][d % 4], in the byte's lower half when d % 8 < 4, else in its upper
///   one. Then it is nearer to scales[i] * (2 c - middle + (2 f - 15) / 16), where f stands in fine[i][d % (width /
///   2)], in the lower half when d < width / 2, else in the upper one.
struct CodedBlocks {
  const uint8_t* codes;  // aligned to 64
  int bits;              // 8 or 4
  int middle;
  const float* scales;  // (blocks, 64)
  const float* biases;  // (blocks, 64)
  const float* norms;   // (blocks): at least the length of each of its items, in the item's scale
  const float* errors;  // (blocks): at least what rounding moved each of them, in the item's scale
  const uint8_t* fine;  // null of eight bits
  float fine_error;     // at least what rounding moved any item as its fine codes tell it, in the item's scale
  size_t width;         // a multiple of 8

  [[nodiscard]] size_t block_bytes() const { return width * kBlockItems * static_cast<size_t>(bits) / 8; }
};

/// An item whose score, but for the slack, is at most this.
struct ScanHit {
  int32_t item;
  float at_most;
  float scale;  // the item's
};

struct ScanQuery {
  const int8_t* numbers;  // (width)
  int32_t sum;            // of the numbers
  float scale;            // of a number
  // The score of item i lies within scale * scales[i] * within(norms[b], errors[b]) + slack of what its code gives.
  float norm_share, error_share, slack;
  const uint64_t* allowed;  // a word a block
  float least;              // wanted: allowed items whose score may reach it
  ScanHit* hits;            // out: room for all items looked at
  size_t found;             // out

  [[nodiscard]] float within(float norm, float error) const { return norm_share * norm + error_share * error; }
};

struct ScanKernel {
  const char* name;
  /// Finds each query's hits in the blocks [first, end), by rising item; items that fill up the last block are hit like
  /// others.
  void (*scan)(const CodedBlocks&, std::span<ScanQuery* const> queries, size_t first, size_t end);
};

/// Those that this machine runs, the fastest first.
std::span<const ScanKernel> scan_kernels();

/// A second look, by the fine codes, at what a scan has hit: tells of each item more closely what it is at most, and
/// leaves those that may still be wanted.
void look_closer(const CodedBlocks& blocks, ScanQuery& query);

}  // namespace perennial
