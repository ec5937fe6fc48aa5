// The read-time vector and softmax cross-entropy over candidates, value and gradients in one pass, a tile of rows at a
// time: of all logits only a tile's exponentials exist. Internal linkage, as fused/lanes.h says.
// Maths: docs/kernels/softmax_loss.md. Covered by training/fused_steps_test.cc.
#pragma once

#include "fused/attention.h"

namespace perennial {
namespace {

constexpr int kPanel = 64;          // candidates of one packed panel
constexpr int kSlice = 4 * kPanel;  // candidates whose exponentials lie together, for all rows of a tile

/// Panels of candidates as right operands: logits (D, 64 candidates), and gradients of u (64 candidates, D).
template <class Operand>
struct PackedSoftmax {
  Operand *across, *along;
  float* bias;  // (panels * 64): with the sample's offset; -1e30 where there is no candidate

  static int64_t panels(int64_t count) { return (count + kPanel - 1) / kPanel; }
  static size_t bytes(const FusedShape& shape, int64_t count) {
    const int64_t padded = panels(count) * kPanel;
    const auto D = static_cast<size_t>(shape.width);
    return static_cast<size_t>(padded) * (2 * D * sizeof(Operand) + sizeof(float));
  }
  PackedSoftmax(const FusedShape& shape, int64_t count, const void* packed) {
    const int64_t padded = panels(count) * kPanel;
    across = static_cast<Operand*>(const_cast<void*>(packed));
    along = across + padded * shape.width;
    bias = reinterpret_cast<float*>(along + padded * shape.width);
  }
};

template <class Operand>
void pack_softmax_panels(const FusedShape& shape, const SoftmaxItems& items, int64_t first, int64_t end,
                         PackedSoftmax<Operand> packed, float* rows) {
  const int D = shape.width;
  for (int64_t panel = first; panel < end; ++panel) {
    for (int i = 0; i < kPanel; ++i) {
      const int64_t candidate = panel * kPanel + i;
      const bool real = candidate < items.count;
      const int64_t item = !real ? 0 : items.sample != nullptr ? items.sample[candidate] : candidate;
      float* row = rows + static_cast<int64_t>(i) * D;
      if (real)
        std::memcpy(row, items.items + item * D, sizeof(float) * static_cast<size_t>(D));
      else
        std::memset(row, 0, sizeof(float) * static_cast<size_t>(D));
      packed.bias[candidate] = real ? items.bias[item] + items.sample_offset : -1e30F;
    }
    pack_transposed(rows, D, D, kPanel, packed.across + panel * kPanel * D, kPanel);
    pack_rows(rows, D, kPanel, D, packed.along + panel * kPanel * D, D);
  }
}

template <class Operand>
struct PackedRead {
  Operand *in, *in_back, *out, *out_back;

  static int64_t elements(const FusedShape& shape) { return 4 * int64_t{shape.width} * shape.width; }
  PackedRead(const FusedShape& shape, const void* packed) {
    const int64_t size = int64_t{shape.width} * shape.width;
    in = static_cast<Operand*>(const_cast<void*>(packed));
    in_back = in + size;
    out = in_back + size;
    out_back = out + size;
  }
};

template <class Operand>
void pack_read_weights(const FusedShape& shape, const ReadPointers<const float>& read, PackedRead<Operand> packed) {
  const int D = shape.width;
  pack_transposed(read.mix_in, D, D, D, packed.in, D);
  pack_rows(read.mix_in, D, D, D, packed.in_back, D);
  pack_transposed(read.mix_out, D, D, D, packed.out, D);
  pack_rows(read.mix_out, D, D, D, packed.out_back, D);
}

/// Two rows of n elements, n a multiple of 32, as two rows of a grouped matrix of `columns`.
inline void interleave(const float* even, const float* odd, int n, int columns, float* target) {
  std::memcpy(target, even, sizeof(float) * static_cast<size_t>(n));
  std::memcpy(target + columns, odd, sizeof(float) * static_cast<size_t>(n));
}
#if defined(__AVX512BF16__)
inline void interleave(const Bfloat16* even, const Bfloat16* odd, int n, int, Bfloat16* target) {
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                       5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (int i = 0; i < n; i += 32) {
    const __m512i a = _mm512_loadu_si512(even + i);
    const __m512i b = _mm512_loadu_si512(odd + i);
    _mm512_storeu_si512(target + 2 * i, _mm512_permutex2var_epi16(a, low, b));
    _mm512_storeu_si512(target + 2 * i + 32, _mm512_permutex2var_epi16(a, high, b));
  }
}
#endif

template <class Operand>
class NextItemLoss {
 public:
  static constexpr int kSize = Group<Operand>::kSize;
  static constexpr int kTile = 252;  // rows: a multiple of the product's, and even

  NextItemLoss(const FusedShape& shape, const ReadPointers<const float>& read, const void* packed_read,
               const SoftmaxItems& items, const void* packed_items, const LossRows& rows, Arena& scratch)
      : shape_(shape),
        read_(read),
        items_(items),
        packed_read_(shape, packed_read),
        packed_(shape, items.count, packed_items),
        rows_(rows),
        D_(shape.width),
        columns_(PackedSoftmax<Operand>::panels(items.count) * kPanel) {
    scratch.reset();
    for (float** floats : {&u0_, &inner_, &u_, &du_, &outer_}) *floats = take<float>(scratch, kTile * D_);
    for (Operand** operands : {&u0_rows_, &activated_rows_, &rows_a_}) *operands = take<Operand>(scratch, kTile * D_);
    for (Operand** operands : {&grouped_a_, &grouped_b_})
      *operands = take<Operand>(scratch, rounded_up(kTile, kLanes) * D_);
    exponentials_ = take<Operand>(scratch, kTile * rounded_up(columns_, kSlice));
    panel_ = take<Operand>(scratch, kTile * kPanel);
    inverse_rows_ = take<Operand>(scratch, kTile);
    logits_ = take<float>(scratch, kPanel);
    panel_bias_ = take<float>(scratch, kPanel);
  }

  double run(float scale, float* dh, const ReadPointers<float>& read_gradients, const SoftmaxGradients& gradients) {
    double loss = 0;
    for (int64_t first = 0; first < rows_.count; first += kTile) {
      const int rows = static_cast<int>(rows_.count - first < kTile ? rows_.count - first : kTile);
      read_forward(first, rows);
      loss += softmax(first, rows, scale, gradients);
      read_backward(first, rows, dh, read_gradients);
    }
    return loss;
  }

 private:
  template <class Visit>
  void elements(int rows, Visit visit) const {
    for (int t = 0; t < rows; ++t)
      for (int d = 0; d < D_; d += kLanes) visit(t, d, t * D_ + d);
  }

  void read_forward(int64_t first, int rows) {
    for (int t = 0; t < rows; ++t) {
      const int64_t token = rows_.tokens[first + t];
      float* u = u0_ + t * D_;
      std::memcpy(u, rows_.h + token * D_, sizeof(float) * static_cast<size_t>(D_));
      if (rows_.elapsed[token] > 0) add_row(read_.elapsed + rows_.elapsed[token] * D_, u);  // 0: unknown
      for (int64_t f = rows_.feature_starts[token]; f < feature_end(token); ++f)
        add_row(read_.features + rows_.feature_ids[f] * D_, u);
      for (int d = 0; d < D_; d += kLanes) store_row(u0_rows_ + t * D_ + d, load(u + d));
    }
    const int D = shape_.width;
    matmul(rows, D, D / kSize, by_rows(u0_rows_, D_), packed_read_.in, D_ * kSize, inner_, D_, false);
    elements(rows, [&](int, int d, int64_t at) {
      const Lanes a = load(inner_ + at) + load(read_.mix_in_bias + d);
      store(inner_ + at, a);
      store_row(activated_rows_ + at, a * logistic_of(a));
    });
    matmul(rows, D, D / kSize, by_rows(activated_rows_, D_), packed_read_.out, D_ * kSize, u_, D_, false);
    elements(rows, [&](int, int d, int64_t at) {
      const Lanes u = load(u_ + at) + load(u0_ + at) + load(read_.mix_out_bias + d);
      store(u_ + at, u);
      store_row(rows_a_ + at, u);
    });
  }

  /// gradient (D, D) += outer^T . input, both (rows, D).
  void weight_gradient(int rows, const Operand* outer, const Operand* input, float* gradient) {
    const int D = shape_.width;
    group_head(outer, D_, rows, D, grouped_a_);
    group_head(input, D_, rows, D, grouped_b_);
    matmul(D, D, (rows + kSize - 1) / kSize, transposed(grouped_a_, D_), grouped_b_, D_ * kSize, gradient, D_, true);
  }

  void read_backward(int64_t first, int rows, float* dh, const ReadPointers<float>& gradients) {
    const int D = shape_.width;
    elements(rows, [&](int, int d, int64_t at) {
      const Lanes outer = load(du_ + at);
      store_row(rows_a_ + at, outer);
      add_to(gradients.mix_out_bias + d, outer);
    });
    weight_gradient(rows, rows_a_, activated_rows_, gradients.mix_out);
    matmul(rows, D, D / kSize, by_rows(rows_a_, D_), packed_read_.out_back, D_ * kSize, outer_, D_, false);
    elements(rows, [&](int, int d, int64_t at) {
      const Lanes a = load(inner_ + at);
      const Lanes share = logistic_of(a);
      const Lanes outer = load(outer_ + at) * (share + a * share * (1.0F - share));
      store_row(rows_a_ + at, outer);
      add_to(gradients.mix_in_bias + d, outer);
    });
    weight_gradient(rows, rows_a_, u0_rows_, gradients.mix_in);
    matmul(rows, D, D / kSize, by_rows(rows_a_, D_), packed_read_.in_back, D_ * kSize, du_, D_, true);
    for (int t = 0; t < rows; ++t) {
      const int64_t token = rows_.tokens[first + t];
      const float* outer = du_ + t * D_;
      add_row(outer, dh + token * D_);
      if (rows_.elapsed[token] > 0) add_row(outer, gradients.elapsed + rows_.elapsed[token] * D_);
      for (int64_t f = rows_.feature_starts[token]; f < feature_end(token); ++f)
        add_row(outer, gradients.features + rows_.feature_ids[f] * D_);
    }
  }

  [[nodiscard]] int64_t feature_end(int64_t token) const {
    return token + 1 < rows_.all_tokens ? rows_.feature_starts[token + 1] : rows_.features;
  }
  void add_row(const float* from, float* to) const {
    for (int d = 0; d < D_; d += kLanes) add_to(to + d, load(from + d));
  }

  /// Of a tile: the sum of the losses; du_, and the candidates' gradients, times `scale`.
  double softmax(int64_t first, int rows, float scale, const SoftmaxGradients& gradients) {
    find_targets(first, rows);
    exponentiate(rows);
    shift_overflows(rows);
    double loss = 0;
    for (int t = 0; t < rows; ++t) {
      const float right = std::exp(target_logit_[t] - shift_[t]);
      const float total = sum_of(sums_[t]) + right;
      loss += static_cast<double>(std::log(total)) + shift_[t] - target_logit_[t];
      inverse_[t] = scale / total;
      target_weight_[t] = right * inverse_[t] - scale;
    }
    candidate_gradients(rows, gradients);
    vector_gradients(first, rows);
    target_gradients(first, rows, gradients);
    return loss;
  }

  /// Each row's target: its logit by the rounding of the products, and the candidates that are the same item.
  void find_targets(int64_t first, int rows) {
    for (int t = 0; t < rows; ++t) {
      const int64_t target = rows_.targets[first + t];
      const float* item = items_.items + target * D_;
      Lanes products{};
      Operand round[kLanes];
      for (int d = 0; d < D_; d += kLanes) {
        store_row(round, load(item + d));
        products += load_row(round) * load_row(rows_a_ + t * D_ + d);
      }
      target_logit_[t] = sum_of(products) + items_.bias[target];
      shift_[t] = target_logit_[t];
      same_low_[t] = target;
      same_high_[t] = target + 1;
      if (items_.sample != nullptr) {
        same_low_[t] = first_at_least(target);
        same_high_[t] = first_at_least(target + 1);
      }
    }
  }

  /// The first candidate of a sample whose item is not below `item`.
  [[nodiscard]] int64_t first_at_least(int64_t item) const {
    int64_t low = 0;
    for (int64_t high = items_.count; low < high;) {
      const int64_t middle = (low + high) / 2;
      if (items_.sample[middle] < item)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }

  /// Those of the slice that holds a column, from that column on; rows are kSlice apart.
  [[nodiscard]] Operand* exponentials(int64_t column) const {
    return exponentials_ + column / kSlice * kSlice * kTile + column % kSlice;
  }

  /// exponentials_ = exp(logit - shift), 0 where a candidate is the target; sums_ of each row.
  void exponentiate(int rows) {
    for (int t = 0; t < rows; ++t) sums_[t] = Lanes{};
    for (int64_t column = 0; column < columns_; column += kPanel)
      for (int first = 0; first < rows; first += kTileRows)
        exponentiate(first, rows - first < kTileRows ? rows - first : kTileRows, column);
  }

  /// Of a tile of the product, straight from its registers.
  void exponentiate(int first, int rows, int64_t column) {
    constexpr float kLog2E = 1.44269504F;
    for (int part = 0; part < kPanel; part += kTileLanes * kLanes)
      row_block<kTileLanes>(rows, by_rows(rows_a_ + first * D_, D_), packed_.across + column * D_ + part * kSize,
                            kPanel * kSize, shape_.width / kSize, [&](int m, const Lanes* logits) {
                              const int t = first + m;
                              const int64_t at = column + part;
                              Lanes e[kTileLanes];
#pragma GCC unroll 8
                              for (int v = 0; v < kTileLanes; ++v) {
                                const Lanes logit = logits[v] + load(packed_.bias + at + v * kLanes);
                                e[v] = exp2_for(Operand{}, logit * kLog2E - shift_[t] * kLog2E);
                              }
                              if (same_high_[t] > at && same_low_[t] < at + kTileLanes * kLanes)
                                leave_out_target(t, at, e);
                              Operand* row = exponentials(at) + t * kSlice;
                              Lanes sum = sums_[t];
#pragma GCC unroll 8
                              for (int v = 0; v < kTileLanes; ++v) {
                                sum += e[v];
                                store_row(row + v * kLanes, e[v]);
                              }
                              sums_[t] = sum;
                            });
  }

  [[gnu::noinline]] void leave_out_target(int t, int64_t column, Lanes* exponentials) const {
    for (int v = 0; v < kTileLanes; ++v) {
      const IntLanes at = lane_numbers() + static_cast<int>(column + v * kLanes);
      const IntLanes same = (at >= static_cast<int>(same_low_[t])) & (at < static_cast<int>(same_high_[t]));
      exponentials[v] = same ? Lanes{} : exponentials[v];
    }
  }

  /// Rows whose other logits are so far above the target's that their sum is near the largest float: by their largest.
  void shift_overflows(int rows) {
    constexpr float kNearOverflow = 1e30F;
    for (int t = 0; t < rows; ++t) {
      if (sum_of(sums_[t]) < kNearOverflow) continue;
      Lanes largest = fill(target_logit_[t]);
      for (int64_t column = 0; column < columns_; column += kPanel) {
        matmul(1, kPanel, shape_.width / kSize, by_rows(rows_a_ + t * D_, D_), packed_.across + column * D_,
               kPanel * kSize, logits_, kPanel, false);
        for (int i = 0; i < kPanel; i += kLanes) {
          const Lanes logit = load(logits_ + i) + load(packed_.bias + column + i);
          largest = logit > largest ? logit : largest;
        }
      }
      shift_[t] = largest_of(largest);
      sums_[t] = Lanes{};
      for (int64_t column = 0; column < columns_; column += kPanel) exponentiate(t, 1, column);
    }
  }

  /// du_ = the candidates' part of the gradients of u, but for the factor of each row; the candidates' gradients. Slice
  /// by slice, while its exponentials are near.
  void candidate_gradients(int rows, const SoftmaxGradients& gradients) {
    const int even = (rows + 1) / 2 * 2;
    const int groups = even / kSize;
    group_factors(rows, even);
    for (int64_t slice = 0; slice < columns_; slice += kSlice) {
      const int count = static_cast<int>(columns_ - slice < kSlice ? columns_ - slice : kSlice);
      matmul(rows, shape_.width, count / kSize, by_rows(exponentials(slice), kSlice), packed_.along + slice * D_,
             D_ * kSize, du_, D_, slice > 0);
      if (even > rows) std::memset(exponentials(slice) + rows * kSlice, 0, sizeof(Operand) * kSlice);
      for (int64_t column = slice; column < slice + count; column += kPanel)
        panel_gradients(column, even, groups, gradients);
    }
  }

  void panel_gradients(int64_t column, int rows, int groups, const SoftmaxGradients& gradients) {
    const Operand* from = exponentials(column);
    for (int t = 0; t < rows; t += 2)
      interleave(from + t * kSlice, from + (t + 1) * kSlice, kPanel, kPanel, panel_ + t * kPanel);
    const int count = static_cast<int>(items_.count - column < kPanel ? items_.count - column : kPanel);
    matmul(count, shape_.width, groups, transposed(panel_, kPanel), grouped_a_, D_ * kSize,
           gradients.candidates + column * D_, D_, true);
    matmul(1, kPanel, groups, by_rows(inverse_rows_, kTile), panel_, kPanel * kSize, panel_bias_, kPanel, false);
    for (int i = 0; i < count; ++i) gradients.candidate_bias[column + i] += panel_bias_[i];
  }

  /// What each row's exponentials are multiplied by: inverse_rows_, and with u in grouped_a_.
  void group_factors(int rows, int even) {
    for (int t = 0; t < even; ++t) {
      Operand round[kLanes];
      store_row(round, fill(t < rows ? inverse_[t] : 0));
      inverse_rows_[t] = round[0];
    }
    for (int t = 0; t < even; t += 2)
      for (int d = 0; d < D_; d += kLanes)
        store_two_rows(grouped_a_ + t * D_ + d * kSize, shape_.width, load(u_ + t * D_ + d) * inverse_[t],
                       t + 1 < rows ? load(u_ + (t + 1) * D_ + d) * inverse_[t + 1] : Lanes{});
  }

  void vector_gradients(int64_t first, int rows) {
    for (int t = 0; t < rows; ++t) {
      const float* item = items_.items + rows_.targets[first + t] * D_;
      for (int d = 0; d < D_; d += kLanes)
        store(du_ + t * D_ + d, load(du_ + t * D_ + d) * inverse_[t] + load(item + d) * target_weight_[t]);
    }
  }

  void target_gradients(int64_t first, int rows, const SoftmaxGradients& gradients) const {
    for (int t = 0; t < rows; ++t) {
      const int64_t target = rows_.targets[first + t];
      const bool apart = gradients.targets != nullptr;
      float* item = apart ? gradients.targets + (first + t) * D_ : gradients.candidates + target * D_;
      for (int d = 0; d < D_; d += kLanes) {
        const Lanes gradient = load(u_ + t * D_ + d) * target_weight_[t];
        store(item + d, apart ? gradient : load(item + d) + gradient);
      }
      if (apart)
        gradients.target_bias[first + t] = target_weight_[t];
      else
        gradients.candidate_bias[target] += target_weight_[t];
    }
  }

  const FusedShape& shape_;
  const ReadPointers<const float>& read_;
  const SoftmaxItems& items_;
  PackedRead<Operand> packed_read_;
  PackedSoftmax<Operand> packed_;
  const LossRows& rows_;
  int64_t D_, columns_;
  float *u0_, *inner_, *u_, *du_, *outer_;  // (tile, D): without and with the mixing, its hidden layer, gradients
  Operand *u0_rows_, *activated_rows_, *rows_a_, *grouped_a_, *grouped_b_;  // (tile, D)
  Operand* exponentials_;                                                   // (slices, tile, slice)
  Operand *panel_, *inverse_rows_;                                          // (tile, 64) grouped, (tile)
  float *logits_, *panel_bias_;
  Lanes sums_[kTile];
  float target_logit_[kTile], shift_[kTile], inverse_[kTile], target_weight_[kTile];
  int64_t same_low_[kTile], same_high_[kTile];
};

}  // namespace
}  // namespace perennial
