// The behaviour Transformer's training step in kernels that never leave the caches: forward and backward of the history
// (model/transformer.h has the formulas), of the read-time vector, of the softmax loss, and the optimiser's step.
// Each call works on whole sequences of one thread; several threads take several calls. Maths, and the ladder of what
// was tried: docs/kernels/fused.md. Covered by fused/product_test.cc and, against libtorch,
// training/fused_steps_test.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace perennial {

/// D, H, L, W, F of model/config.h. `supported` says whether the kernels can take a shape.
struct FusedShape {
  int32_t width = 64, heads = 2, layers = 2, window = 128, feed_forward = 256;

  [[nodiscard]] int32_t head_width() const { return width / heads; }
  /// D / H and F are multiples of 16.
  [[nodiscard]] bool supported() const {
    return width % heads == 0 && head_width() % 16 == 0 && feed_forward % 16 == 0;
  }
};

/// A layer's parameters (float const) or their gradients (float); linear weights (out, in), as libtorch keeps them.
template <class Float>
struct LayerPointers {
  Float *attention_gain, *attention_bias;                                            // (D)
  Float *query, *query_bias, *key, *key_bias, *value, *value_bias, *out, *out_bias;  // (D, D), (D)
  Float *feed_forward_gain, *feed_forward_bias;                                      // (D)
  Float *up, *up_bias;                                                               // (F, D), (F)
  Float *down, *down_bias;                                                           // (D, F), (D)
};

template <class Float>
struct HistoryPointers {
  Float *items, *types, *values, *gaps;  // (rows, D)
  std::vector<LayerPointers<Float>> layers;
  Float *final_gain, *final_bias;  // (D)
};

template <class Float>
struct ReadPointers {
  Float *elapsed, *features;                             // (rows, D)
  Float *mix_in, *mix_in_bias, *mix_out, *mix_out_bias;  // (D, D), (D)
};

/// Rows of the tables for each of N tokens; sequence s holds tokens starts[s] .. starts[s + 1].
struct FusedTokens {
  const int64_t *items, *types, *values, *gaps;
  const int64_t* starts;
  int64_t sequences;
  const float *cosine, *sine;  // of Rotations, as long as the longest sequence

  [[nodiscard]] int64_t first() const { return starts[0]; }
  [[nodiscard]] int64_t size() const { return starts[sequences] - starts[0]; }
};

/// Cosine and sine of position times frequency i, 10000^(-2i / (D / H)), (positions, D / H / 2): what queries and keys
/// are turned by. Grows to the longest sequence that was asked for.
class Rotations {
 public:
  explicit Rotations(int32_t head_width) : half_(head_width / 2) {}
  void reach(int64_t positions);
  [[nodiscard]] const float* cosine() const { return cosine_.data(); }
  [[nodiscard]] const float* sine() const { return sine_.data(); }

 private:
  int64_t half_;
  std::vector<float> cosine_, sine_;
};

/// Dropped activations are chosen by a hash of the seed, the place and the token: the same in forward and backward, and
/// whatever the number of threads.
struct FusedDropout {
  float share = 0;
  uint64_t seed = 0;
};

/// Scratch memory that grows once and is used again.
class Arena {
 public:
  struct Mark {
    size_t block = 0, used = 0;
  };

  /// `bytes` aligned to 64, as they are.
  void* take(size_t bytes);
  [[nodiscard]] Mark mark() const { return at_; }
  /// What was taken since the mark may be taken again.
  void release(Mark mark) { at_ = mark; }
  void reset() { at_ = {}; }

 private:
  struct Free {
    void operator()(unsigned char* memory) const;
  };
  struct Block {
    std::unique_ptr<unsigned char, Free> memory;
    size_t size;
  };
  std::vector<Block> blocks_;
  Mark at_;
};

/// Candidates of the softmax: all items, or a sample.
struct SoftmaxItems {
  const float* items;     // (V, D)
  const float* bias;      // (V)
  int64_t count;          // of candidates: V, or the sample's size
  const int64_t* sample;  // (count) ascending, repeats allowed; null: all
  float sample_offset;    // added to each candidate's logit: ln(V / count)
};

/// The tokens from which something is predicted, and what is known when they are read.
struct LossRows {
  const int64_t* tokens;   // (count): rows of h
  const int64_t* targets;  // (count): items
  int64_t count;
  const float* h;                 // (all_tokens, D)
  const int64_t* elapsed;         // (all_tokens): buckets, 0 unknown
  const int64_t* feature_ids;     // (features)
  const int64_t* feature_starts;  // (all_tokens): where those of each token start
  int64_t all_tokens, features;
};

/// Gradients of candidates, (count, D) and (count), and of the rows' targets: (rows, D) and (rows), overwritten, or
/// null where the candidates are all items, to whose rows they are added then.
struct SoftmaxGradients {
  float *candidates, *candidate_bias;
  float *targets = nullptr, *target_bias = nullptr;
};

/// One arithmetic on one instruction set. Gradients are added to; everything else that is written is overwritten.
/// Thread rule: immutable; arenas and gradients belong to one call at a time.
class FusedKernels {
 public:
  virtual ~FusedKernels() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// c (M, N) = a (M, K) . b (K, N), or a (K, M) transposed . b, of rounded operands, or c += it: the product under all
  /// the others, for its test and for measuring. K and N multiples of 16, a (K, M) of M a multiple of 16.
  virtual void product(int64_t rows, int64_t columns, int64_t depth, const float* a, bool a_transposed, const float* b,
                       float* c, bool add, Arena& scratch) const = 0;

  // Weights in the layout of the products, made once a step. Sizes in bytes.
  [[nodiscard]] virtual size_t packed_history_bytes(const FusedShape&) const = 0;
  virtual void pack_history(const FusedShape&, const HistoryPointers<const float>&, void* packed) const = 0;
  [[nodiscard]] virtual size_t packed_read_bytes(const FusedShape&) const = 0;
  virtual void pack_read(const FusedShape&, const ReadPointers<const float>&, void* packed) const = 0;
  [[nodiscard]] virtual size_t packed_softmax_bytes(const FusedShape&, int64_t count) const = 0;
  /// One of `parts` parts, which may be packed at once.
  virtual void pack_softmax(const FusedShape&, const SoftmaxItems&, size_t part, size_t parts, void* packed,
                            Arena& scratch) const = 0;

  /// What backward needs of forward for N tokens, in bytes.
  [[nodiscard]] virtual size_t history_saved_bytes(const FusedShape&, int64_t tokens) const = 0;

  /// h (N, D) of the tokens, whose row 0 is the first token's; `saved` as long as `history_saved_bytes` says.
  virtual void history_forward(const FusedShape&, const HistoryPointers<const float>&, const void* packed,
                               const FusedTokens&, FusedDropout, float* h, void* saved, Arena& scratch) const = 0;

  /// Where a layer's keys, turned by their positions, and values lie in what history_forward saved: rows of D, `stride`
  /// floats apart. Null from kernels that do not compute with floats.
  struct KeysAndValues {
    const float *keys, *values;
    int64_t stride;
  };
  [[nodiscard]] virtual KeysAndValues saved_keys_and_values(const FusedShape&, int64_t tokens, const void* saved,
                                                            int64_t layer) const = 0;

  /// Adds to `gradients` what dh (N, D) makes of them. dh becomes the gradient of each token's embedding, which
  /// gradients.items, unless null, takes up times sqrt(D).
  virtual void history_backward(const FusedShape&, const HistoryPointers<const float>&, const void* packed,
                                const FusedTokens&, FusedDropout, float* dh, const void* saved,
                                const HistoryPointers<float>& gradients, Arena& scratch) const = 0;

  /// The sum over rows of the softmax cross-entropy (natural log) of the target among the candidates, where candidates
  /// that are the target's item are left out. Adds `scale` times its gradients, dh (all_tokens, D) among them.
  virtual double next_item_loss(const FusedShape&, const ReadPointers<const float>&, const void* packed_read,
                                const SoftmaxItems&, const void* packed_softmax, const LossRows&, float scale,
                                float* dh, const ReadPointers<float>& read_gradients, const SoftmaxGradients&,
                                Arena& scratch) const = 0;
};

enum class Precision { float32, bfloat16 };  // of operands of products; sums, norms and parameters are float32

/// bfloat16 when the processor has instructions for it, float32 otherwise.
Precision best_precision();

/// The fastest kernels of that precision on this machine; those that PERENNIAL_KERNELS names, whatever their precision,
/// or failed_precondition, naming what there is, when the machine cannot run them.
Result<const FusedKernels*> fused_kernels(Precision precision);

/// All that this machine can run, for tests.
std::vector<const FusedKernels*> runnable_kernels();

}  // namespace perennial
