// Is uplift found that is known to be there? On a simulated shop whose campaigns were drawn by chance: effects are
// learned from all campaigns that are over when the last but one begins, the last whose two weeks the shop is still
// there, and compared with its truth.
//   perennial simulate SHOP --campaigns --users 20000 --months 8
//   perennial import --data DATA SHOP/items.jsonl SHOP/events-*.jsonl
//   ./dev bench uplift_truth DATA SHOP/truth.jsonl [vectors]
// With `vectors` the Transformer's vector of each user at each time stands beside the other features; train it on what
// is before: perennial train --data DATA --holdout none --before DATE.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "actions/trials.h"
#include "base/json.h"
#include "base/text.h"
#include "evaluation/dataset.h"
#include "events/line_source.h"
#include "log/sqlite_log.h"
#include "profiles/state.h"
#include "recommend/serving_model.h"

namespace perennial {
namespace {

const std::vector<std::string> kNames = {"letter", "nag", "voucher"};  // as the rules number them

struct Truth {
  std::string user;
  TimeMs time = 0;
  std::vector<double> effects;  // on the chance of an order within two weeks, by action
};

Result<std::vector<Truth>> last_whole_campaign(const fs::path& path) {
  PERENNIAL_TRY_ASSIGN(const auto lines, LineSource::open(path));
  std::vector<Truth> all;
  Line line;
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, lines->next(line));
    if (!more) break;
    if (line.text.find(R"("kind":"campaign")") == std::string_view::npos) continue;
    PERENNIAL_TRY_ASSIGN(const json::object object, parse_json_object(line.text));
    const json::object& chances = object.at("will_order").as_object();
    PERENNIAL_TRY_ASSIGN(const TimeMs time, parse_iso8601(object.at("time").as_string()));
    Truth truth{std::string(object.at("user_id").as_string()), time, {}};
    for (const std::string& name : kNames)
      truth.effects.push_back(chances.at(name).to_number<double>() - chances.at("nothing").to_number<double>());
    all.push_back(std::move(truth));
  }
  std::set<TimeMs> times;
  for (const Truth& truth : all) times.insert(truth.time);
  if (times.size() < 2)
    return failed_precondition("{} has fewer than two campaigns: simulate with --campaigns and more months",
                               path.string());
  const TimeMs last_whole = *std::next(times.rbegin());
  std::erase_if(all, [&](const Truth& truth) { return truth.time != last_whole; });
  return all;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

/// Ranks, those of equals shared.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (size_t from = 0; from < order.size();) {
    size_t until = from;
    while (until < order.size() && values[order[until]] == values[order[from]]) ++until;
    for (size_t i = from; i < until; ++i) ranks[order[i]] = static_cast<double>(from + until - 1) / 2;
    from = until;
  }
  return ranks;
}

/// The model's vectors of users at any time, from all their events.
class Vectors {
 public:
  static Result<std::unique_ptr<Vectors>> open(const fs::path& data, LogReader& log, TimeMs now) {
    auto vectors = std::make_unique<Vectors>();
    PERENNIAL_TRY_ASSIGN(vectors->model_, load_serving_model(data, log.items(), log.event_types()));
    if (vectors->model_->config().holdout.newest_time_ms >= now)
      return failed_precondition("the model has seen events up to {}: train with --before {:.10}",
                                 format_iso8601(vectors->model_->config().holdout.newest_time_ms), format_iso8601(now));
    vectors->state_ = std::make_unique<State>(EventRoles(), log.event_types(), 100'000);
    PERENNIAL_TRY_ASSIGN(const Offset end, log.end());
    PERENNIAL_TRY(log.replay(0, end, [&](const StoredRecord& record) {
      vectors->state_->apply(record);
      return Status();
    }));
    return vectors;
  }

  [[nodiscard]] size_t width() const { return model_->ensemble().vector_width(); }

  void add(UserId user, TimeMs time, std::vector<double>& features) const {
    const Found<Profile> profile = state_->profiles().find(user);
    std::vector<Token> tokens = profile == nullptr ? std::vector<Token>() : model_->tokens_of(*profile);
    tokens.resize(tokens_until(tokens, time));
    const std::vector<float> h = model_->ensemble().history_vector(tokens);
    features.insert(features.end(), h.begin(), h.end());
  }

 private:
  std::shared_ptr<const ServingModel> model_;
  std::unique_ptr<State> state_;
};

Status run(const fs::path& data, const fs::path& truth_file, bool with_vectors) {
  PERENNIAL_TRY_ASSIGN(const std::vector<Truth> truths, last_whole_campaign(truth_file));
  const TimeMs now = truths.front().time;
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(data));
  PERENNIAL_TRY_ASSIGN(const Offset end, log->end());
  PERENNIAL_TRY_ASSIGN(const Definition definition, preset("e-commerce"));
  ActionTexts texts;
  for (const std::string& name : kNames) {
    texts["actions." + name + ".channel"] = name == "nag" ? "push" : "email";
    texts["actions." + name + ".goal"] = "value";
    texts["actions." + name + ".worth"] = "1";
  }
  PERENNIAL_TRY_ASSIGN(const ActionRules rules, make_action_rules(texts, {}, definition));
  Lives lives(definition, log->event_types(), log->users());
  Trials trials(10 * 365 * kMsOfDay);
  PERENNIAL_TRY(log->replay(0, end, [&](const StoredRecord& record) -> Status {
    if (record.time != kNoTime && record.time >= now) return {};  // what is learned from may not know more
    lives.apply(record);
    trials.apply(record);
    return {};
  }));
  const double started = monotonic_seconds();
  std::unique_ptr<Vectors> vectors;
  if (with_vectors) {
    PERENNIAL_TRY_ASSIGN(vectors, Vectors::open(data, *log, now));
  }
  const auto add = [&](UserId user, TimeMs time, std::vector<double>& of) { vectors->add(user, time, of); };
  const MoreFeatures more = with_vectors ? MoreFeatures{vectors->width(), add} : MoreFeatures();
  PERENNIAL_TRY_ASSIGN(const Effects effects, learn_action_effects(rules, trials, lives, now, at_once, more));
  fmt::print("{} draws in the log, learned in {:.1f} s; {} users in the campaign of {:.10}\n\n", trials.size(),
             monotonic_seconds() - started, truths.size(), format_iso8601(now));

  std::vector<std::vector<double>> estimated(kNames.size()), true_effects(kNames.size());
  const Features features(definition, goal_question(rules.actions[0].goal, definition));
  double policy = 0, oracle = 0, harm = 0, harm_by_chance = 0;
  std::vector<double> single(kNames.size());
  int64_t treated = 0, harmed = 0, harmful = 0;
  for (const Truth& truth : truths) {
    const std::optional<UserId> user = log->users().find(truth.user);
    const Found<Life> life = user ? lives.find(*user) : nullptr;
    if (life == nullptr) continue;
    std::vector<double> of = features.of(definition, {*user, life->first_seen, &life->facts}, now);
    if (more.count > 0) more.add(*user, now, of);
    double best = 0, best_true = 0, chosen = 0;
    for (size_t a = 0; a < kNames.size(); ++a) {
      const double effect = effects[a].at(of).mean;
      estimated[a].push_back(effect);
      true_effects[a].push_back(truth.effects[a]);
      single[a] += truth.effects[a];
      if (effect > best) best = effect, chosen = truth.effects[a];
      best_true = std::max(best_true, truth.effects[a]);
      harmful += truth.effects[a] < 0 ? 1 : 0;
      harm_by_chance += std::min(0.0, truth.effects[a]) / static_cast<double>(kNames.size());
    }
    policy += chosen;
    oracle += best_true;
    treated += best > 0 ? 1 : 0;
    harmed += chosen < 0 ? 1 : 0;
    harm += std::min(0.0, chosen);
  }
  fmt::print("{:8} {:9} {:>8} {:>8} {:>9}  {}\n", "action", "learner", "Pearson", "Spearman", "mean",
             "estimated mean, Qini");
  const auto users = static_cast<double>(estimated[0].size());
  for (size_t a = 0; a < kNames.size(); ++a) {
    const ActionEffect& effect = effects[a];
    fmt::print("{:8} {:9} {:8.3f} {:8.3f} {:+9.4f}  {:+.4f} +- {:.4f}, {:.4f} [{:.4f}, {:.4f}]\n", kNames[a],
               learner_name(effect.learner), correlation(estimated[a], true_effects[a]),
               correlation(ranks(estimated[a]), ranks(true_effects[a])), single[a] / users, effect.level,
               std::sqrt(effect.level_variance), effect.quality.qini.value, effect.quality.qini.low,
               effect.quality.qini.high);
  }
  const double best_single = std::max(0.0, *std::ranges::max_element(single));
  fmt::print("\norders more, a user: the policy {:.4f}, the oracle {:.4f}, the best action for all {:.4f}\n",
             policy / users, oracle / users, best_single / users);
  fmt::print("the policy has {:.1f} % of the oracle's, the best action for all {:.1f} %\n", 100 * policy / oracle,
             100 * best_single / oracle);
  fmt::print(
      "of {} treated {:.1f} % would have done better with nothing; of actions at random {:.1f} %. Of the harm that "
      "random actions do {:.1f} % is avoided\n",
      treated, 100.0 * static_cast<double>(harmed) / std::max<double>(1, static_cast<double>(treated)),
      100.0 * static_cast<double>(harmful) / users / static_cast<double>(kNames.size()),
      100 * (1 - harm / harm_by_chance));
  return {};
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  if (argc != 3 && !(argc == 4 && std::string_view(argv[3]) == "vectors")) {
    fmt::print(stderr, "usage: uplift_truth DATA truth.jsonl [vectors]\n");
    return 2;
  }
  const perennial::Status status = perennial::run(argv[1], argv[2], argc == 4);
  if (!status.ok()) fmt::print(stderr, "uplift_truth: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
