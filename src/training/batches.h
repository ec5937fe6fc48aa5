// Histories as packed batches of about equal numbers of tokens.
#pragma once

#include "base/random.h"
#include "evaluation/dataset.h"
#include "model/config.h"
#include "profiles/profile.h"
#include "training/query_maker.h"
#include "training/transformer_module.h"

namespace perennial {

/// The read-time features that the data can teach: traits that at least `least_users` users have (the most frequent
/// 512), hours and weekdays when events have times, devices. Sorted: the order of ModelConfig::features.
std::vector<std::string> feature_vocabulary(const Dataset& dataset, int64_t least_users);

/// A batch's columns while it grows, token by token.
struct BatchColumns {
  std::vector<int64_t> items, types, values, gaps, segment, targets, next_types, elapsed;
  std::vector<int64_t> features, feature_starts;

  /// Without queries.
  [[nodiscard]] PackedBatch pack() const;
};

struct BatchOptions {
  int64_t tokens = 8192;  // at most, or twice what the model looks back, if that is more
  double feature_dropping =
      0.5;  // chance that a group (elapsed, traits, device, time of day) is absent, so that absence is no surprise
};

/// Thread rule: one thread. The dataset and the queries are borrowed.
class BatchMaker {
 public:
  /// `lengths[i]`: how many tokens of user i may be read and predicted (evaluation/split.h).
  /// With `queries` batches ask them too, and also read each sequence's last token, after which most are asked.
  BatchMaker(const Dataset& dataset, std::vector<size_t> lengths, const ModelConfig& config, BatchOptions options,
             const QueryMaker* queries = nullptr);

  using Batch = std::vector<HistoryPiece>;

  /// A history is one piece, or, when it is longer than a batch, as many as it takes; a piece then begins so far before
  /// what it learns from that the model looks back no further, and the cut changes nothing. None of a user of whom no
  /// token is read.
  [[nodiscard]] Batch pieces_of(size_t user) const;

  /// The batches of an epoch, shuffled by the seed.
  [[nodiscard]] std::vector<Batch> epoch(uint64_t seed) const;

  /// Every token but a sequence's last predicts the one after it, when that is of a target type and another item than
  /// the token's own (the same product viewed, then bought, is no recommendation). Dropping draws from `random`.
  [[nodiscard]] PackedBatch make(const Batch& pieces, Random& random) const;

 private:
  [[nodiscard]] int64_t tokens_of(size_t user) const {
    return static_cast<int64_t>(lengths_[user]) - (queries_ == nullptr ? 1 : 0);
  }
  void add_features(size_t user, size_t target, bool with_traits, Random& random, std::vector<int64_t>& ids) const;

  const Dataset& dataset_;
  std::vector<size_t> lengths_;
  int64_t looks_back_;  // tokens before one that its vector depends on
  BatchOptions options_;
  const QueryMaker* queries_;
  std::vector<std::vector<std::pair<TimeMs, int64_t>>> trait_ids_;  // by user: when said, feature
  std::vector<int64_t> device_ids_;                                 // by device, -1 not a feature
  int64_t first_hour_ = -1;                                         // id of hour:00; the others follow, sorted
  int64_t first_weekday_ = -1;
};

}  // namespace perennial
