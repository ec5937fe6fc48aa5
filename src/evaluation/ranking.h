// Ranking metrics over the full catalogue, never among sampled negatives. Definitions: docs/metrics.md.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/scorer.h"

namespace perennial {

/// One question of an evaluation: given this history, which of all items come next?
struct RankingCase {
  std::vector<Token> history;
  std::vector<int32_t> relevant;  // distinct items, at least one; one for leave-one-out
  std::vector<int32_t> excluded;  // not ranked (seen items under most protocols); must not hold a relevant item
  RequestMoment moment;           // what the model is told beside the history
};

/// An estimate with its 95 % bootstrap interval over users.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct RankingReport {
  std::string model;
  int64_t cases = 0;
  int64_t items = 0;
  /// "hr@10", "recall@10", "precision@10", "f1@10", "ndcg@10", "mrr@10", "map@10" for each k, and "coverage@k" (no
  /// interval).
  std::map<std::string, Estimate> metrics;
  /// For paired comparisons; the order of the cases.
  std::map<std::string, std::vector<float>> per_case;
};

struct RankingOptions {
  std::vector<int> cutoffs = {5, 10, 20};
  int bootstrap_samples = 1000;
  std::vector<size_t> user_of_case;  // whose cases are resampled together; empty: each case is of a user of its own
  uint64_t seed = 42;
  int threads = 2;
  std::function<void(int64_t done)> progress;  // may be empty; called from one thread at a time
};

/// The rank of `item` among the items that are not excluded, from 1. Ties count against the model: 1 + the number of
/// other ranked items with a score >= its own. NaN scores rank last, the item's own included.
int64_t pessimistic_rank(std::span<const float> scores, int32_t item, const std::vector<bool>& excluded);

/// Scores every case and summarises. The top list behind coverage breaks ties by lower id.
RankingReport evaluate_ranking(const Scorer& scorer, const std::vector<RankingCase>& cases, int64_t items,
                               const RankingOptions& options);

/// 95 % bootstrap interval of the mean difference a - b of paired values. `user_of_case` as in RankingOptions.
Estimate paired_difference(const std::vector<float>& a, const std::vector<float>& b, int samples, uint64_t seed,
                           const std::vector<size_t>& user_of_case = {});

}  // namespace perennial
