// One or several Transformers of one shape that were trained apart, as one model. Its vectors are theirs end to end and
// its scores the mean of theirs, so a score stays one inner product plus a bias. Where there is little data to learn
// from, each of them errs in another way, and their mean errs less: docs/decisions/0005-ensembles.md.
// Covered by model/ensemble_test.cc.
#pragma once

#include <functional>

#include "model/transformer.h"

namespace perennial {

/// What a member's tensors are called in the model's file before their own name: nothing for the first.
std::string member_prefix(int64_t member);

/// Thread rule: immutable once loaded; a Cache belongs to one thread at a time.
class Ensemble final : public Scorer {
 public:
  /// Each member's cache, and their history vectors end to end.
  class Cache {
   public:
    [[nodiscard]] std::span<const float> history_vector() const { return history_vector_; }

   private:
    friend class Ensemble;
    std::vector<Transformer::Cache> members_;
    std::vector<float> history_vector_;
  };

  /// As many members as the config says. Errors as of Transformer::create.
  static Result<std::unique_ptr<Ensemble>> create(ModelConfig config, const SafetensorsFile& weights);

  [[nodiscard]] const ModelConfig& config() const { return members_.front()->config(); }

  /// Numbers of h and of u: members times D.
  [[nodiscard]] size_t vector_width() const { return members_.size() * width(); }

  [[nodiscard]] Cache new_cache() const;
  [[nodiscard]] size_t cache_bytes() const;  // that each cache has

  /// Reads one more token.
  void append(Cache& cache, const Token& token) const;

  /// The cache after the history: what appending its tokens to a new one gives, but for rounding, and faster.
  [[nodiscard]] Cache read(std::span<const Token> history) const;

  /// h after the history; empty for an empty one.
  [[nodiscard]] std::vector<float> history_vector(std::span<const Token> history) const;

  /// The mean of the members' attention(): Transformer.
  [[nodiscard]] std::vector<float> attention(std::span<const Token> history) const;

  /// u from h; overwritten.
  void user_vector(std::span<const float> h, const ReadInputs& inputs, std::span<float> u) const;

  /// The mean of the members' forecasts; nullopt from a model that was trained without (config().forecasts). h is empty
  /// for a user without history, features (F) are not standardised: forecast_head.h.
  [[nodiscard]] std::optional<HeadForecast> forecast(std::span<const float> h, std::span<const double> features) const;

  /// scores (items) of a user vector; overwritten.
  void score_items(std::span<const float> u, std::span<float> scores) const;

  /// What score_items writes for one item, to the bit.
  [[nodiscard]] float score_item(std::span<const float> u, int32_t item) const;

  /// The same of several; scores are overwritten.
  void score_some(std::span<const float> u, std::span<const int32_t> items, std::span<float> scores) const;

  /// The item's vector (vector_width()) such that the product of two is the mean over members of their cosines;
  /// overwritten, zeros for an item beyond items.
  void unit_vector(size_t item, std::span<float> unit) const;

  /// Item vectors (items, vector_width()) and biases (items): a score is vector . u + bias, up to rounding. Of a single
  /// member they are its own.
  struct JoinedItems {
    std::span<const float> vectors, biases;
    float most_bias;            // over items, of the mean of the sizes of members' biases
    std::vector<float> joined;  // what the spans see, of several members
  };
  [[nodiscard]] JoinedItems joined_items() const;

  [[nodiscard]] std::string name() const override { return members_.front()->name(); }

  /// Reads as much of the history's end as can matter. An empty history scores the item biases.
  void score(std::span<const Token> history, const ReadInputs& inputs, std::span<float> scores) const;
  void score(std::span<const Token> history, std::span<float> scores) const override { score(history, {}, scores); }

 private:
  Ensemble() = default;
  [[nodiscard]] size_t width() const { return static_cast<size_t>(config().width); }

  /// The mean over members of what `score` writes for each.
  void mean_of_members(std::span<float> scores,
                       const std::function<void(size_t member, std::span<float>)>& score) const;

  std::vector<std::unique_ptr<Transformer>> members_;  // at least one
};

}  // namespace perennial
