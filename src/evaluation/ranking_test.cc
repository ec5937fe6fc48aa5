#include "evaluation/ranking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"

namespace perennial {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// The history's one token names the row of scores to give.
class TableScorer final : public Scorer {
 public:
  explicit TableScorer(std::vector<std::vector<float>> rows) : rows_(std::move(rows)) {}
  [[nodiscard]] std::string name() const override { return "table"; }
  void score(std::span<const Token> history, std::span<float> scores) const override {
    const std::vector<float>& row = rows_[static_cast<size_t>(history.front().item)];
    std::copy(row.begin(), row.end(), scores.begin());
  }

 private:
  std::vector<std::vector<float>> rows_;
};

std::vector<Token> history_of(int32_t row) { return {Token{.item = row}}; }

RankingReport evaluate_one(const std::vector<float>& scores, std::vector<int32_t> relevant,
                           std::vector<int32_t> excluded, std::vector<int> cutoffs) {
  const TableScorer scorer({scores});
  const std::vector<RankingCase> cases = {{history_of(0), std::move(relevant), std::move(excluded)}};
  return evaluate_ranking(scorer, cases, static_cast<int64_t>(scores.size()),
                          {.cutoffs = std::move(cutoffs), .bootstrap_samples = 10});
}

void expect_metrics(const RankingReport& report, const std::map<std::string, double>& wanted) {
  for (const auto& [name, value] : wanted) {
    ASSERT_TRUE(report.metrics.contains(name)) << name;
    EXPECT_NEAR(report.metrics.at(name).value, value, 1e-6) << name;
  }
}

/// Random scores with many ties, several relevant items, some exclusions, some NaN.
struct RandomProblem {
  std::vector<std::vector<float>> rows;
  std::vector<RankingCase> cases;
};

RandomProblem random_problem(uint64_t seed, size_t users, size_t items) {
  Random random(seed);
  RandomProblem problem;
  for (size_t user = 0; user < users; ++user) {
    std::vector<float> row(items);
    for (float& score : row) score = random.chance(0.05) ? kNaN : static_cast<float>(random.below(items / 2));
    std::vector<int32_t> order(items);
    std::iota(order.begin(), order.end(), 0);
    random.shuffle(std::span(order));
    const auto relevant = static_cast<ptrdiff_t>(1 + random.below(3));
    const auto excluded = static_cast<ptrdiff_t>(random.below(items / 2));
    problem.cases.push_back({history_of(static_cast<int32_t>(user)),
                             {order.begin(), order.begin() + relevant},
                             {order.begin() + relevant, order.begin() + relevant + excluded}});
    problem.rows.push_back(std::move(row));
  }
  return problem;
}

TEST(PessimisticRank, TiesStandBeforeTheItem) {
  const std::vector<float> scores = {5, 3, 3, 3, 1};
  const std::vector<bool> none(5);
  EXPECT_EQ(pessimistic_rank(scores, 0, none), 1);
  EXPECT_EQ(pessimistic_rank(scores, 1, none), 4);
  EXPECT_EQ(pessimistic_rank(scores, 3, none), 4);
  EXPECT_EQ(pessimistic_rank(scores, 4, none), 5);
}

TEST(PessimisticRank, ExcludedItemsTakeNoPlace) {
  const std::vector<float> scores = {5, 3, 3, 3, 1};
  EXPECT_EQ(pessimistic_rank(scores, 3, {true, true, false, false, false}), 2);
}

TEST(PessimisticRank, NanRanksLastAndNeverBeforeAnother) {
  const std::vector<float> scores = {kNaN, 3, kNaN, 1};
  const std::vector<bool> none(4);
  EXPECT_EQ(pessimistic_rank(scores, 3, none), 2);
  EXPECT_EQ(pessimistic_rank(scores, 0, none), 4);
  EXPECT_EQ(pessimistic_rank(scores, 0, {false, true, false, false}), 3);
}

TEST(PessimisticRank, InfinitiesAreOrdinaryScores) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> scores = {infinity, -infinity, 0, -infinity};
  const std::vector<bool> none(4);
  EXPECT_EQ(pessimistic_rank(scores, 0, none), 1);
  EXPECT_EQ(pessimistic_rank(scores, 1, none), 4);
}

TEST(Ranking, OneRelevantItemByHand) {
  // Item 2 has two better: rank 3. 1/log2(4) = 0.5; precision 1/3; F1 = 2 (1/3) 1 / (4/3) = 0.5.
  const RankingReport report = evaluate_one({0.9F, 0.1F, 0.5F, 0.7F}, {2}, {}, {2, 3});
  expect_metrics(
      report,
      {{"hr@2", 0}, {"recall@2", 0}, {"precision@2", 0}, {"f1@2", 0}, {"ndcg@2", 0}, {"mrr@2", 0}, {"map@2", 0}});
  expect_metrics(report, {{"hr@3", 1},
                          {"recall@3", 1},
                          {"precision@3", 1.0 / 3},
                          {"f1@3", 0.5},
                          {"ndcg@3", 0.5},
                          {"mrr@3", 1.0 / 3},
                          {"map@3", 1.0 / 3}});
}

TEST(Ranking, AModelIsToldTheMomentOfTheQuestion) {
  class Clock final : public Scorer {
   public:
    [[nodiscard]] std::string name() const override { return "clock"; }
    void score(std::span<const Token>, std::span<float> scores) const override { std::ranges::fill(scores, 0.0F); }
    void score_at(std::span<const Token>, const RequestMoment& moment, std::span<float> scores) const override {
      for (size_t item = 0; item < scores.size(); ++item)
        scores[item] = static_cast<int64_t>(item) == moment.time_ms ? 1.0F : 0.0F;
    }
  };
  const std::vector<RankingCase> cases = {{.history = {}, .relevant = {3}, .excluded = {}, .moment = {3, {}}},
                                          {.history = {}, .relevant = {3}, .excluded = {}, .moment = {2, {}}}};
  const RankingReport report = evaluate_ranking(Clock(), cases, 5, {.cutoffs = {1}, .bootstrap_samples = 0});
  EXPECT_EQ(report.per_case.at("hr@1"), (std::vector<float>{1, 0}));
}

TEST(Ranking, SeveralRelevantItemsByHand) {
  // Ranking 0 1 2 3 4 5; relevant 1, 3, 5 at ranks 2, 4, 6. At k = 4: two hits.
  // recall 2/3, precision 2/4, F1 = 2 (1/2)(2/3) / (7/6) = 4/7.
  // DCG = 1/log2(3) + 1/log2(5) = 0.6309298 + 0.4306766 = 1.0616063; ideal 1 + 0.6309298 + 0.5 = 2.1309298.
  // MRR 1/2. AP = (1/2 + 2/4) / min(4, 3) = 1/3.
  const RankingReport report = evaluate_one({6, 5, 4, 3, 2, 1}, {5, 1, 3}, {}, {2, 4});
  expect_metrics(report, {{"hr@4", 1},
                          {"recall@4", 2.0 / 3},
                          {"precision@4", 0.5},
                          {"f1@4", 4.0 / 7},
                          {"ndcg@4", 1.0616063 / 2.1309298},
                          {"mrr@4", 0.5},
                          {"map@4", 1.0 / 3}});
  // At k = 2: one hit; ideal over min(2, 3) = 1.6309298; AP = (1/2) / 2.
  expect_metrics(report, {{"recall@2", 1.0 / 3},
                          {"precision@2", 0.5},
                          {"f1@2", 0.4},
                          {"ndcg@2", 0.6309298 / 1.6309298},
                          {"mrr@2", 0.5},
                          {"map@2", 0.25}});
}

TEST(Ranking, AllRelevantFirstIsPerfectWhateverTheCutoff) {
  const RankingReport report = evaluate_one({6, 5, 4, 3, 2, 1}, {2, 0, 1}, {}, {2, 3, 5});
  expect_metrics(
      report,
      {{"ndcg@2", 1}, {"ndcg@3", 1}, {"ndcg@5", 1}, {"map@2", 1}, {"map@3", 1}, {"map@5", 1}, {"precision@5", 0.6}});
}

TEST(Ranking, ExcludedItemsLeaveTheRanking) {
  // Items 0, 3 and 4 beat item 2; 0 and 3 are excluded (3 twice), so its rank is 2. Ids outside the catalogue are
  // nobody.
  const RankingReport report = evaluate_one({9, 1, 5, 7, 6}, {2}, {3, 0, 3, -1, 99}, {1, 2});
  expect_metrics(report, {{"hr@1", 0}, {"hr@2", 1}, {"mrr@2", 0.5}, {"coverage@1", 0.2}, {"coverage@2", 0.4}});
}

TEST(Ranking, RelevantItemsOfOneScoreTakeConsecutivePlacesAfterTheOthers) {
  // Items 0, 1, 2 tie; 0 and 2 are relevant, so 1 stands first: places 2 and 3. AP@3 = (1/2 + 2/3) / 2.
  const RankingReport report = evaluate_one({4, 4, 4, 1}, {0, 2}, {}, {1, 3});
  expect_metrics(report, {{"hr@1", 0}, {"recall@3", 1}, {"mrr@3", 0.5}, {"map@3", 7.0 / 12}});
}

TEST(Ranking, CutoffBeyondTheCatalogueStillDividesPrecisionByK) {
  const RankingReport report = evaluate_one({1, 3, 2}, {0}, {}, {10});
  expect_metrics(report, {{"hr@10", 1}, {"precision@10", 0.1}, {"mrr@10", 1.0 / 3}, {"coverage@10", 1}});
}

TEST(Ranking, ConstantScorerHitsNothing) {
  const RankingReport report = evaluate_one(std::vector<float>(100, 7), {0}, {}, {5, 20});
  for (const auto& [name, estimate] : report.metrics) {
    if (!name.starts_with("coverage")) {
      EXPECT_EQ(estimate.value, 0) << name;
    }
  }
  expect_metrics(report, {{"coverage@5", 0.05}, {"coverage@20", 0.2}});
}

TEST(Ranking, ConstantScorerIsLastInATinyCatalogue) {
  expect_metrics(evaluate_one({1, 1, 1}, {0}, {}, {2, 3}), {{"hr@2", 0}, {"hr@3", 1}, {"mrr@3", 1.0 / 3}});
}

TEST(Ranking, NanScorerHitsNothingAndListsNothing) {
  const RankingReport report = evaluate_one(std::vector<float>(100, kNaN), {0, 5}, {}, {5, 20});
  for (const auto& [name, estimate] : report.metrics) EXPECT_EQ(estimate.value, 0) << name;
}

TEST(Ranking, ScoresThatTheModelLeavesUnwrittenCountAsNan) {
  class Silent final : public Scorer {
    [[nodiscard]] std::string name() const override { return "silent"; }
    void score(std::span<const Token>, std::span<float>) const override {}
  };
  const RankingReport report = evaluate_ranking(Silent(), {{{}, {0}, {}}}, 50, {.bootstrap_samples = 0});
  expect_metrics(report, {{"hr@20", 0}, {"coverage@20", 0}});
}

TEST(Ranking, CoverageListsTiesByLowerIdOverAllUsers) {
  // k = 2: the first user is shown 0 and 1 (all tie), the second 3 and 0.
  const TableScorer scorer({{1, 1, 1, 1}, {5, 1, 1, 9}});
  const std::vector<RankingCase> cases = {{history_of(0), {3}, {}}, {history_of(1), {3}, {}}};
  const RankingReport report = evaluate_ranking(scorer, cases, 4, {.cutoffs = {1, 2}});
  expect_metrics(report, {{"coverage@1", 0.5}, {"coverage@2", 0.75}, {"hr@1", 0.5}});
}

TEST(Ranking, ReportNamesModelSizesAndUsersInOrder) {
  const TableScorer scorer({{1, 2}, {2, 1}, {1, 2}});
  const std::vector<RankingCase> cases = {{history_of(0), {1}, {}}, {history_of(1), {1}, {}}, {history_of(2), {1}, {}}};
  const RankingReport report = evaluate_ranking(scorer, cases, 2, {.cutoffs = {1}});
  EXPECT_EQ(report.model, "table");
  EXPECT_EQ(report.cases, 3);
  EXPECT_EQ(report.items, 2);
  EXPECT_EQ(report.per_case.at("hr@1"), (std::vector<float>{1, 0, 1}));
  EXPECT_NEAR(report.metrics.at("hr@1").value, 2.0 / 3, 1e-12);
  EXPECT_EQ(report.metrics.size(), 8U);
  EXPECT_EQ(report.per_case.size(), 7U);
}

TEST(Ranking, NoCasesGiveZeros) {
  const RankingReport report = evaluate_ranking(TableScorer({}), {}, 10, {});
  EXPECT_EQ(report.cases, 0);
  expect_metrics(report, {{"hr@10", 0}, {"ndcg@20", 0}, {"coverage@5", 0}});
  EXPECT_TRUE(report.per_case.at("map@5").empty());
}

TEST(Ranking, AgreesWithTheDefinitionOfARankOnRandomProblems) {
  constexpr size_t kItems = 40;
  const RandomProblem problem = random_problem(11, 200, kItems);
  const TableScorer scorer(problem.rows);
  const RankingReport report =
      evaluate_ranking(scorer, problem.cases, kItems, {.cutoffs = {3, 10}, .bootstrap_samples = 0});
  for (size_t user = 0; user < problem.cases.size(); ++user) {
    const RankingCase& one = problem.cases[user];
    std::vector<bool> not_ranked(kItems);
    for (const int32_t item : one.excluded) not_ranked[static_cast<size_t>(item)] = true;
    std::vector<int64_t> places;  // worst real list: one relevant item at a time, from the last place up
    std::vector<int32_t> left = one.relevant;
    while (!left.empty()) {
      const auto rank = [&](int32_t item) { return pessimistic_rank(problem.rows[user], item, not_ranked); };
      const auto worst =
          std::max_element(left.begin(), left.end(), [&](int32_t a, int32_t b) { return rank(a) < rank(b); });
      places.push_back(rank(*worst));
      not_ranked[static_cast<size_t>(*worst)] = true;
      left.erase(worst);
    }
    double hits = 0;
    double gain = 0;
    for (const int64_t place : places) {
      hits += place <= 10 ? 1 : 0;
      gain += place <= 10 ? 1 / std::log2(static_cast<double>(place) + 1) : 0;
    }
    double ideal = 0;
    for (size_t i = 1; i <= places.size(); ++i) ideal += 1 / std::log2(static_cast<double>(i) + 1);
    ASSERT_NEAR(report.per_case.at("recall@10")[user], hits / static_cast<double>(places.size()), 1e-6) << user;
    ASSERT_NEAR(report.per_case.at("ndcg@10")[user], gain / ideal, 1e-6) << user;
  }
}

TEST(Ranking, ThreadCountDoesNotChangeTheReport) {
  const RandomProblem problem = random_problem(12, 150, 30);
  const TableScorer scorer(problem.rows);
  const RankingReport one = evaluate_ranking(scorer, problem.cases, 30, {.threads = 1});
  for (const int threads : {2, 3, 8}) {
    const RankingReport many = evaluate_ranking(scorer, problem.cases, 30, {.threads = threads});
    EXPECT_EQ(one.per_case, many.per_case);
    for (const auto& [name, estimate] : one.metrics) {
      EXPECT_EQ(estimate.value, many.metrics.at(name).value) << name;
      EXPECT_EQ(estimate.low, many.metrics.at(name).low) << name;
      EXPECT_EQ(estimate.high, many.metrics.at(name).high) << name;
    }
  }
}

TEST(Ranking, ProgressRisesToAllCases) {
  const RandomProblem problem = random_problem(13, 100, 10);
  std::vector<int64_t> seen;
  evaluate_ranking(TableScorer(problem.rows), problem.cases, 10,
                   {.bootstrap_samples = 0, .threads = 4, .progress = [&](int64_t done) { seen.push_back(done); }});
  ASSERT_FALSE(seen.empty());
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), 100);
}

TEST(Bootstrap, IntervalHasTheWidthOfTheNormalApproximation) {
  // 1,000 users, 300 hits: standard error sqrt(.3 x .7 / 1000) = 0.01449, so 95 % is 0.3 +- 0.0284.
  std::vector<RankingCase> cases;
  for (int32_t user = 0; user < 1000; ++user) cases.push_back({history_of(user % 10 < 3 ? 0 : 1), {0}, {}});
  const Estimate hr = evaluate_ranking(TableScorer({{2, 1}, {1, 2}}), cases, 2, {.cutoffs = {1}}).metrics.at("hr@1");
  EXPECT_NEAR(hr.value, 0.3, 1e-12);
  EXPECT_NEAR(hr.low, 0.3 - 0.0284, 0.003);
  EXPECT_NEAR(hr.high, 0.3 + 0.0284, 0.003);
}

TEST(Bootstrap, CasesOfOneUserAreResampledTogether) {
  // As above, but each user is asked ten times and always answered alike: the interval is that of 100 users, sqrt(10)
  // times as wide, not that of 1,000.
  std::vector<RankingCase> cases;
  RankingOptions options{.cutoffs = {1}};
  for (int32_t i = 0; i < 1000; ++i) {
    cases.push_back({history_of(i / 10 % 10 < 3 ? 0 : 1), {0}, {}});
    options.user_of_case.push_back(static_cast<size_t>(i / 10));
  }
  const Estimate hr = evaluate_ranking(TableScorer({{2, 1}, {1, 2}}), cases, 2, options).metrics.at("hr@1");
  EXPECT_NEAR(hr.value, 0.3, 1e-12);
  EXPECT_NEAR(hr.low, 0.3 - 0.0898, 0.012);
  EXPECT_NEAR(hr.high, 0.3 + 0.0898, 0.012);
}

TEST(Bootstrap, IntervalCoversTheTruthAboutNineteenTimesOfTwenty) {
  int covered = 0;
  for (uint64_t trial = 0; trial < 200; ++trial) {
    Random random(1000 + trial);
    std::vector<float> values(120);
    for (float& value : values) value = static_cast<float>(random.exponential());
    const Estimate mean = paired_difference(values, std::vector<float>(values.size(), 0), 300, trial);
    covered += mean.low <= 1 && 1 <= mean.high ? 1 : 0;
  }
  EXPECT_GE(covered, 178);
  EXPECT_LE(covered, 199);
}

TEST(Bootstrap, SeedDecides) {
  const std::vector<float> a = {1, 5, 2, 8, 3};
  const std::vector<float> zero(5);
  const Estimate first = paired_difference(a, zero, 100, 1);
  EXPECT_EQ(first.low, paired_difference(a, zero, 100, 1).low);
  EXPECT_NE(first.low, paired_difference(a, zero, 100, 2).low);
}

TEST(Bootstrap, WithoutSamplesTheIntervalIsTheValue) {
  const Estimate mean = paired_difference({1, 2}, {0, 0}, 0, 1);
  EXPECT_EQ(mean.value, 1.5);
  EXPECT_EQ(mean.low, 1.5);
  EXPECT_EQ(mean.high, 1.5);
}

TEST(PairedDifference, UsesThePairs) {
  // Users differ widely, the models by 0.5 for every user: paired, the interval has no width at all.
  const std::vector<float> a = {0.5F, 10.5F, 100.5F};
  const std::vector<float> b = {0, 10, 100};
  const Estimate difference = paired_difference(a, b, 200, 3);
  EXPECT_DOUBLE_EQ(difference.value, 0.5);
  EXPECT_DOUBLE_EQ(difference.low, 0.5);
  EXPECT_DOUBLE_EQ(difference.high, 0.5);
}

TEST(PairedDifference, SignIsFirstLessSecond) { EXPECT_LT(paired_difference({0, 0, 1}, {1, 1, 1}, 50, 3).value, 0); }

TEST(PairedDifference, NoPairsGiveZero) { EXPECT_EQ(paired_difference({}, {}, 50, 3).value, 0); }

TEST(PairedDifferenceDeathTest, UnequalLengthsAreABug) {
  EXPECT_DEATH(static_cast<void>(paired_difference({1}, {1, 2}, 50, 3)), "not pairs");
}

TEST(RankingDeathTest, RelevantItemThatIsExcludedIsABug) {
  EXPECT_DEATH(evaluate_one({1, 2, 3}, {1}, {1}, {1}), "relevant item 1");
}

}  // namespace
}  // namespace perennial
