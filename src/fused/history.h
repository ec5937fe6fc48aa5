// The history's layers, forward and backward, in tiles of tokens that stay in the second-level cache. Internal linkage,
// as fused/lanes.h says. Maths: docs/kernels/fused.md. Covered by training/fused_steps_test.cc.
#pragma once

#include "fused/attention.h"

namespace perennial {
namespace {

constexpr int64_t kTileTokens = 126;  // a multiple of the product's rows, and even

/// A layer's weights as right operands: forwards (in, out), and backwards (out, in).
template <class Operand>
struct PackedLayer {
  Operand *qkv, *qkv_back, *out, *out_back, *up, *up_back, *down, *down_back;

  static int64_t elements(const FusedShape& shape) {
    const int64_t D = shape.width;
    return 8 * D * D + 4 * D * shape.feed_forward;
  }

  PackedLayer(const FusedShape& shape, const void* packed, size_t layer) {
    const int64_t D = shape.width;
    const int64_t F = shape.feed_forward;
    auto* at = static_cast<Operand*>(const_cast<void*>(packed)) + static_cast<int64_t>(layer) * elements(shape);
    const auto next = [&at](int64_t size) {
      Operand* place = at;
      at += size;
      return place;
    };
    qkv = next(3 * D * D);
    qkv_back = next(3 * D * D);
    out = next(D * D);
    out_back = next(D * D);
    up = next(D * F);
    up_back = next(D * F);
    down = next(D * F);
    down_back = next(D * F);
  }
};

template <class Operand>
void pack_layer(const FusedShape& shape, const LayerPointers<const float>& layer, PackedLayer<Operand> packed) {
  constexpr int kSize = Group<Operand>::kSize;
  const int D = shape.width;
  const int F = shape.feed_forward;
  const float* parts[] = {layer.query, layer.key, layer.value};
  for (int i = 0; i < 3; ++i) {
    pack_transposed(parts[i], D, D, D, packed.qkv + i * D * kSize, 3 * D);
    pack_rows(parts[i], D, D, D, packed.qkv_back + i * D * D, D);
  }
  pack_transposed(layer.out, D, D, D, packed.out, D);
  pack_rows(layer.out, D, D, D, packed.out_back, D);
  pack_transposed(layer.up, D, D, F, packed.up, F);
  pack_rows(layer.up, D, F, D, packed.up_back, D);
  pack_transposed(layer.down, F, F, D, packed.down, D);
  pack_rows(layer.down, F, D, F, packed.down_back, F);
}

/// What backward needs of a layer's forward, N tokens.
template <class Operand>
struct SavedLayer {
  float *x, *middle, *log_sums;   // (N, D) before the attention, before the feed-forward; (N, H)
  Operand *qkv, *mixed, *hidden;  // (N, 3D), (N, D), (N, F) before the activation

  static size_t bytes(const FusedShape& shape, int64_t tokens) {
    const auto D = static_cast<size_t>(shape.width);
    const size_t a_token = sizeof(float) * (2 * D + static_cast<size_t>(shape.heads)) +
                           sizeof(Operand) * (4 * D + static_cast<size_t>(shape.feed_forward));
    return a_token * static_cast<size_t>(tokens);
  }

  SavedLayer(const FusedShape& shape, int64_t tokens, const void* saved, int64_t layer) {
    const int64_t D = shape.width;
    auto* at =
        static_cast<unsigned char*>(const_cast<void*>(saved)) + bytes(shape, tokens) * static_cast<size_t>(layer);
    x = reinterpret_cast<float*>(at);
    middle = x + tokens * D;
    log_sums = middle + tokens * D;
    qkv = reinterpret_cast<Operand*>(log_sums + tokens * shape.heads);
    mixed = qkv + tokens * 3 * D;
    hidden = mixed + tokens * D;
  }
};

/// The places at which activations are dropped.
constexpr uint64_t kEmbeddingPlace = 0;
constexpr uint64_t attention_place(int64_t layer) { return 1 + 2 * static_cast<uint64_t>(layer); }
constexpr uint64_t feed_forward_place(int64_t layer) { return 2 + 2 * static_cast<uint64_t>(layer); }

template <class Operand>
class History {
 public:
  static constexpr int kSize = Group<Operand>::kSize;

  History(const FusedShape& shape, const HistoryPointers<const float>& weights, const void* packed,
          const FusedTokens& tokens, FusedDropout dropout, Arena& scratch)
      : shape_(shape),
        weights_(weights),
        packed_(packed),
        tokens_(tokens),
        dropout_(dropout),
        scratch_(scratch),
        D_(shape.width),
        F_(shape.feed_forward),
        N_(tokens.size()) {
    scratch.reset();
    positions_ = take<int64_t>(scratch, N_);
    for (int64_t s = 0; s < tokens.sequences; ++s)
      for (int64_t t = tokens.starts[s]; t < tokens.starts[s + 1]; ++t)
        positions_[t - tokens.first()] = t - tokens.starts[s];
    normed_ = take<Operand>(scratch, kTileTokens * D_);
    wide_ = take<float>(scratch, kTileTokens * (F_ > 3 * D_ ? F_ : 3 * D_));
    narrow_ = take<float>(scratch, kTileTokens * D_);
    rows_ = take<Operand>(scratch, kTileTokens * (F_ > 3 * D_ ? F_ : 3 * D_));
  }

  void forward(float* h, void* saved) {
    float* x = SavedLayer<Operand>(shape_, N_, saved, 0).x;
    embed(x);
    for (int64_t l = 0; l < shape_.layers; ++l) {
      const SavedLayer<Operand> kept(shape_, N_, saved, l);
      const bool last = l + 1 == shape_.layers;
      float* next = last ? final_x(saved) : SavedLayer<Operand>(shape_, N_, saved, l + 1).x;
      const LayerPointers<const float>& layer = weights_.layers[static_cast<size_t>(l)];
      const PackedLayer<Operand> packed(shape_, packed_, static_cast<size_t>(l));
      tiles([&](int64_t first, int rows) { project(layer, packed, kept, first, rows); });
      sequences([&](int64_t first, int64_t length) {
        const Arena::Mark mark = scratch_.mark();
        for (int head = 0; head < shape_.heads; ++head, scratch_.release(mark))
          attention_forward(shape_, SequenceRows<Operand>{kept.qkv + first * 3 * D_, length}, head,
                            kept.mixed + first * D_, kept.log_sums + first * shape_.heads, scratch_);
      });
      tiles([&](int64_t first, int rows) {
        mix(layer, packed, kept, l, first, rows);
        feed_forward(layer, packed, kept, l, first, rows, next);
      });
    }
    const float* last = final_x(saved);
    for (int64_t t = 0; t < N_; ++t) normalise(last + t * D_, weights_.final_gain, weights_.final_bias, h + t * D_);
  }

  void backward(float* dx, const void* saved, const HistoryPointers<float>& gradients) {
    prepare_backward();
    const float* last = final_x(saved);
    for (int64_t t = 0; t < N_; ++t) {
      std::memcpy(narrow_, dx + t * D_, row_bytes());
      std::memset(dx + t * D_, 0, row_bytes());
      norm_backward(last + t * D_, norm_statistics(last + t * D_, shape_.width), weights_.final_gain, narrow_,
                    shape_.width, dx + t * D_, gradients.final_gain, gradients.final_bias);
    }
    for (int64_t l = shape_.layers; l-- > 0;) {
      const SavedLayer<Operand> kept(shape_, N_, saved, l);
      const LayerPointers<const float>& layer = weights_.layers[static_cast<size_t>(l)];
      const LayerPointers<float>& gradient = gradients.layers[static_cast<size_t>(l)];
      const PackedLayer<Operand> packed(shape_, packed_, static_cast<size_t>(l));
      tiles([&](int64_t first, int rows) {
        feed_forward_backward(layer, packed, kept, gradient, l, first, rows, dx);
        mix_backward(packed, kept, gradient, l, first, rows, dx);
      });
      sequences([&](int64_t first, int64_t length) {
        const Arena::Mark mark = scratch_.mark();
        for (int head = 0; head < shape_.heads; ++head, scratch_.release(mark))
          attention_backward(shape_, SequenceRows<Operand>{kept.qkv + first * 3 * D_, length}, head,
                             kept.mixed + first * D_, kept.log_sums + first * shape_.heads, d_mixed_ + first * D_,
                             dqkv_ + first * 3 * D_, scratch_);
      });
      tiles([&](int64_t first, int rows) { project_backward(layer, packed, kept, gradient, first, rows, dx); });
    }
    embed_backward(dx, gradients);
  }

  static size_t saved_bytes(const FusedShape& shape, int64_t tokens) {
    return SavedLayer<Operand>::bytes(shape, tokens) * static_cast<size_t>(shape.layers) +
           sizeof(float) * static_cast<size_t>(tokens * shape.width);
  }

 private:
  [[nodiscard]] size_t row_bytes() const { return sizeof(float) * static_cast<size_t>(D_); }

  [[nodiscard]] float* final_x(const void* saved) const {
    return SavedLayer<Operand>(shape_, N_, saved, shape_.layers).x;
  }

  template <class Visit>
  void tiles(Visit visit) const {
    for (int64_t first = 0; first < N_; first += kTileTokens)
      visit(first, static_cast<int>(N_ - first < kTileTokens ? N_ - first : kTileTokens));
  }

  template <class Visit>
  void sequences(Visit visit) {
    for (int64_t s = 0; s < tokens_.sequences; ++s)
      visit(tokens_.starts[s] - tokens_.first(), tokens_.starts[s + 1] - tokens_.starts[s]);
  }

  /// The row's number in the batch, by which dropping is chosen.
  [[nodiscard]] int64_t token(int64_t row) const { return tokens_.first() + row; }

  void embed(float* x) const {
    const Dropout dropout(dropout_, kEmbeddingPlace);
    const float scale = std::sqrt(static_cast<float>(D_));
    for (int64_t t = 0; t < N_; ++t) {
      const int64_t at = token(t);
      const uint32_t dice = dropout.of_row(at);
      const float* item = weights_.items + tokens_.items[at] * D_;
      const float* type = weights_.types + tokens_.types[at] * D_;
      const float* value = weights_.values + tokens_.values[at] * D_;
      const float* gap = weights_.gaps + tokens_.gaps[at] * D_;
      for (int d = 0; d < D_; d += kLanes)
        store(x + t * D_ + d,
              dropout.apply(load(item + d) * scale + load(type + d) + load(value + d) + load(gap + d), dice, d));
    }
  }

  void embed_backward(float* dx, const HistoryPointers<float>& gradients) const {
    const Dropout dropout(dropout_, kEmbeddingPlace);
    const float scale = std::sqrt(static_cast<float>(D_));
    for (int64_t t = 0; t < N_; ++t) {
      const int64_t at = token(t);
      const uint32_t dice = dropout.of_row(at);
      float* item = gradients.items == nullptr ? nullptr : gradients.items + tokens_.items[at] * D_;
      float* type = gradients.types + tokens_.types[at] * D_;
      float* value = gradients.values + tokens_.values[at] * D_;
      float* gap = gradients.gaps + tokens_.gaps[at] * D_;
      for (int d = 0; d < D_; d += kLanes) {
        const Lanes outer = dropout.apply(load(dx + t * D_ + d), dice, d);
        store(dx + t * D_ + d, outer);
        add_to(type + d, outer);
        add_to(value + d, outer);
        add_to(gap + d, outer);
        if (item != nullptr) add_to(item + d, outer * scale);
      }
    }
  }

  template <class Target>
  void normalise(const float* x, const float* gain, const float* bias, Target* normed) const {
    const NormStatistics statistics = norm_statistics(x, shape_.width);
    for (int d = 0; d < D_; d += kLanes)
      store_row(normed + d, (load(x + d) - statistics.mean) * statistics.scale * load(gain + d) + load(bias + d));
  }

  /// Rows of a tile normalised and grouped, as the right operand of a weight's gradient; odd ends padded with zeros.
  void normalise_grouped(const float* x, int rows, const float* gain, const float* bias, Operand* grouped) const {
    for (int t = 0; t < rows; t += 2) {
      const NormStatistics even = norm_statistics(x + t * D_, shape_.width);
      const bool pair = t + 1 < rows;
      const NormStatistics odd = pair ? norm_statistics(x + (t + 1) * D_, shape_.width) : NormStatistics{};
      for (int d = 0; d < D_; d += kLanes) {
        const auto normed = [&](int row, NormStatistics statistics) {
          return (load(x + row * D_ + d) - statistics.mean) * statistics.scale * load(gain + d) + load(bias + d);
        };
        store_two_rows(grouped + t * D_ + d * kSize, shape_.width, normed(t, even),
                       pair ? normed(t + 1, odd) : Lanes{});
      }
    }
  }

  /// value(row, column) of `rows` rows, stored row by row at `by_row` (unless null) and grouped.
  template <class Value>
  void store_both(int rows, int64_t columns, Operand* by_row, Operand* grouped, Value value) const {
    for (int t = 0; t < rows; t += 2)
      for (int d = 0; d < columns; d += kLanes) {
        const Lanes even = value(t, d);
        const Lanes odd = t + 1 < rows ? value(t + 1, d) : Lanes{};
        if (by_row != nullptr) {
          store_row(by_row + t * columns + d, even);
          if (t + 1 < rows) store_row(by_row + (t + 1) * columns + d, odd);
        }
        store_two_rows(grouped + t * columns + d * kSize, static_cast<int>(columns), even, odd);
      }
  }

  void project(const LayerPointers<const float>& layer, const PackedLayer<Operand>& packed,
               const SavedLayer<Operand>& kept, int64_t first, int rows) {
    for (int t = 0; t < rows; ++t)
      normalise(kept.x + (first + t) * D_, layer.attention_gain, layer.attention_bias, normed_ + t * D_);
    matmul(rows, 3 * shape_.width, shape_.width / kSize, by_rows(normed_, D_), packed.qkv, 3 * D_ * kSize, wide_,
           3 * D_, false);
    const float scale = 1 / std::sqrt(static_cast<float>(shape_.head_width()));
    for (int t = 0; t < rows; ++t) {
      float* row = wide_ + t * 3 * D_;
      for (int d = 0; d < D_; d += kLanes) {
        store(row + d, (load(row + d) + load(layer.query_bias + d)) * scale);
        add_to(row + D_ + d, load(layer.key_bias + d));
        add_to(row + 2 * D_ + d, load(layer.value_bias + d));
      }
      turn(row, first + t, 1);
      for (int d = 0; d < 3 * D_; d += kLanes) store_row(kept.qkv + (first + t) * 3 * D_ + d, load(row + d));
    }
  }

  /// Rotates the queries and keys of a row by its position.
  void turn(float* row, int64_t token, float direction) const {
    const int64_t half = shape_.head_width() / 2;
    const float* cosine = tokens_.cosine + positions_[token] * half;
    const float* sine = tokens_.sine + positions_[token] * half;
    rotate(row, shape_.width, shape_.head_width(), cosine, sine, direction);
    rotate(row + D_, shape_.width, shape_.head_width(), cosine, sine, direction);
  }

  /// to = from + drop(added + bias), of a tile.
  void add_residual(const float* from, const float* added, const float* bias, uint64_t place, int64_t first, int rows,
                    float* to) const {
    const Dropout dropout(dropout_, place);
    for (int t = 0; t < rows; ++t) {
      const uint32_t dice = dropout.of_row(token(first + t));
      const int64_t row = (first + t) * D_;
      for (int d = 0; d < D_; d += kLanes)
        store(to + row + d, load(from + row + d) + dropout.apply(load(added + t * D_ + d) + load(bias + d), dice, d));
    }
  }

  void mix(const LayerPointers<const float>& layer, const PackedLayer<Operand>& packed, const SavedLayer<Operand>& kept,
           int64_t l, int64_t first, int rows) {
    matmul(rows, shape_.width, shape_.width / kSize, by_rows(kept.mixed + first * D_, D_), packed.out, D_ * kSize,
           narrow_, D_, false);
    add_residual(kept.x, narrow_, layer.out_bias, attention_place(l), first, rows, kept.middle);
  }

  void feed_forward(const LayerPointers<const float>& layer, const PackedLayer<Operand>& packed,
                    const SavedLayer<Operand>& kept, int64_t l, int64_t first, int rows, float* next) {
    for (int t = 0; t < rows; ++t)
      normalise(kept.middle + (first + t) * D_, layer.feed_forward_gain, layer.feed_forward_bias, normed_ + t * D_);
    matmul(rows, shape_.feed_forward, shape_.width / kSize, by_rows(normed_, D_), packed.up, F_ * kSize, wide_, F_,
           false);
    for (int t = 0; t < rows; ++t)
      for (int f = 0; f < F_; f += kLanes) {
        Operand* hidden = kept.hidden + (first + t) * F_ + f;
        store_row(hidden, load(wide_ + t * F_ + f) + load(layer.up_bias + f));
        const Lanes u = load_row(hidden);
        store_row(rows_ + t * F_ + f, u * normal_of(u).below);
      }
    matmul(rows, shape_.width, shape_.feed_forward / kSize, by_rows(rows_, F_), packed.down, D_ * kSize, narrow_, D_,
           false);
    add_residual(kept.middle, narrow_, layer.down_bias, feed_forward_place(l), first, rows, next);
  }

  void prepare_backward() {
    const int64_t widest = F_ > 3 * D_ ? F_ : 3 * D_;
    d_rows_ = take<Operand>(scratch_, kTileTokens * D_);
    d_grouped_ = take<Operand>(scratch_, kTileTokens * D_);
    normed_grouped_ = take<Operand>(scratch_, kTileTokens * D_);
    wide_grouped_ = take<Operand>(scratch_, kTileTokens * widest);
    d_wide_grouped_ = take<Operand>(scratch_, kTileTokens * widest);
    d_mixed_ = take<Operand>(scratch_, N_ * D_);
    dqkv_ = take<float>(scratch_, N_ * 3 * D_);
  }

  /// d_rows_ and d_grouped_ are dx of a tile, dropped as `place` was; adds their sum to the bias's gradient.
  void drop_backward(const float* dx, uint64_t place, int64_t first, int rows, float* bias_gradient) {
    const Dropout dropout(dropout_, place);
    uint32_t dice[kTileTokens];
    for (int t = 0; t < rows; ++t) dice[t] = dropout.of_row(token(first + t));
    store_both(rows, D_, d_rows_, d_grouped_, [&](int t, int d) {
      const Lanes outer = dropout.apply(load(dx + (first + t) * D_ + d), dice[t], d);
      add_to(bias_gradient + d, outer);
      return outer;
    });
  }

  /// dx += what narrow_ (rows, D) does through the norm of x.
  void norms_backward(const float* x, const float* gain, int64_t first, int rows, float* dx, float* gain_gradient,
                      float* bias_gradient) {
    for (int t = 0; t < rows; ++t) {
      const float* row = x + (first + t) * D_;
      norm_backward(row, norm_statistics(row, shape_.width), gain, narrow_ + t * D_, shape_.width,
                    dx + (first + t) * D_, gain_gradient, bias_gradient);
    }
  }

  static int groups_of(int rows) { return (rows + kSize - 1) / kSize; }

  void feed_forward_backward(const LayerPointers<const float>& layer, const PackedLayer<Operand>& packed,
                             const SavedLayer<Operand>& kept, const LayerPointers<float>& gradient, int64_t l,
                             int64_t first, int rows, float* dx) {
    const int F = shape_.feed_forward;
    const int D = shape_.width;
    drop_backward(dx, feed_forward_place(l), first, rows, gradient.down_bias);
    matmul(rows, F, D / kSize, by_rows(d_rows_, D_), packed.down_back, F_ * kSize, wide_, F_, false);
    const Operand* hidden = kept.hidden + first * F_;
    for (int t = 0; t < rows; t += 2)
      for (int f = 0; f < F; f += kLanes) {
        Lanes activated[2] = {};
        Lanes outer[2] = {};
        for (int i = 0; i < 2 && t + i < rows; ++i) {
          const Lanes u = load_row(hidden + (t + i) * F_ + f);
          const Normal normal = normal_of(u);
          activated[i] = u * normal.below;
          outer[i] = load(wide_ + (t + i) * F_ + f) * (normal.below + u * normal.density);
          store_row(rows_ + (t + i) * F_ + f, outer[i]);
        }
        add_to(gradient.up_bias + f, outer[0] + outer[1]);
        store_two_rows(wide_grouped_ + t * F_ + f * kSize, F, activated[0], activated[1]);
        store_two_rows(d_wide_grouped_ + t * F_ + f * kSize, F, outer[0], outer[1]);
      }
    matmul(D, F, groups_of(rows), transposed(d_grouped_, D_), wide_grouped_, F_ * kSize, gradient.down, F_, true);
    normalise_grouped(kept.middle + first * D_, rows, layer.feed_forward_gain, layer.feed_forward_bias,
                      normed_grouped_);
    matmul(F, D, groups_of(rows), transposed(d_wide_grouped_, F_), normed_grouped_, D_ * kSize, gradient.up, D_, true);
    matmul(rows, D, F / kSize, by_rows(rows_, F_), packed.up_back, D_ * kSize, narrow_, D_, false);
    norms_backward(kept.middle, layer.feed_forward_gain, first, rows, dx, gradient.feed_forward_gain,
                   gradient.feed_forward_bias);
  }

  void mix_backward(const PackedLayer<Operand>& packed, const SavedLayer<Operand>& kept,
                    const LayerPointers<float>& gradient, int64_t l, int64_t first, int rows, const float* dx) {
    const int D = shape_.width;
    drop_backward(dx, attention_place(l), first, rows, gradient.out_bias);
    matmul(rows, D, D / kSize, by_rows(d_rows_, D_), packed.out_back, D_ * kSize, narrow_, D_, false);
    for (int t = 0; t < rows; ++t)
      for (int d = 0; d < D; d += kLanes) store_row(d_mixed_ + (first + t) * D_ + d, load(narrow_ + t * D_ + d));
    store_both(rows, D_, nullptr, wide_grouped_,
               [&](int t, int d) { return load_row(kept.mixed + (first + t) * D_ + d); });
    matmul(D, D, groups_of(rows), transposed(d_grouped_, D_), wide_grouped_, D_ * kSize, gradient.out, D_, true);
  }

  void project_backward(const LayerPointers<const float>& layer, const PackedLayer<Operand>& packed,
                        const SavedLayer<Operand>& kept, const LayerPointers<float>& gradient, int64_t first, int rows,
                        float* dx) {
    const int D = shape_.width;
    const float scale = 1 / std::sqrt(static_cast<float>(shape_.head_width()));
    for (int t = 0; t < rows; ++t) {
      float* row = dqkv_ + (first + t) * 3 * D_;
      turn(row, first + t, -1);
      for (int d = 0; d < D; d += kLanes) {
        store(row + d, load(row + d) * scale);
        add_to(gradient.query_bias + d, load(row + d));
        add_to(gradient.key_bias + d, load(row + D_ + d));
        add_to(gradient.value_bias + d, load(row + 2 * D_ + d));
      }
    }
    store_both(rows, 3 * D_, rows_, d_wide_grouped_,
               [&](int t, int d) { return load(dqkv_ + (first + t) * 3 * D_ + d); });
    normalise_grouped(kept.x + first * D_, rows, layer.attention_gain, layer.attention_bias, normed_grouped_);
    float* weight_gradients[] = {gradient.query, gradient.key, gradient.value};
    for (int i = 0; i < 3; ++i) {
      Left<Operand> left = transposed(d_wide_grouped_, 3 * D_);
      left.elements += i * D_ * kSize;
      matmul(D, D, groups_of(rows), left, normed_grouped_, D_ * kSize, weight_gradients[i], D_, true);
    }
    matmul(rows, D, 3 * D / kSize, by_rows(rows_, 3 * D_), packed.qkv_back, D_ * kSize, narrow_, D_, false);
    norms_backward(kept.x, layer.attention_gain, first, rows, dx, gradient.attention_gain, gradient.attention_bias);
  }

  const FusedShape& shape_;
  const HistoryPointers<const float>& weights_;
  const void* packed_;
  const FusedTokens& tokens_;
  FusedDropout dropout_;
  Arena& scratch_;
  int64_t D_, F_, N_;
  int64_t* positions_;
  // Of one tile.
  Operand *normed_, *rows_;  // (tile, D), (tile, max(F, 3D))
  float *wide_, *narrow_;    // (tile, max(F, 3D)), (tile, D)
  Operand *d_rows_, *d_grouped_, *normed_grouped_, *wide_grouped_, *d_wide_grouped_;
  // Of all tokens.
  Operand* d_mixed_;  // (N, D)
  float* dqkv_;       // (N, 3D)
};

}  // namespace
}  // namespace perennial
