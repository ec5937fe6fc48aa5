#include "evaluation/ranking.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/check.h"
#include "base/random.h"

namespace perennial {
namespace {

constexpr size_t kCasesPerTurn = 16;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr const char* kMetricNames[] = {"hr", "recall", "precision", "f1", "ndcg", "mrr", "map"};
constexpr size_t kMetrics = std::size(kMetricNames);

/// Runs work(turn) for each turn in [0, turns) on `threads` threads, the caller's among them.
template <typename Work>
void run_in_turns(size_t turns, int threads, const Work& work) {
  std::atomic<size_t> next{0};
  const auto loop = [&] {
    for (size_t turn = next++; turn < turns; turn = next++) work(turn);
  };
  std::vector<std::jthread> helpers;
  for (size_t i = 1; i < std::min(static_cast<size_t>(std::max(threads, 1)), turns); ++i) helpers.emplace_back(loop);
  loop();
}

/// The places of the relevant items in the ranking of all scores that are not NaN, rising, each pessimistic: items that
/// tie with relevant ones stand before them. A relevant item without a score stands after all `ranked` items' scores.
std::vector<int64_t> places_of(std::span<const float> scores, std::span<const int32_t> relevant, int64_t ranked) {
  std::vector<float> wanted;
  for (const int32_t item : relevant) wanted.push_back(scores[static_cast<size_t>(item)]);
  std::sort(wanted.begin(), wanted.end(), [](float a, float b) { return std::isnan(b) ? !std::isnan(a) : a > b; });
  std::vector<int64_t> places(wanted.size());
  for (size_t i = wanted.size(); i-- > 0;) {
    const float own = wanted[i];
    const bool shared =
        i + 1 < wanted.size() && (wanted[i + 1] == own || (std::isnan(wanted[i + 1]) && std::isnan(own)));
    if (shared) {
      places[i] = places[i + 1] - 1;  // relevant items of one score take consecutive places, as in any real list
    } else if (std::isnan(own)) {
      places[i] = ranked;
    } else {
      places[i] = std::count_if(scores.begin(), scores.end(), [own](float score) { return score >= own; });
    }
  }
  return places;
}

double discount(int64_t place) { return 1 / std::log2(static_cast<double>(place) + 1); }

/// Overwrites values (kMetrics) with the metrics at cutoff k; places rise.
void metrics_at(std::span<const int64_t> places, int k, float* values) {
  const auto relevant = static_cast<int64_t>(places.size());
  int64_t hits = 0;
  double gain = 0;
  double ideal_gain = 0;
  double precisions = 0;
  for (int64_t i = 0; i < std::min<int64_t>(k, relevant); ++i) ideal_gain += discount(i + 1);
  for (const int64_t place : places) {
    if (place > k) break;
    ++hits;
    gain += discount(place);
    precisions += static_cast<double>(hits) / static_cast<double>(place);
  }
  const double recall = static_cast<double>(hits) / static_cast<double>(relevant);
  const double precision = static_cast<double>(hits) / k;
  const double computed[] = {hits > 0 ? 1.0 : 0.0,
                             recall,
                             precision,
                             hits > 0 ? 2 * precision * recall / (precision + recall) : 0.0,
                             gain / ideal_gain,
                             hits > 0 ? 1 / static_cast<double>(places.front()) : 0.0,
                             precisions / static_cast<double>(std::min<int64_t>(k, relevant))};
  static_assert(std::size(computed) == kMetrics);
  for (size_t i = 0; i < kMetrics; ++i) values[i] = static_cast<float>(computed[i]);
}

/// The `count` best items that have a score, best first, equal scores by lower id.
class TopList {
 public:
  explicit TopList(size_t count) : count_(count) {}

  const std::vector<int32_t>& fill(std::span<const float> scores) {
    const auto better = [&](int32_t a, int32_t b) {
      const float x = scores[static_cast<size_t>(a)];
      const float y = scores[static_cast<size_t>(b)];
      return x > y || (x == y && a < b);
    };
    items_.clear();
    for (int32_t item = 0; item < static_cast<int32_t>(scores.size()); ++item) {
      if (std::isnan(scores[static_cast<size_t>(item)])) continue;
      if (items_.size() == count_) {
        if (!better(item, items_.front())) continue;
        std::pop_heap(items_.begin(), items_.end(), better);
        items_.back() = item;
      } else {
        items_.push_back(item);
      }
      std::push_heap(items_.begin(), items_.end(), better);
    }
    std::sort_heap(items_.begin(), items_.end(), better);
    return items_;
  }

 private:
  size_t count_;
  std::vector<int32_t> items_;
};

/// Metrics of all cases as one row a case, and the best place at which each item was ever listed.
class Evaluation {
 public:
  Evaluation(const Scorer& scorer, const std::vector<RankingCase>& cases, int64_t items, const RankingOptions& options)
      : scorer_(scorer),
        cases_(cases),
        items_(static_cast<size_t>(items)),
        options_(options),
        width_(options.cutoffs.size() * kMetrics),
        values_(cases.size() * width_),
        best_place_(items_, kNeverListed) {}

  void run() {
    run_in_turns((cases_.size() + kCasesPerTurn - 1) / kCasesPerTurn, options_.threads, [this](size_t turn) {
      const size_t begin = turn * kCasesPerTurn;
      evaluate(begin, std::min(begin + kCasesPerTurn, cases_.size()));
    });
  }

  [[nodiscard]] size_t width() const { return width_; }
  [[nodiscard]] std::span<const float> values() const { return values_; }

  [[nodiscard]] double coverage(int k) const {
    const auto listed =
        std::count_if(best_place_.begin(), best_place_.end(), [k](int32_t place) { return place <= k; });
    return items_ == 0 ? 0 : static_cast<double>(listed) / static_cast<double>(items_);
  }

 private:
  static constexpr int32_t kNeverListed = std::numeric_limits<int32_t>::max();

  void evaluate(size_t begin, size_t end) {
    std::vector<float> scores(items_);
    TopList top(static_cast<size_t>(*std::max_element(options_.cutoffs.begin(), options_.cutoffs.end())));
    std::vector<std::pair<int32_t, int32_t>> listed;  // item, place
    for (size_t i = begin; i < end; ++i) {
      evaluate_case(cases_[i], scores, &values_[i * width_]);
      int32_t place = 0;
      for (const int32_t item : top.fill(scores)) listed.emplace_back(item, ++place);
    }
    const std::lock_guard lock(mutex_);
    for (const auto& [item, place] : listed) {
      int32_t& best = best_place_[static_cast<size_t>(item)];
      best = std::min(best, place);
    }
    done_ += static_cast<int64_t>(end - begin);
    if (options_.progress) options_.progress(done_);
  }

  /// Overwrites values (width_), and scores, in which what is not ranked is left as NaN.
  void evaluate_case(const RankingCase& one, std::span<float> scores, float* values) const {
    PERENNIAL_CHECK(!one.relevant.empty(), "a ranking case needs a relevant item");
    std::fill(scores.begin(), scores.end(), kNaN);
    scorer_.score_at(one.history, one.moment, scores);
    std::vector<int32_t> excluded = one.excluded;
    std::sort(excluded.begin(), excluded.end());
    excluded.erase(std::unique(excluded.begin(), excluded.end()), excluded.end());
    auto ranked = static_cast<int64_t>(items_);
    for (const int32_t item : excluded) {
      if (item < 0 || static_cast<size_t>(item) >= items_) continue;
      scores[static_cast<size_t>(item)] = kNaN;
      --ranked;
    }
    for (const int32_t item : one.relevant)
      PERENNIAL_CHECK(item >= 0 && static_cast<size_t>(item) < items_ &&
                          !std::binary_search(excluded.begin(), excluded.end(), item),
                      "relevant item {} of {} items is not ranked", item, items_);
    const std::vector<int64_t> places = places_of(scores, one.relevant, ranked);
    for (size_t i = 0; i < options_.cutoffs.size(); ++i) metrics_at(places, options_.cutoffs[i], values + i * kMetrics);
  }

  const Scorer& scorer_;
  const std::vector<RankingCase>& cases_;
  const size_t items_;
  const RankingOptions& options_;
  const size_t width_;
  std::vector<float> values_;  // each thread writes the rows of its own cases
  std::mutex mutex_;           // guards the two below, and the progress call
  std::vector<int32_t> best_place_;
  int64_t done_ = 0;
};

/// The value at `share` of the sorted samples, between neighbours by straight line.
double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// The sums of each user's rows of values (rows x width), one user after the other, and behind each the number of rows.
std::vector<double> sums_by_user(std::span<const float> values, size_t width, const std::vector<size_t>& user_of_row) {
  const size_t rows = values.size() / width;
  PERENNIAL_CHECK(user_of_row.empty() || user_of_row.size() == rows, "users of {} rows for {}", user_of_row.size(),
                  rows);
  std::unordered_map<size_t, size_t> place_of_user;
  std::vector<double> sums;
  for (size_t row = 0; row < rows; ++row) {
    const size_t user = user_of_row.empty() ? row : user_of_row[row];
    const size_t place = place_of_user.emplace(user, place_of_user.size()).first->second * (width + 1);
    if (place == sums.size()) sums.resize(place + width + 1);
    for (size_t column = 0; column < width; ++column) sums[place + column] += values[row * width + column];
    ++sums[place + width];
  }
  return sums;
}

/// Means of the columns of values (rows x width), each with its 95 % percentile interval over resampled users, all rows
/// of a user together. The same users are drawn for every column; sample i has a random source of its own, so threads
/// do not change the result.
std::vector<Estimate> bootstrap_means(std::span<const float> values, size_t width,
                                      const std::vector<size_t>& user_of_row, const RankingOptions& options) {
  std::vector<Estimate> estimates(width);
  if (values.empty()) return estimates;
  const std::vector<double> by_user = sums_by_user(values, width, user_of_row);
  const size_t stride = width + 1;
  const size_t users = by_user.size() / stride;
  const auto add_user = [&](size_t user, double* sums) {
    for (size_t column = 0; column < stride; ++column) sums[column] += by_user[user * stride + column];
  };
  std::vector<double> sums(stride);
  for (size_t user = 0; user < users; ++user) add_user(user, sums.data());
  const auto count = static_cast<size_t>(std::max(options.bootstrap_samples, 0));
  std::vector<double> sample_sums(count * stride);
  run_in_turns(count, options.threads, [&](size_t sample) {
    Random random(mix64(options.seed ^ mix64(sample)));
    for (size_t draw = 0; draw < users; ++draw) add_user(random.below(users), &sample_sums[sample * stride]);
  });
  std::vector<double> means(count);
  for (size_t column = 0; column < width; ++column) {
    Estimate& estimate = estimates[column];
    estimate.value = estimate.low = estimate.high = sums[column] / sums[width];
    if (count == 0) continue;
    for (size_t sample = 0; sample < count; ++sample)
      means[sample] = sample_sums[sample * stride + column] / sample_sums[sample * stride + width];
    std::sort(means.begin(), means.end());
    estimate.low = quantile(means, 0.025);
    estimate.high = quantile(means, 0.975);
  }
  return estimates;
}

}  // namespace

int64_t pessimistic_rank(std::span<const float> scores, int32_t item, const std::vector<bool>& excluded) {
  const float own = scores[static_cast<size_t>(item)];
  int64_t rank = 1;
  for (size_t other = 0; other < scores.size(); ++other) {
    if (other == static_cast<size_t>(item) || excluded[other]) continue;
    if (std::isnan(own) || scores[other] >= own) ++rank;
  }
  return rank;
}

RankingReport evaluate_ranking(const Scorer& scorer, const std::vector<RankingCase>& cases, int64_t items,
                               const RankingOptions& options) {
  PERENNIAL_CHECK(!options.cutoffs.empty(), "no cutoffs");
  for (const int k : options.cutoffs) PERENNIAL_CHECK(k > 0, "cutoff {}", k);
  Evaluation evaluation(scorer, cases, items, options);
  evaluation.run();
  const size_t width = evaluation.width();
  const std::span<const float> values = evaluation.values();
  const std::vector<Estimate> estimates = bootstrap_means(values, width, options.user_of_case, options);
  RankingReport report{.model = scorer.name(), .cases = static_cast<int64_t>(cases.size()), .items = items};
  for (size_t i = 0; i < options.cutoffs.size(); ++i) {
    const int k = options.cutoffs[i];
    for (size_t metric = 0; metric < kMetrics; ++metric) {
      const size_t column = i * kMetrics + metric;
      const std::string name = fmt::format("{}@{}", kMetricNames[metric], k);
      report.metrics[name] = estimates[column];
      std::vector<float>& column_values = report.per_case[name];
      column_values.clear();
      for (size_t row = 0; row < cases.size(); ++row) column_values.push_back(values[row * width + column]);
    }
    const double coverage = evaluation.coverage(k);
    report.metrics[fmt::format("coverage@{}", k)] = {coverage, coverage, coverage};
  }
  return report;
}

Estimate paired_difference(const std::vector<float>& a, const std::vector<float>& b, int samples, uint64_t seed,
                           const std::vector<size_t>& user_of_case) {
  PERENNIAL_CHECK(a.size() == b.size(), "{} values are not pairs with {}", a.size(), b.size());
  std::vector<float> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return bootstrap_means(differences, 1, user_of_case, {.bootstrap_samples = samples, .seed = seed, .threads = 1})
      .front();
}

}  // namespace perennial
