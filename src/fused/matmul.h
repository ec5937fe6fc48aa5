// Products of small matrices whose operands lie in the caches: the one inner loop of the fused kernels. Internal
// linkage, as fused/lanes.h says. Covered by fused/product_test.cc.
#pragma once

#include "fused/lanes.h"

namespace perennial {
namespace {

// With 32 registers, 24 sums, 4 columns and a row's element; with 16, 12 sums, 2 columns and an element.
constexpr int kTileRows = 6;
#if defined(__AVX512F__)
constexpr int kTileLanes = 4;
#else
constexpr int kTileLanes = 2;
#endif

/// Where group g of row m of the left operand starts: elements + m * row + g * group.
template <class Operand>
struct Left {
  const Operand* elements;
  int64_t row, group;
};

/// (M, K) kept row by row.
template <class Operand>
Left<Operand> by_rows(const Operand* elements, int64_t stride) {
  return {elements, stride, Group<Operand>::kSize};
}
/// The transpose of a grouped (K, M): a matrix whose rows are summed over.
template <class Operand>
Left<Operand> transposed(const Operand* elements, int64_t columns) {
  return {elements, Group<Operand>::kSize, columns * Group<Operand>::kSize};
}

[[gnu::always_inline]] inline void accumulate(Lanes& sum, const float* left, Lanes right) { sum += *left * right; }
[[gnu::always_inline]] inline Lanes load_group(const float* source) { return load(source); }
#if defined(__AVX512BF16__)
struct Pairs {
  __m512bh values;
};
[[gnu::always_inline]] inline void accumulate(Lanes& sum, const Bfloat16* left, Pairs right) {
  int32_t pair;
  std::memcpy(&pair, left, sizeof pair);
  sum = (Lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(pair), right.values);
}
[[gnu::always_inline]] inline Pairs load_group(const Bfloat16* source) {
  return {(__m512bh)_mm512_loadu_si512(source)};
}
#endif

/// kRows x kVectors vectors of left . right: sums (kRows)[kVectors] go to `finish(m, sums of row m)`, row by row.
template <int kRows, int kVectors, class Operand, class Finish>
[[gnu::always_inline]] inline void tile(Left<Operand> left, const Operand* right, int64_t right_stride, int groups,
                                        Finish finish) {
  constexpr int kSize = Group<Operand>::kSize;
  Lanes sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[m][v] = Lanes{};
  for (int g = 0; g < groups; ++g) {
    decltype(load_group(right)) columns[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) columns[v] = load_group(right + v * kLanes * kSize);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) accumulate(sums[m][v], left.elements + m * left.row, columns[v]);
    left.elements += left.group;
    right += right_stride;
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) finish(m, sums[m]);
}

/// The tile of `rows` rows, at most kTileRows.
template <int kVectors, class Operand, class Finish>
[[gnu::always_inline]] inline void row_block(int rows, Left<Operand> left, const Operand* right, int64_t right_stride,
                                             int groups, Finish finish) {
  switch (rows) {
    case 1:
      return tile<1, kVectors>(left, right, right_stride, groups, finish);
    case 2:
      return tile<2, kVectors>(left, right, right_stride, groups, finish);
    case 3:
      return tile<3, kVectors>(left, right, right_stride, groups, finish);
    case 4:
      return tile<4, kVectors>(left, right, right_stride, groups, finish);
    case 5:
      return tile<5, kVectors>(left, right, right_stride, groups, finish);
    default:
      return tile<6, kVectors>(left, right, right_stride, groups, finish);
  }
}

template <int kVectors, class Operand>
void column_block(int rows, Left<Operand> left, const Operand* right, int64_t right_stride, int groups, float* out,
                  int64_t out_stride, bool add) {
  for (int first = 0; first < rows; first += kTileRows) {
    const Left<Operand> block{left.elements + first * left.row, left.row, left.group};
    row_block<kVectors>(rows - first < kTileRows ? rows - first : kTileRows, block, right, right_stride, groups,
                        [&](int m, Lanes* sums) {
                          float* row = out + (first + m) * out_stride;
#pragma GCC unroll 8
                          for (int v = 0; v < kVectors; ++v)
                            store(row + v * kLanes, add ? sums[v] + load(row + v * kLanes) : sums[v]);
                        });
  }
}

/// out (M, N) = left (M, K) . right (K, N), or += it. right is grouped, its row stride (elements of a whole group row)
/// `right_stride`; N is a multiple of kLanes, K of the group: `groups` = K / kSize. out does not overlap the operands.
/// bfloat16: products and sums are float32, of rounded operands.
template <class Operand>
void matmul(int rows, int columns, int groups, Left<Operand> left, const Operand* right, int64_t right_stride,
            float* out, int64_t out_stride, bool add) {
  constexpr int kSize = Group<Operand>::kSize;
  const auto block = [&]<int kVectors>(int n) {
    column_block<kVectors>(rows, left, right + n * kSize, right_stride, groups, out + n, out_stride, add);
  };
  int n = 0;
  for (; n + kTileLanes * kLanes <= columns; n += kTileLanes * kLanes) block.template operator()<kTileLanes>(n);
  if constexpr (kTileLanes > 2)
    for (; n + 2 * kLanes <= columns; n += 2 * kLanes) block.template operator()<2>(n);
  if (n < columns) block.template operator()<1>(n);
}

/// The grouped form of a float32 matrix (K, N) kept row by row; K and N are even and a multiple of 16.
template <class Operand>
void pack_rows(const float* source, int64_t stride, int rows, int columns, Operand* packed, int packed_columns) {
  for (int k = 0; k < rows; k += 2)
    for (int n = 0; n < columns; n += kLanes)
      store_two_rows(packed + (static_cast<int64_t>(k) * packed_columns) + n * Group<Operand>::kSize, packed_columns,
                     load(source + k * stride + n), load(source + (k + 1) * stride + n));
}

/// The grouped form of the transpose: (K, N) from (N, K) kept row by row.
template <class Operand>
void pack_transposed(const float* source, int64_t stride, int rows, int columns, Operand* packed, int packed_columns) {
  for (int k = 0; k < rows; k += 2)
    for (int n = 0; n < columns; n += kLanes) {
      Lanes even, odd;
      for (int i = 0; i < kLanes; ++i) {
        even[i] = source[(n + i) * stride + k];
        odd[i] = source[(n + i) * stride + k + 1];
      }
      store_two_rows(packed + (static_cast<int64_t>(k) * packed_columns) + n * Group<Operand>::kSize, packed_columns,
                     even, odd);
    }
}

}  // namespace
}  // namespace perennial
