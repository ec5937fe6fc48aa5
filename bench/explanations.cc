// Are explanations true? For users of a data directory with a model: takes the three items that are cited for the best
// of a user's list out of the history and ranks anew, beside three random ones and the three of highest attention; and
// keeps nothing but the ten cited. How long an explained list takes. ./dev bench explanations DATA [--users 1000]
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/clock.h"
#include "base/random.h"
#include "data_folder.h"
#include "recommend/explanation.h"

namespace perennial {
namespace {

constexpr size_t kCited = 3;
constexpr size_t kKept = 10;
constexpr size_t kListed = 10;

class Bench {
 public:
  Bench(const State& state, const Dictionary& items, std::shared_ptr<const ServingModel> model)
      : state_(state), model_(std::move(model)), recommender_(items) {
    recommender_.set_model(model_);
    recommender_.refresh_popularity(state);
  }

  void ask(UserId user, const Profile& profile) {
    const TimeMs now = profile.history.back().time == kNoTime ? SystemClock().now_ms() : profile.history.back().time;
    const RecommendRequest request{.count = static_cast<int>(kListed), .explain = true};
    recommender_.recommend(state_, user, {.count = 10}, now);  // so that the vector is there, as for who asks again
    const double before = monotonic_seconds();
    const Recommendation list = recommender_.recommend(state_, user, request, now);
    seconds_.push_back(monotonic_seconds() - before);
    if (list.items.empty() || list.items[0].source != ItemSource::transformer) return;
    const ItemId item = list.items[0].item;
    inputs_ = Recommender::inputs_of(*model_, profile, {}, now);
    const std::vector<Cause> causes = Removals(*model_, profile, inputs_, now).causes(item, kKept);
    const std::vector<ItemId> distinct = distinct_items(profile.history);
    const std::span<const HistoryToken> newest =
        std::span(profile.history).last(std::min<size_t>(profile.history.size(), 48));  // of which Removals tries all
    if (causes.size() < kCited || distinct_items(newest).size() < 2 * kCited) return;
    std::vector<ItemId> cited;
    cited.reserve(causes.size());
    for (const Cause& cause : causes) cited.push_back(cause.item);
    std::vector<ItemId> kept_away;
    for (const ItemId other : distinct)
      if (std::ranges::find(cited, other) == cited.end()) kept_away.push_back(other);
    kept_ += rank(profile, without_items(profile, kept_away), item) <= kListed ? 1 : 0;
    cited.resize(kCited);
    const double by_cited = log_rank(profile, cited, item);
    over_random_.push_back(by_cited - log_rank(profile, random_items(distinct_items(newest)), item));
    over_attention_.push_back(by_cited - log_rank(profile, most_attended(profile), item));
    ranks_.push_back(std::exp2(by_cited));
  }

  [[nodiscard]] bool asked_anybody() const { return over_random_.size() > 1; }

  void report() {
    fmt::print("{} users explained of {}\n\n", over_random_.size(), seconds_.size());
    fmt::print("| | mean | 95 % | users where it is more, less |\n|---|---|---|---|\n");
    tell("log2 rank without the 3 cited, over 3 random ones", over_random_);
    tell("log2 rank without the 3 cited, over the 3 of highest attention", over_attention_);
    std::ranges::sort(ranks_);
    std::ranges::sort(seconds_);
    const auto quantile = [](const std::vector<double>& sorted, double share) {
      return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
    };
    fmt::print("\nmedian rank without the 3 cited: {:.0f} (1 with them)\n", quantile(ranks_, 0.5));
    fmt::print("still in the top {} with the {} cited alone: {:.1f} %\n", kListed, kKept,
               100.0 * kept_ / static_cast<double>(over_random_.size()));
    fmt::print("an explained list: median {:.1f} ms, p99 {:.1f} ms\n", 1e3 * quantile(seconds_, 0.5),
               1e3 * quantile(seconds_, 0.99));
  }

 private:
  static std::vector<ItemId> distinct_items(std::span<const HistoryToken> history) {
    std::vector<ItemId> items;
    for (const HistoryToken& token : history) items.push_back(token.item);
    std::ranges::sort(items);
    items.erase(std::unique(items.begin(), items.end()), items.end());
    return items;
  }

  std::vector<ItemId> random_items(std::vector<ItemId> items) {
    random_.shuffle(std::span(items));
    items.resize(kCited);
    return items;
  }

  [[nodiscard]] std::vector<ItemId> most_attended(const Profile& profile) const {
    const std::vector<float> weights = model_->ensemble().attention(model_->tokens_of(profile));
    std::vector<size_t> order(weights.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) { return weights[i]; });
    std::vector<ItemId> items;
    for (const size_t i : order) {
      const ItemId item = profile.history[profile.history.size() - weights.size() + i].item;
      if (items.size() < kCited && std::ranges::find(items, item) == items.end()) items.push_back(item);
    }
    return items;
  }

  /// The item's place among those that the user has not touched, from 1.
  [[nodiscard]] size_t rank(const Profile& whole, const Profile& profile, ItemId item) const {
    std::vector<float> u(model_->ensemble().vector_width());
    model_->ensemble().user_vector(model_->history_vector(profile), inputs_, u);
    std::vector<float> scores(static_cast<size_t>(model_->config().items));
    model_->ensemble().score_items(u, scores);
    const float own = scores[item];
    for (const HistoryToken& token : whole.history)
      if (token.item < scores.size()) scores[token.item] = -INFINITY;
    return 1 + static_cast<size_t>(std::ranges::count_if(scores, [&](float score) { return score > own; }));
  }

  [[nodiscard]] double log_rank(const Profile& profile, const std::vector<ItemId>& removed, ItemId item) const {
    return std::log2(static_cast<double>(rank(profile, without_items(profile, removed), item)));
  }

  static void tell(const char* what, const std::vector<double>& differences) {
    const auto n = static_cast<double>(differences.size());
    const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / n;
    double squares = 0;
    for (const double difference : differences) squares += (difference - mean) * (difference - mean);
    const double width = 1.96 * std::sqrt(squares / (n - 1) / n);
    fmt::print("| {} | {:+.2f} | {:+.2f} to {:+.2f} | {}, {} |\n", what, mean, mean - width, mean + width,
               std::ranges::count_if(differences, [](double d) { return d > 0; }),
               std::ranges::count_if(differences, [](double d) { return d < 0; }));
  }

  const State& state_;
  std::shared_ptr<const ServingModel> model_;
  Recommender recommender_;
  ReadInputs inputs_;  // of the user who is asked now
  Random random_{1};
  std::vector<double> seconds_, ranks_, over_random_, over_attention_;
  int kept_ = 0;
};

Status run(const fs::path& folder, size_t users) {
  DataFolder data;
  PERENNIAL_TRY(data.open(folder));
  Bench bench(*data.state, data.log->items(), data.model);
  for (const UserId user : data.users(users)) bench.ask(user, *data.state->profiles().find(user));
  if (!bench.asked_anybody())
    return invalid_argument("no user of {} has a list that could be explained", folder.string());
  bench.report();
  return {};
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  CLI::App app("Are explanations true?");
  std::string data;
  size_t users = 1000;
  app.add_option("data", data, "a data directory with a model")->required();
  app.add_option("--users", users, "how many, far from each other")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const perennial::Status status = perennial::run(data, users);
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", status.message());
  return 1;
}
