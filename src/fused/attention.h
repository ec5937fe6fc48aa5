// Causal attention over the last W tokens of one sequence and head, in blocks of queries: no matrix of all pairs
// exists. Internal linkage, as fused/lanes.h says. Covered by training/fused_steps_test.cc.
#pragma once

#include <cfloat>

#include "fused/rows.h"

namespace perennial {
namespace {

constexpr int kQueries = 24;  // of a block: a multiple of the product's rows

inline int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

template <class T>
T* take(Arena& arena, int64_t count) {
  return static_cast<T*>(arena.take(static_cast<size_t>(count) * sizeof(T)));
}

/// `from` (kLanes rows, `groups` groups), rows `from_stride` apart, to (groups, kLanes rows), groups `to_stride` apart.
template <class Operand>
void transpose_rows(const Operand* from, int64_t from_stride, int groups, Operand* to, int64_t to_stride) {
  constexpr int kSize = Group<Operand>::kSize;
  for (int row = 0; row < kLanes; ++row)
    for (int group = 0; group < groups; ++group)
      std::memcpy(to + group * to_stride + row * kSize, from + row * from_stride + group * kSize,
                  kSize * sizeof(Operand));
}
#if defined(__AVX512BF16__)
inline void transpose_rows(const Bfloat16* from, int64_t from_stride, int groups, Bfloat16* to, int64_t to_stride) {
  for (int first = 0; first < groups; first += kLanes) {
    const auto wanted = static_cast<__mmask16>(groups - first >= kLanes ? 0xffff : (1 << (groups - first)) - 1);
    __m512i rows[kLanes], pairs[kLanes], quads[kLanes], halves[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) rows[i] = _mm512_maskz_loadu_epi32(wanted, from + i * from_stride + 2 * first);
#pragma GCC unroll 8
    for (int i = 0; i < kLanes; i += 2) {
      pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
      pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kLanes; i += 4)
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        quads[i + 2 * j] = _mm512_unpacklo_epi64(pairs[i + j], pairs[i + 2 + j]);
        quads[i + 2 * j + 1] = _mm512_unpackhi_epi64(pairs[i + j], pairs[i + 2 + j]);
      }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {  // columns j, j + 4, j + 8, j + 12 of rows 0 to 7 and 8 to 15
      halves[j] = _mm512_shuffle_i32x4(quads[j], quads[j + 4], 0x88);
      halves[j + 4] = _mm512_shuffle_i32x4(quads[j], quads[j + 4], 0xdd);
      halves[j + 8] = _mm512_shuffle_i32x4(quads[j + 8], quads[j + 12], 0x88);
      halves[j + 12] = _mm512_shuffle_i32x4(quads[j + 8], quads[j + 12], 0xdd);
    }
    const auto put = [&](int group, __m512i column) {
      if (first + group < groups) _mm512_storeu_si512(to + (first + group) * to_stride, column);
    };
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      put(j, _mm512_shuffle_i32x4(halves[j], halves[j + 8], 0x88));
      put(j + 8, _mm512_shuffle_i32x4(halves[j], halves[j + 8], 0xdd));
      put(j + 4, _mm512_shuffle_i32x4(halves[j + 4], halves[j + 12], 0x88));
      put(j + 12, _mm512_shuffle_i32x4(halves[j + 4], halves[j + 12], 0xdd));
    }
  }
}
#endif

/// rows of one sequence and head, `stride` apart, as the right operand whose summed dimension is the head's width:
/// (d, length padded to kLanes with zeros).
template <class Operand>
void transpose_head(const Operand* rows, int64_t stride, int64_t length, int head_width, Operand* grouped) {
  constexpr int kSize = Group<Operand>::kSize;
  const int64_t columns = rounded_up(length, kLanes);
  const int groups = head_width / kSize;
  int64_t key = 0;
  for (; key + kLanes <= length; key += kLanes)
    transpose_rows(rows + key * stride, stride, groups, grouped + key * kSize, columns * kSize);
  for (; key < columns; ++key)
    for (int group = 0; group < groups; ++group) {
      Operand* target = grouped + (group * columns + key) * kSize;
      if (key < length)
        std::memcpy(target, rows + key * stride + group * kSize, kSize * sizeof(Operand));
      else
        std::memset(target, 0, kSize * sizeof(Operand));
    }
}

/// The same as the right operand whose summed dimension is the tokens: (length padded to kLanes with zeros, d).
template <class Operand>
void group_head(const Operand* rows, int64_t stride, int64_t length, int head_width, Operand* grouped) {
  const int64_t padded = rounded_up(length, kLanes);
  for (int64_t t = 0; t < padded; t += 2)
    for (int d = 0; d < head_width; d += kLanes)
      store_two_rows(grouped + t * head_width + d * Group<Operand>::kSize, head_width,
                     t < length ? load_row(rows + t * stride + d) : Lanes{},
                     t + 1 < length ? load_row(rows + (t + 1) * stride + d) : Lanes{});
}

/// A block of queries and the keys that any of them sees.
struct AttentionBlock {
  int64_t first_query, first_key;
  int queries, keys;  // keys padded to kLanes

  AttentionBlock(int64_t query, int64_t length, int64_t window) : first_query(query) {
    const int64_t end = query + kQueries < length ? query + kQueries : length;
    const int64_t oldest = query - window + 1 > 0 ? query - window + 1 : 0;
    first_key = oldest / kLanes * kLanes;
    queries = static_cast<int>(end - query);
    keys = static_cast<int>(rounded_up(end - first_key, kLanes));
  }
  static int64_t most_keys(int64_t length, int64_t window) {
    const int64_t all = rounded_up(length, kLanes);
    const int64_t seen = rounded_up(window + kQueries, kLanes) + kLanes;
    return all < seen ? all : seen;
  }
};

/// Which lanes of a block's key columns a query sees: columns from `low` to `high`.
struct VisibleKeys {
  int low, high;

  VisibleKeys(const AttentionBlock& block, int query, int64_t window) {
    const int64_t position = block.first_query + query;
    const int64_t oldest = position - window + 1 > 0 ? position - window + 1 : 0;
    low = static_cast<int>(oldest - block.first_key);
    high = static_cast<int>(position - block.first_key);
  }
  [[nodiscard]] int first_column() const { return low / kLanes * kLanes; }
  [[nodiscard]] IntLanes mask(int column) const {
    const IntLanes at = lane_numbers() + column;
    return (at >= low) & (at <= high);
  }
};

/// One sequence's rows of the layer: queries (scaled and rotated), keys, values: element (t, d) of head h at
/// qkv[t * 3D + {0, D, 2D} + h * D/H + d].
template <class Operand>
struct SequenceRows {
  const Operand* qkv;
  int64_t length;
};

/// mixed (length, D) and log_sums (length, H) of one head.
template <class Operand>
void attention_forward(const FusedShape& shape, SequenceRows<Operand> rows, int head, Operand* mixed, float* log_sums,
                       Arena& scratch) {
  constexpr int kSize = Group<Operand>::kSize;
  const int d = shape.head_width();
  const int64_t stride = 3 * int64_t{shape.width};
  const int64_t padded = rounded_up(rows.length, kLanes);
  const int64_t most = AttentionBlock::most_keys(rows.length, shape.window);
  const Operand* queries = rows.qkv + head * d;
  auto* keys = take<Operand>(scratch, padded * d);
  auto* values = take<Operand>(scratch, padded * d);
  auto* scores = take<float>(scratch, kQueries * most);
  auto* weights = take<Operand>(scratch, kQueries * most);
  auto* sums = take<float>(scratch, kQueries * d);
  transpose_head(queries + shape.width, stride, rows.length, d, keys);
  group_head(queries + int64_t{2} * shape.width, stride, rows.length, d, values);
  for (int64_t start = 0; start < rows.length; start += kQueries) {
    const AttentionBlock block(start, rows.length, shape.window);
    matmul(block.queries, block.keys, d / kSize, by_rows(queries + start * stride, stride),
           keys + block.first_key * kSize, padded * kSize, scores, most, false);
    float inverse[kQueries];
    for (int i = 0; i < block.queries; ++i) {
      const VisibleKeys visible(block, i, shape.window);
      const float* row = scores + i * most;
      Operand* weight = weights + i * most;
      Lanes largest = fill(-FLT_MAX);
      for (int k = visible.first_column(); k <= visible.high; k += kLanes) {
        const Lanes masked = visible.mask(k) ? load(row + k) : fill(-FLT_MAX);
        largest = masked > largest ? masked : largest;
      }
      const float top = largest_of(largest);
      Lanes total{};
      for (int k = 0; k < block.keys; k += kLanes) {
        const bool seen = k >= visible.first_column() && k <= visible.high;
        const Lanes e = seen ? (visible.mask(k) ? exp_of(load(row + k) - top) : Lanes{}) : Lanes{};
        total += e;
        store_row(weight + k, e);
      }
      const float sum = sum_of(total);
      inverse[i] = 1 / sum;
      log_sums[(start + i) * shape.heads + head] = top + std::log(sum);
    }
    matmul(block.queries, d, block.keys / kSize, by_rows(weights, most), values + block.first_key * d, d * kSize, sums,
           d, false);
    for (int i = 0; i < block.queries; ++i)
      for (int column = 0; column < d; column += kLanes)
        store_row(mixed + (start + i) * shape.width + head * d + column, load(sums + i * d + column) * inverse[i]);
  }
}

/// dqkv (length, 3D), overwritten in this head's columns, from d_mixed (length, D); gradients of the scaled, rotated
/// queries and of the rotated keys.
template <class Operand>
void attention_backward(const FusedShape& shape, SequenceRows<Operand> rows, int head, const Operand* mixed,
                        const float* log_sums, const Operand* d_mixed, float* dqkv, Arena& scratch) {
  constexpr int kSize = Group<Operand>::kSize;
  const int d = shape.head_width();
  const int64_t D = shape.width;
  const int64_t stride = 3 * D;
  const int64_t padded = rounded_up(rows.length, kLanes);
  const int64_t most = AttentionBlock::most_keys(rows.length, shape.window);
  const Operand* queries = rows.qkv + head * d;
  mixed += head * d;
  d_mixed += head * d;
  auto* keys_across = take<Operand>(scratch, padded * d);
  auto* values_across = take<Operand>(scratch, padded * d);
  auto* keys = take<Operand>(scratch, padded * d);
  auto* block_queries = take<Operand>(scratch, rounded_up(kQueries, kLanes) * d);
  auto* block_outer = take<Operand>(scratch, rounded_up(kQueries, kLanes) * d);
  auto* scores = take<float>(scratch, kQueries * most);
  auto* outer = take<float>(scratch, kQueries * most);
  auto* d_scores = take<Operand>(scratch, kQueries * most);
  auto* weights_grouped = take<Operand>(scratch, kQueries * most);
  auto* d_scores_grouped = take<Operand>(scratch, kQueries * most);
  auto* d_keys = take<float>(scratch, padded * d);
  auto* d_values = take<float>(scratch, padded * d);
  std::memset(d_keys, 0, static_cast<size_t>(padded * d) * sizeof(float));
  std::memset(d_values, 0, static_cast<size_t>(padded * d) * sizeof(float));
  transpose_head(queries + D, stride, rows.length, d, keys_across);
  transpose_head(queries + 2 * D, stride, rows.length, d, values_across);
  group_head(queries + D, stride, rows.length, d, keys);
  for (int64_t start = 0; start < rows.length; start += kQueries) {
    const AttentionBlock block(start, rows.length, shape.window);
    const int even_queries = (block.queries + 1) / 2 * 2;
    matmul(block.queries, block.keys, d / kSize, by_rows(queries + start * stride, stride),
           keys_across + block.first_key * kSize, padded * kSize, scores, most, false);
    matmul(block.queries, block.keys, d / kSize, by_rows(d_mixed + start * D, D),
           values_across + block.first_key * kSize, padded * kSize, outer, most, false);
    group_head(queries + start * stride, stride, block.queries, d, block_queries);
    group_head(d_mixed + start * D, D, block.queries, d, block_outer);
    float shift[kQueries + 1], delta[kQueries + 1];
    for (int i = 0; i < block.queries; ++i) {
      Lanes product{};
      for (int column = 0; column < d; column += kLanes)
        product += load_row(mixed + (start + i) * D + column) * load_row(d_mixed + (start + i) * D + column);
      delta[i] = sum_of(product);
      shift[i] = log_sums[(start + i) * shape.heads + head];
    }
    const auto weight_of = [&](int i, int k, const VisibleKeys& visible) {
      if (i >= block.queries || k < visible.first_column() || k > visible.high) return Lanes{};
      return visible.mask(k) ? exp_of(load(scores + i * most + k) - shift[i]) : Lanes{};
    };
    for (int i = 0; i < even_queries; i += 2) {
      const VisibleKeys even(block, i, shape.window);
      const VisibleKeys odd(block, i + 1, shape.window);
      for (int k = 0; k < block.keys; k += kLanes) {
        const Lanes p = weight_of(i, k, even);
        const Lanes q = weight_of(i + 1, k, odd);
        store_two_rows(weights_grouped + i * most + k * kSize, static_cast<int>(most), p, q);
        const Lanes dp = p * (load(outer + i * most + k) - delta[i]);
        store_row(d_scores + i * most + k, dp);
        Lanes dq{};
        if (i + 1 < block.queries) {
          dq = q * (load(outer + (i + 1) * most + k) - delta[i + 1]);
          store_row(d_scores + (i + 1) * most + k, dq);
        }
        store_two_rows(d_scores_grouped + i * most + k * kSize, static_cast<int>(most), dp, dq);
      }
    }
    matmul(block.queries, d, block.keys / kSize, by_rows(d_scores, most), keys + block.first_key * d, d * kSize,
           dqkv + start * stride + head * d, stride, false);
    matmul(block.keys, d, even_queries / kSize, transposed(d_scores_grouped, most), block_queries, d * kSize,
           d_keys + block.first_key * d, d, true);
    matmul(block.keys, d, even_queries / kSize, transposed(weights_grouped, most), block_outer, d * kSize,
           d_values + block.first_key * d, d, true);
  }
  for (int64_t t = 0; t < rows.length; ++t)
    for (int column = 0; column < d; column += kLanes) {
      store(dqkv + t * stride + D + head * d + column, load(d_keys + t * d + column));
      store(dqkv + t * stride + 2 * D + head * d + column, load(d_values + t * d + column));
    }
}

}  // namespace
}  // namespace perennial
