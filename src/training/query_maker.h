// At random moments of users' lives, what the forecast head is asked and what came of it. Made once, before training.
// Covered by training/forecast_module_test.cc.
#pragma once

#include "base/random.h"
#include "evaluation/dataset.h"
#include "forecast/transformer_forecast.h"
#include "training/forecast_module.h"

namespace perennial {

/// Where labels come from. Borrowed.
struct ForecastSource {
  const Definition* definition = nullptr;
  const Lives* lives = nullptr;
  TimeMs until = 0;  // what came later is not looked at
};

/// At most what a QueryMaker of so many users keeps.
int64_t query_bytes(int64_t users);

/// Tokens [begin, end) of a user's history, read as one sequence. Those before `first` are what the others look back
/// at: an earlier piece has learned from them.
struct HistoryPiece {
  uint32_t user;  // of the dataset
  uint32_t begin, first, end;

  [[nodiscard]] int64_t learned() const { return end - first; }

  bool operator==(const HistoryPiece&) const = default;
};

/// Thread rule: immutable.
class QueryMaker {
 public:
  /// Of each user, or of as many as come to about 400,000 moments: moments drawn evenly from first seen to `until`. Not
  /// of the judges of forecast/chooser.h, whose answers calibrate later, nor of users of whom a token up to `until` is
  /// hidden. `lengths[i]`: visible tokens of user i.
  QueryMaker(const ForecastSource& source, const Dataset& dataset, const std::vector<size_t>& lengths,
             ForecastHeadConfig config, uint64_t seed);

  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(queries_.size()); }

  /// Of the features over all queries, (F) each; a feature that never varies has scale 1.
  [[nodiscard]] std::pair<std::vector<float>, std::vector<float>> scaling() const;

  struct Moment {
    TimeMs at;
    int64_t tokens_before;  // of the user's tokens are read
  };
  [[nodiscard]] std::vector<Moment> moments(size_t user) const;

  /// Of moments after a token of the pieces from their `first` on, or before all; pieces[i] begins at row rows[i].
  [[nodiscard]] ForecastQueries make(const std::vector<HistoryPiece>& pieces, const std::vector<int64_t>& rows) const;

 private:
  struct Query {
    TimeMs at;
    int64_t tokens_before;
    std::vector<float> features;
    HeadLabels labels;
  };
  void ask(const ForecastSource& source, const HeadFeatures& features, const UserHistory& history, size_t visible,
           int64_t count, Random& random);

  ForecastHeadConfig config_;
  std::vector<Query> queries_;
  std::vector<size_t> starts_;  // of each user's queries, and the end
};

}  // namespace perennial
