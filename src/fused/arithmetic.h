// FusedKernels in one arithmetic, for the files that compile it with the flags of one instruction set.
#pragma once

#include "fused/history.h"
#include "fused/softmax.h"

namespace perennial {
namespace {

template <class Operand>
class Arithmetic final : public FusedKernels {
 public:
  explicit Arithmetic(std::string_view name) : name_(name) {}
  [[nodiscard]] std::string_view name() const override { return name_; }

  void product(int64_t rows, int64_t columns, int64_t depth, const float* a, bool a_transposed, const float* b,
               float* c, bool add, Arena& scratch) const override {
    constexpr int kSize = Group<Operand>::kSize;
    scratch.reset();
    auto* left = take<Operand>(scratch, rows * depth);
    auto* right = take<Operand>(scratch, depth * columns);
    pack_rows(b, columns, static_cast<int>(depth), static_cast<int>(columns), right, static_cast<int>(columns));
    if (a_transposed)
      pack_rows(a, rows, static_cast<int>(depth), static_cast<int>(rows), left, static_cast<int>(rows));
    else
      for (int64_t i = 0; i < rows * depth; i += kLanes) store_row(left + i, load(a + i));
    matmul(static_cast<int>(rows), static_cast<int>(columns), static_cast<int>(depth) / kSize,
           a_transposed ? transposed(left, rows) : by_rows(left, depth), right, columns * kSize, c, columns, add);
  }

  [[nodiscard]] size_t packed_history_bytes(const FusedShape& shape) const override {
    return static_cast<size_t>(PackedLayer<Operand>::elements(shape)) * static_cast<size_t>(shape.layers) *
           sizeof(Operand);
  }
  void pack_history(const FusedShape& shape, const HistoryPointers<const float>& weights, void* packed) const override {
    for (size_t i = 0; i < weights.layers.size(); ++i)
      pack_layer(shape, weights.layers[i], PackedLayer<Operand>(shape, packed, i));
  }
  [[nodiscard]] size_t packed_read_bytes(const FusedShape& shape) const override {
    return static_cast<size_t>(PackedRead<Operand>::elements(shape)) * sizeof(Operand);
  }
  void pack_read(const FusedShape& shape, const ReadPointers<const float>& read, void* packed) const override {
    pack_read_weights(shape, read, PackedRead<Operand>(shape, packed));
  }
  [[nodiscard]] size_t packed_softmax_bytes(const FusedShape& shape, int64_t count) const override {
    return PackedSoftmax<Operand>::bytes(shape, count);
  }
  void pack_softmax(const FusedShape& shape, const SoftmaxItems& items, size_t part, size_t parts, void* packed,
                    Arena& scratch) const override {
    const auto panels = static_cast<size_t>(PackedSoftmax<Operand>::panels(items.count));
    scratch.reset();
    pack_softmax_panels(shape, items, static_cast<int64_t>(panels * part / parts),
                        static_cast<int64_t>(panels * (part + 1) / parts),
                        PackedSoftmax<Operand>(shape, items.count, packed), take<float>(scratch, kPanel * shape.width));
  }
  [[nodiscard]] size_t history_saved_bytes(const FusedShape& shape, int64_t tokens) const override {
    return History<Operand>::saved_bytes(shape, tokens);
  }
  void history_forward(const FusedShape& shape, const HistoryPointers<const float>& weights, const void* packed,
                       const FusedTokens& tokens, FusedDropout dropout, float* h, void* saved,
                       Arena& scratch) const override {
    History<Operand>(shape, weights, packed, tokens, dropout, scratch).forward(h, saved);
  }
  [[nodiscard]] KeysAndValues saved_keys_and_values(const FusedShape& shape, int64_t tokens, const void* saved,
                                                    int64_t layer) const override {
    if constexpr (!std::is_same_v<Operand, float>) return {};
    const auto* rows = reinterpret_cast<const float*>(SavedLayer<Operand>(shape, tokens, saved, layer).qkv);
    return {rows + shape.width, rows + 2 * shape.width, 3 * int64_t{shape.width}};
  }
  void history_backward(const FusedShape& shape, const HistoryPointers<const float>& weights, const void* packed,
                        const FusedTokens& tokens, FusedDropout dropout, float* dh, const void* saved,
                        const HistoryPointers<float>& gradients, Arena& scratch) const override {
    History<Operand>(shape, weights, packed, tokens, dropout, scratch).backward(dh, saved, gradients);
  }
  double next_item_loss(const FusedShape& shape, const ReadPointers<const float>& read, const void* packed_read,
                        const SoftmaxItems& items, const void* packed_softmax, const LossRows& rows, float scale,
                        float* dh, const ReadPointers<float>& read_gradients, const SoftmaxGradients& gradients,
                        Arena& scratch) const override {
    return NextItemLoss<Operand>(shape, read, packed_read, items, packed_softmax, rows, scratch)
        .run(scale, dh, read_gradients, gradients);
  }

 private:
  std::string_view name_;
};

}  // namespace
}  // namespace perennial
