// The best of many items for a query, exactly: item vectors are kept in eight bits a number, or, where reading them is
// what takes the time, in four, and how far rounding can have moved a score is bounded, so that only those that may be
// among the best are scored in float32. The answer is float32's to the bit, ties included. Maths:
// docs/kernels/top_k.md. Covered by kernels/item_index_test.cc.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/bitmap.h"
#include "base/huge_blocks.h"
#include "kernels/item_scan.h"

namespace perennial {

struct ScoredItem {
  int32_t item;
  float score;

  bool operator==(const ScoredItem&) const = default;
};

/// Thread rule: immutable once made.
class ItemIndex {
 public:
  /// Writes items' float32 scores for the query: vector . query + bias in any order of summation.
  using Score = std::function<void(std::span<const int32_t> items, std::span<float> scores)>;

  /// Of a function that scores one item.
  template <typename One>
  static Score each(One score) {
    return [score = std::move(score)](std::span<const int32_t> items, std::span<float> scores) mutable {
      for (size_t i = 0; i < items.size(); ++i) scores[i] = score(items[i]);
    };
  }

  struct Request {
    std::span<const float> query;  // (width), borrowed
    const Bitmap* allowed;         // of at least size() bits; borrowed
    size_t k;
    Score score;
    size_t more = 0;  // beyond k, those whose score is at most `reach` below the k-th's
    float reach = 0;
  };

  ItemIndex() = default;

  /// vectors (count, width) and biases (count), all finite. Where an item's bias is itself a sum that a Score adds up
  /// in pieces, `most_bias` is the most that the pieces' sizes come to. `kernel` null: the fastest; `bits` 8 or 4, or
  /// 0: by the size.
  ItemIndex(std::span<const float> vectors, std::span<const float> biases, size_t width, float most_bias = 0,
            const ScanKernel* kernel = nullptr, int bits = 0);

  [[nodiscard]] size_t size() const { return size_; }

  /// The k allowed items with the highest scores, and up to `more` within reach of them, best first, equal ones by
  /// lower item; fewer when fewer are allowed, and none whose score is not a number.
  [[nodiscard]] std::vector<ScoredItem> best(const Request& request) const;

  /// The same of each request, in one pass over the items.
  [[nodiscard]] std::vector<std::vector<ScoredItem>> best(std::span<const Request> requests) const;

  /// What is read for every request.
  [[nodiscard]] size_t scanned_bytes() const;

 private:
  struct alignas(64) Line {
    uint8_t bytes[64] = {};
  };
  class Search;

  [[nodiscard]] size_t blocks() const { return norms_.size(); }
  // A code c stands for 2 c - middle(), with the fine ones from -most_code() to most_code(); rows are of four bytes an
  // item.
  [[nodiscard]] int middle() const { return bits_ == 8 ? 256 : 15; }
  [[nodiscard]] float most_code() const { return bits_ == 8 ? 254 : 255.0F / 16; }
  [[nodiscard]] size_t rows() const { return (width_ + kGroup - 1) / kGroup * static_cast<size_t>(bits_) / 4; }
  [[nodiscard]] CodedBlocks view() const;
  [[nodiscard]] size_t tile_blocks() const;
  void encode(size_t item, std::span<const float> vector);

  size_t size_ = 0;
  size_t width_ = 0;  // as given
  int bits_ = 8;      // of a code
  float most_bias_ = 0;
  float most_norm_ = 0;
  float unscaled_norm_ = 0;  // the most of vectors too small to have a scale
  const ScanKernel* kernel_ = nullptr;
  std::vector<Line, HugeBlocks<Line>> lines_;
  std::vector<float> scales_, biases_;              // (blocks, 64)
  std::vector<float> norms_, errors_;               // (blocks)
  std::vector<uint8_t, HugeBlocks<uint8_t>> fine_;  // (blocks, 64, view's width / 2) of four bits
  float fine_error_ = 0;                            // at most, of any item, in its scale
};

}  // namespace perennial
