// How well uplift is found on a real e-mail test: MineThatData's of 2008, 64,000 customers, a third each without mail,
// with men's and with women's. 20 fixed halves: all is learned on one, the learner chosen there too, and judged on the
// other.
//   ./dev bench hillstrom hillstrom.csv.gz
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "events/csv.h"
#include "uplift/learner.h"

namespace perennial {
namespace {

constexpr int kSplits = 20;
constexpr double kStudent95 = 2.093;  // of 19 degrees of freedom
const std::vector<std::string> kArms = {"No E-Mail", "Mens E-Mail", "Womens E-Mail"};

/// Arms are numbered by `kArms`; features: recency, log of history, mens, womens, newbie, place, channel.
Result<Trial> read_trial(const fs::path& path) {
  PERENNIAL_TRY_ASSIGN(const auto lines, LineSource::open(path));
  CsvSource source(*lines, ',', 1 << 16);
  std::map<std::string, size_t, std::less<>> column;
  std::vector<std::vector<double>> rows;
  Trial trial;
  std::vector<double> visits;
  CsvRecord record;
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, source.next(record));
    if (!more) break;
    PERENNIAL_TRY(record.status);
    if (column.empty()) {
      for (size_t i = 0; i < record.fields.size(); ++i) column[std::string(record.fields[i])] = i;
      continue;
    }
    const auto text = [&](std::string_view name) { return record.fields[column.find(name)->second]; };
    const auto number = [&](std::string_view name) { return parse_number(text(name)).value(); };
    const auto is = [&](std::string_view name, std::string_view value) { return text(name) == value ? 1.0 : 0.0; };
    rows.push_back({number("recency"), std::log(number("history")), number("mens"), number("womens"), number("newbie"),
                    is("zip_code", "Urban"), is("zip_code", "Rural"), is("channel", "Phone"), is("channel", "Web")});
    visits.push_back(number("visit"));
    trial.dealt.push_back(static_cast<uint16_t>(std::ranges::find(kArms, text("segment")) - kArms.begin()));
  }
  const auto users = static_cast<Eigen::Index>(rows.size());
  trial.features.resize(users, static_cast<Eigen::Index>(rows.at(0).size()));
  for (Eigen::Index i = 0; i < users; ++i)
    trial.features.row(i) =
        Eigen::Map<const Eigen::RowVectorXd>(rows[static_cast<size_t>(i)].data(), trial.features.cols());
  trial.outcomes = Eigen::Map<const Eigen::VectorXd>(visits.data(), users);
  trial.chances = Eigen::MatrixXd::Constant(users, 3, 1.0 / 3);
  PERENNIAL_TRY(check(trial));
  return trial;
}

/// Those without mail and with women's; arm 1 is women's.
Trial womens(const Trial& all) {
  std::vector<Eigen::Index> rows;
  for (size_t i = 0; i < all.users(); ++i)
    if (all.dealt[i] != 1) rows.push_back(static_cast<Eigen::Index>(i));
  Trial part = all.subset(rows);
  for (uint16_t& arm : part.dealt) arm = arm == 0 ? 0 : 1;
  part.chances = Eigen::MatrixXd::Constant(static_cast<Eigen::Index>(rows.size()), 2, 0.5);
  return part;
}

std::vector<double> features_of(const Trial& trial, size_t user) {
  const Eigen::VectorXd row = trial.features.row(static_cast<Eigen::Index>(user));
  return {row.begin(), row.end()};
}

/// The order by `score` on the half that was held out.
UpliftQuality judge(const Trial& half, const Eigen::VectorXd& scores, uint64_t seed) {
  std::vector<Dealt> users;
  for (size_t i = 0; i < half.users(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    users.push_back({scores[row], half.outcomes[row], half.chances(row, half.dealt[i]), half.dealt[i] == 1});
  }
  return measure_uplift(std::move(users), seed).value();
}

struct Series {
  std::vector<double> values;
  [[nodiscard]] double mean() const {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }
  [[nodiscard]] double error() const {
    double sum = 0;
    for (const double value : values) sum += (value - mean()) * (value - mean());
    const auto n = static_cast<double>(values.size());
    return std::sqrt(sum / (n - 1) / n);
  }
  [[nodiscard]] std::string text() const {
    return fmt::format("{:.4f} +- {:.4f} [{:.4f}, {:.4f}]", mean(), error(), mean() - kStudent95 * error(),
                       mean() + kStudent95 * error());
  }
};

void one_action(const Trial& trial) {
  fmt::print("women's e-mail against none, visit: {} customers, {} halves; +- standard error, [95 %] over halves\n",
             trial.users(), kSplits);
  std::map<std::string, Series> at_30, above, qini;
  std::map<std::string, int> chosen;
  int beyond = 0, sure = 0;
  for (int split = 1; split <= kSplits; ++split) {
    const auto seed = static_cast<uint64_t>(split);
    const std::vector<int> halves = folds_of(trial.users(), 2, seed);
    const Trial train = trial.subset(rows_of(halves, 0, true)), test = trial.subset(rows_of(halves, 1, true));
    const auto note = [&](const std::string& name, const Eigen::VectorXd& scores) {
      const UpliftQuality quality = judge(test, scores, seed);
      at_30[name].values.push_back(quality.at_30.value);
      above[name].values.push_back(quality.above_30.value);
      qini[name].values.push_back(quality.qini.value);
      return quality;
    };
    const ActionEffect effect = learn_effects(train, {EffectPrior{}}, seed).value()[0];
    Eigen::VectorXd scores(static_cast<Eigen::Index>(test.users()));
    for (size_t i = 0; i < test.users(); ++i)
      scores[static_cast<Eigen::Index>(i)] = effect.at(features_of(test, i)).mean;
    const UpliftQuality quality = note("chosen", scores);
    beyond += quality.above_30.low > 0 ? 1 : 0;
    sure += quality.qini.low > 0 ? 1 : 0;
    ++chosen[learner_name(effect.learner)];
    for (const Learner learner : {Learner::t_linear, Learner::t_trees, Learner::dr_linear, Learner::dr_trees})
      note(learner_name(learner), scores_of(learner, train, 0, test.features, seed));
  }
  fmt::print("{:10}  {:38}  {:38}  {}\n", "learner", "uplift at 30 %", "above that at random", "Qini");
  for (const char* name : {"chosen", "t_linear", "t_trees", "dr_linear", "dr_trees"})
    fmt::print("{:10}  {:38}  {:38}  {}\n", name, at_30[name].text(), above[name].text(), qini[name].text());
  fmt::print("above random beyond the half's own bootstrap interval in {} of {} halves, Qini in {}\n", beyond, kSplits,
             sure);
  for (const auto& [name, times] : chosen) fmt::print("chosen inside the training half: {} {} times\n", name, times);
}

void two_actions(const Trial& trial) {
  Series policy, best_single, gain;
  int beyond = 0;
  for (int split = 1; split <= kSplits; ++split) {
    const auto seed = static_cast<uint64_t>(split);
    const std::vector<int> halves = folds_of(trial.users(), 2, seed);
    const Trial train = trial.subset(rows_of(halves, 0, true)), test = trial.subset(rows_of(halves, 1, true));
    const auto effects = learn_effects(train, {EffectPrior{}, EffectPrior{}}, seed).value();
    const Eigen::MatrixXd outcomes = outcomes_by_arm(train, test);
    const uint16_t single =
        effects[0].level > effects[1].level ? 1 : 2;  // chosen on the training half, as the policy is
    std::vector<uint16_t> chosen, same(test.users(), single);
    for (size_t i = 0; i < test.users(); ++i) {
      const std::vector<double> features = features_of(test, i);
      const double mens = effects[0].at(features).mean, womens = effects[1].at(features).mean;
      chosen.push_back(std::max(mens, womens) <= 0 ? 0 : mens >= womens ? 1 : 2);
    }
    Eigen::MatrixXd difference(outcomes.rows(), 1);
    for (Eigen::Index i = 0; i < outcomes.rows(); ++i)
      difference(i, 0) = outcomes(i, chosen[static_cast<size_t>(i)]) - outcomes(i, single);
    const Interval95 paired = policy_value(std::vector<uint16_t>(test.users(), 0), difference);
    policy.values.push_back(policy_value(chosen, outcomes).value);
    best_single.values.push_back(policy_value(same, outcomes).value);
    gain.values.push_back(paired.value);
    beyond += paired.low > 0 ? 1 : 0;
  }
  fmt::print("\nboth e-mails against none, visits a customer under: the policy {}\n", policy.text());
  fmt::print("the better e-mail to all {}\nthe policy, less that {}, beyond the half's own interval in {} of {}\n",
             best_single.text(), gain.text(), beyond, kSplits);
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  using namespace perennial;
  if (argc != 2) {
    fmt::print(stderr, "usage: hillstrom hillstrom.csv.gz\n");
    return 2;
  }
  const Result<Trial> trial = read_trial(argv[1]);
  if (!trial.ok()) {
    fmt::print(stderr, "hillstrom: {}\n", trial.status().message());
    return 1;
  }
  one_action(womens(*trial));
  two_actions(*trial);
}
