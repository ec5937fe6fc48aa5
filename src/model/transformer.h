// The behaviour Transformer's forward pass without libtorch. A history is read one token at a time against cached keys
// and values, which are the whole state, or at once by the training's kernels; both are equal but for rounding in
// float32, whichever read the tokens before.
//
// For a token with item i, type c, value v, gap to the token before it t (D width, H heads, W window, L layers):
//   x = sqrt(D) item[i] + type[c] + value[bucket(v)] + gap[bucket(t)]
//   L times:  x += out(attention(rotary(q), rotary(k), v)) of norm(x);  x += down(gelu(up(norm(x))))
//   h = norm(x)
// attention: softmax(q k / sqrt(D/H)) over the token itself and the W - 1 before it.
// At read time, with c the sum of the request's feature vectors and its elapsed-time vector (zero for what is unknown):
//   u = h + c + mix_out(silu(mix_in(h + c)));   score of item i = u . item[i] + bias[i]
// The same in libtorch: training/transformer_module.h; tests hold the two together.
#pragma once

#include <complex>
#include <memory>
#include <optional>

#include "base/huge_blocks.h"
#include "base/safetensors.h"
#include "fused/fused.h"
#include "model/config.h"
#include "model/scorer.h"

namespace perennial {

/// What is known of a request when a user vector is read; absent is no surprise to the model.
struct ReadInputs {
  std::optional<int64_t> elapsed_ms;  // since the last token
  std::vector<int32_t> features;      // ids of ModelConfig::features
};

/// The model's shape as the fused kernels want it; they may not support it.
inline FusedShape fused_shape(const ModelConfig& config) {
  return {config.width, config.heads, config.layers, config.window, config.feed_forward};
}

/// Thread rule: immutable once loaded; a Cache belongs to one thread at a time.
class Transformer final : public Scorer {
 public:
  /// Keys and values of the last W tokens in every layer, in 16 bits with a scale for each token; the rotations of the
  /// next token's position; and the history vector h (D).
  class Cache {
   public:
    [[nodiscard]] int64_t tokens() const { return tokens_; }
    [[nodiscard]] std::span<const float> history_vector() const {
      return {reinterpret_cast<const float*>(block_.data()), block_.empty() ? 0 : width_};
    }

   private:
    friend class Transformer;
    struct alignas(64) Line {
      std::byte bytes[64];
    };
    std::vector<Line, HugeBlocks<Line>> block_;  // h (D), rotations, then the layers: Layout
    size_t width_ = 0;

    int64_t tokens_ = 0;
    int64_t last_time_ms_ = std::numeric_limits<int64_t>::min();
  };

  /// Takes the tensors named in training/transformer_module.h; data_loss, naming the tensor, when one is missing or of
  /// another shape, or holds a value that is not finite.
  static Result<std::unique_ptr<Transformer>> create(ModelConfig config, const SafetensorsFile& weights);

  [[nodiscard]] const ModelConfig& config() const { return config_; }

  [[nodiscard]] Cache new_cache() const;
  [[nodiscard]] size_t cache_bytes() const;  // that each cache has

  /// Reads one more token.
  void append(Cache& cache, const Token& token) const;

  /// h (D) after the history, of whose end as much is read as can matter; empty for an empty history. Read all at once
  /// where the fused kernels take the model's shape: equal to appending token by token but for rounding in float32.
  [[nodiscard]] std::vector<float> history_vector(std::span<const Token> history) const;

  /// The cache after the history, of whose end as much is read as can matter: what appending its tokens to a new cache
  /// gives, but for rounding in float32, and faster where history_vector is.
  [[nodiscard]] Cache read(std::span<const Token> history) const;

  /// How much the newest token attends to each of the last W tokens, itself included, oldest first: the last layer's
  /// weights, the mean over heads; they sum to 1. Of what that layer reads, not of what decides: for debugging.
  [[nodiscard]] std::vector<float> attention(std::span<const Token> history) const;

  /// u (D) from h (D); overwritten.
  void user_vector(std::span<const float> h, const ReadInputs& inputs, std::span<float> u) const;

  /// What it forecasts of users; null when it was trained without.
  [[nodiscard]] const ForecastHead* forecast_head() const { return forecast_head_ ? &*forecast_head_ : nullptr; }

  /// scores (items) of a user vector; overwritten.
  void score_items(std::span<const float> u, std::span<float> scores) const;

  /// What score_items writes for one item, to the bit.
  [[nodiscard]] float score_item(std::span<const float> u, int32_t item) const;

  /// The same of several; scores are overwritten.
  void score_some(std::span<const float> u, std::span<const int32_t> items, std::span<float> scores) const;

  [[nodiscard]] std::span<const float> item_vectors() const { return items_; }     // (items, D)
  [[nodiscard]] std::span<const float> item_biases() const { return item_bias_; }  // (items)

  [[nodiscard]] std::string name() const override { return "transformer"; }

  /// Reads as much of the history's end as can matter. An empty history scores the item biases.
  void score(std::span<const Token> history, std::span<float> scores) const override;

 private:
  struct Linear {
    std::vector<float> weights;  // (in, out)
    std::vector<float> bias;     // (out)
    void apply(const float* x, float* y) const;
  };
  struct Norm {
    std::vector<float> gain;
    std::vector<float> bias;
    void apply(const float* x, float* y) const;
  };
  struct Layer {
    Norm attention_norm;
    Linear query, key, value, out;
    Norm feed_forward_norm;
    Linear up, down;
  };
  class Scratch;

  /// Where things lie in a cache's block, in bytes: each layer's from layers + layer * layer_bytes on, aligned to 64.
  struct Layout {
    explicit Layout(const ModelConfig& config);
    size_t rotations, layers, layer_bytes, bytes;  // each a multiple of 64
  };
  struct LayerCache {
    int16_t* keys;      // (D, W), slot = token number mod W
    int16_t* values;    // (W, D)
    float* key_scales;  // (W)
    float* value_scales;
  };

  explicit Transformer(ModelConfig config);
  Status load(const SafetensorsFile& weights);
  void append(Cache& cache, const Token& token, float* attention) const;
  void embed(const Token& token, int64_t last_time_ms, float* x) const;
  void attend(const Layer& layer, Cache& cache, size_t layer_index, Scratch& scratch, float* attention) const;
  [[nodiscard]] float* history_vector_of(Cache& cache) const;
  [[nodiscard]] std::complex<double>* rotations_of(Cache& cache) const;  // (D / H / 2), of the next token's position
  [[nodiscard]] LayerCache layer_of(Cache& cache, size_t layer) const;
  void fetch_layer(const Cache& cache, size_t layer) const;
  void rotate(float* vector, const Scratch& scratch) const;
  Status prepare_whole_histories(const SafetensorsFile& weights);
  [[nodiscard]] std::span<const Token> end_that_matters(std::span<const Token> history) const;
  [[nodiscard]] bool takes_whole(std::span<const Token> history) const;
  std::span<const float> read_whole(std::span<const Token> history, Cache* cache) const;

  ModelConfig config_;
  Layout layout_;
  std::vector<float, HugeBlocks<float>> items_;                    // (items, D); some are read from anywhere
  std::vector<float> item_bias_;                                   // (items)
  std::vector<float> types_, values_, gaps_, features_, elapsed_;  // (rows, D) each
  std::vector<Layer> layers_;
  Norm final_norm_;
  Linear mix_in_, mix_out_;
  std::optional<ForecastHead> forecast_head_;
  std::vector<std::complex<double>> turns_;  // (D / H / 2), by which a rotation moves on with each token

  // Of whole histories at once; null kernels: the shape is not theirs.
  const FusedKernels* kernels_ = nullptr;
  FusedShape shape_;
  HistoryPointers<const float> pointers_;
  std::vector<unsigned char> packed_;
  Rotations rotations_;
};

}  // namespace perennial
