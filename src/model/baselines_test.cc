#include "model/baselines.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <numeric>
#include <set>

#include "base/random.h"
#include "model/cooccurrence.h"

namespace perennial {
namespace {

std::vector<Token> history_of(const std::vector<int32_t>& items) {
  std::vector<Token> history;
  for (const int32_t item : items) history.push_back({.item = item});
  return history;
}

std::vector<float> scores_of(const Scorer& scorer, const std::vector<int32_t>& history, size_t items) {
  std::vector<float> scores(items, std::numeric_limits<float>::quiet_NaN());
  scorer.score(history_of(history), scores);
  return scores;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& wanted, double tolerance = 1e-6) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance) << "item " << i;
}

ItemSequences random_sequences(uint64_t seed, size_t users, int32_t items) {
  Random random(seed);
  ItemSequences sequences(users);
  for (std::vector<int32_t>& sequence : sequences)
    for (size_t length = random.below(12); length > 0; --length)
      sequence.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(items))));
  return sequences;
}

/// Users x items of zeros and ones, the slow obvious way.
Eigen::MatrixXd dense_of(const ItemSequences& sequences, int32_t items) {
  Eigen::MatrixXd dense = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(sequences.size()), items);
  for (size_t user = 0; user < sequences.size(); ++user)
    for (const int32_t item : sequences[user]) dense(static_cast<Eigen::Index>(user), item) = 1;
  return dense;
}

/// Row i: the scores of a history of item i alone, which is row i of EASE's B.
Eigen::MatrixXd ease_weights(const Scorer& scorer, int32_t items) {
  Eigen::MatrixXd weights(items, items);
  for (int32_t item = 0; item < items; ++item) {
    const std::vector<float> row = scores_of(scorer, {item}, static_cast<size_t>(items));
    for (int32_t other = 0; other < items; ++other) weights(item, other) = row[static_cast<size_t>(other)];
  }
  return weights;
}

std::unique_ptr<Scorer> ease_of(const ItemSequences& sequences, int32_t items, double regularisation) {
  auto result = fit_ease(sequences, items, {.regularisation = regularisation});
  PERENNIAL_CHECK(result.ok(), "{}", result.status().message());
  return std::move(result).value();
}

TEST(Cooccurrence, CountsUsersNotEvents) {
  const Cooccurrence counts({{0, 1, 1, 0}, {1, 2}, {}, {-1, 0, 1}}, 4);
  std::vector<float> row(4, 99);
  counts.count_with(1, row);
  EXPECT_EQ(row, (std::vector<float>{2, 3, 1, 0}));
  EXPECT_EQ(counts.users_of(1), 3);
  EXPECT_EQ(counts.users_of(3), 0);
}

TEST(DistinctItems, DropsUnknownAndRepeated) {
  EXPECT_EQ(distinct_items(history_of({4, -1, 2, 4, 9, 2}), 5), (std::vector<int32_t>{2, 4}));
}

TEST(Popularity, CountsEventsWhateverTheHistory) {
  const auto scorer = fit_popularity({{0, 1, 1}, {1, 2}, {-1, 1}}, 4);
  EXPECT_EQ(scores_of(*scorer, {}, 4), (std::vector<float>{1, 4, 1, 0}));
  EXPECT_EQ(scores_of(*scorer, {2, -1}, 4), (std::vector<float>{1, 4, 1, 0}));
}

// Sets {0,1}, {0,1,2}, {1,2}, {3}: users of 0..3 are 2, 3, 2, 1; both 0,1: 2; 0,2: 1; 1,2: 2.
const ItemSequences kBaskets = {{0, 1}, {1, 0, 2, 0}, {2, 1}, {3}};

TEST(ItemKnn, ShrunkCosineByHand) {
  // shrinkage 1: s01 = s12 = 2 / (sqrt 6 + 1) = 0.5797959; s02 = 1 / (2 + 1).
  const auto scorer = fit_item_knn(kBaskets, 4, {.neighbours = 10, .shrinkage = 1});
  expect_near(scores_of(*scorer, {0}, 4), {0, 0.5797959, 1.0 / 3, 0});
  expect_near(scores_of(*scorer, {0, 2}, 4), {1.0 / 3, 2 * 0.5797959, 1.0 / 3, 0});
}

TEST(ItemKnn, WithoutShrinkageItIsTheCosine) {
  const auto scorer = fit_item_knn(kBaskets, 4, {.neighbours = 10, .shrinkage = 0});
  expect_near(scores_of(*scorer, {1}, 4), {2 / std::sqrt(6.0), 0, 2 / std::sqrt(6.0), 0});
}

TEST(ItemKnn, KeepsTheNearestAndBreaksTiesByLowerItem) {
  const auto scorer = fit_item_knn(kBaskets, 4, {.neighbours = 1, .shrinkage = 1});
  expect_near(scores_of(*scorer, {0}, 4), {0, 0.5797959, 0, 0});  // 1 is nearer than 2
  expect_near(scores_of(*scorer, {1}, 4), {0.5797959, 0, 0, 0});  // 0 and 2 are as near
}

TEST(ItemKnn, RepeatedAndUnknownHistoryItemsAddNothing) {
  const auto scorer = fit_item_knn(kBaskets, 4, {});
  EXPECT_EQ(scores_of(*scorer, {0, 0, -1, 0}, 4), scores_of(*scorer, {0}, 4));
  EXPECT_EQ(scores_of(*scorer, {}, 4), std::vector<float>(4, 0));
  EXPECT_EQ(scores_of(*scorer, {-1}, 4), std::vector<float>(4, 0));
}

TEST(Ease, TwoItemsByHand) {
  // G = [[2,1],[1,2]] + 1 I = [[3,1],[1,3]]; P = G^-1 = [[3,-1],[-1,3]] / 8; B_01 = -P_01 / P_11 = 1/3.
  const auto scorer = ease_of({{0, 1}, {0}, {1}}, 2, 1);
  expect_near(scores_of(*scorer, {0}, 2), {0, 1.0 / 3});
  expect_near(scores_of(*scorer, {1, 1, -1}, 2), {1.0 / 3, 0});
}

TEST(Ease, EqualsTheDenseComputation) {
  constexpr int32_t kItems = 17;
  const ItemSequences sequences = random_sequences(5, 60, kItems);
  const Eigen::MatrixXd dense = dense_of(sequences, kItems);
  const Eigen::MatrixXd gram = dense.transpose() * dense + 3.5 * Eigen::MatrixXd::Identity(kItems, kItems);
  const Eigen::MatrixXd inverse = gram.inverse();
  Eigen::MatrixXd wanted(kItems, kItems);
  for (int32_t i = 0; i < kItems; ++i)
    for (int32_t j = 0; j < kItems; ++j) wanted(i, j) = i == j ? 0 : -inverse(i, j) / inverse(j, j);
  const Eigen::MatrixXd got = ease_weights(*ease_of(sequences, kItems, 3.5), kItems);
  EXPECT_LE((got - wanted).cwiseAbs().maxCoeff(), 1e-5);
}

TEST(Ease, WeightsAreStationaryForTheRidgeObjectiveOffTheDiagonal) {
  // min |X - XB|^2 + r |B|^2 with diag B = 0: off the diagonal X'(X - XB) - r B vanishes.
  constexpr int32_t kItems = 23;
  const ItemSequences sequences = random_sequences(6, 80, kItems);
  const Eigen::MatrixXd dense = dense_of(sequences, kItems);
  const Eigen::MatrixXd weights = ease_weights(*ease_of(sequences, kItems, 10), kItems);
  Eigen::MatrixXd gradient = dense.transpose() * (dense - dense * weights) - 10 * weights;
  EXPECT_GT(gradient.diagonal().cwiseAbs().maxCoeff(), 1);  // the constraint binds
  gradient.diagonal().setZero();
  EXPECT_LE(gradient.cwiseAbs().maxCoeff(), 1e-4);
  EXPECT_EQ(weights.diagonal().cwiseAbs().maxCoeff(), 0);
}

TEST(Ease, ItemsThatNobodyHasScoreZero) {
  const auto scorer = ease_of({{0, 1}, {0, 1}}, 3, 1);
  EXPECT_EQ(scores_of(*scorer, {0, 1}, 3)[2], 0);
  EXPECT_EQ(scores_of(*scorer, {2}, 3), (std::vector<float>{0, 0, 0}));
}

TEST(Ease, AboveTheCapSaysSo) {
  const auto result = fit_ease({}, 11, {.item_cap = 10});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::resource_exhausted);
  EXPECT_NE(result.status().message().find("11 items are over the cap of 10"), std::string::npos);
}

TEST(Ease, RefusesARegularisationThatIsNotPositive) {
  for (const double value : {0.0, -1.0, std::nan("")})
    EXPECT_EQ(fit_ease({{0}}, 1, {.regularisation = value}).status().code(), Code::invalid_argument) << value;
}

TEST(Ease, WithoutItemsOrUsersItFits) {
  EXPECT_TRUE(fit_ease({}, 0, {}).ok());
  EXPECT_EQ(scores_of(*ease_of({}, 2, 1), {0}, 2), (std::vector<float>{0, 0}));
}

// Events: 0 three, 1 three, 2 two of 8. After 0: 1 twice, 2 once. After 1: 0 once, 2 once. After 2: nothing.
const ItemSequences kWalks = {{0, 1, 0, 2}, {0, 1, 2}, {1}};

TEST(Markov, TransitionsByHand) {
  const auto scorer = fit_markov(kWalks, 4, 0.1);
  expect_near(scores_of(*scorer, {2, 0}, 4), {0.1 * 3 / 8, 0.9 * 2 / 3 + 0.1 * 3 / 8, 0.9 / 3 + 0.1 * 2 / 8, 0});
  expect_near(scores_of(*scorer, {1}, 4), {0.9 / 2 + 0.1 * 3 / 8, 0.1 * 3 / 8, 0.9 / 2 + 0.1 * 2 / 8, 0});
}

TEST(Markov, WithoutAKnownLastItemOrItsSuccessorsItIsPopularity) {
  const auto scorer = fit_markov(kWalks, 4, 0.1);
  const std::vector<double> shares = {3.0 / 8, 3.0 / 8, 2.0 / 8, 0};
  expect_near(scores_of(*scorer, {}, 4), shares);
  expect_near(scores_of(*scorer, {-1, -1}, 4), shares);
  expect_near(scores_of(*scorer, {0, 2}, 4), shares);
  expect_near(scores_of(*scorer, {0, 3}, 4), shares);
}

TEST(Markov, ReadsTheLastItemThatItKnows) {
  const auto scorer = fit_markov(kWalks, 4, 0.1);
  EXPECT_EQ(scores_of(*scorer, {1, 0, -1}, 4), scores_of(*scorer, {0}, 4));
}

TEST(Markov, UnknownItemsInTrainingAreSteppedOver) {
  EXPECT_EQ(scores_of(*fit_markov({{0, -1, 1}}, 2, 0.1), {0}, 2), scores_of(*fit_markov({{0, 1}}, 2, 0.1), {0}, 2));
}

TEST(Markov, ScoresAreAProbability) {
  const ItemSequences sequences = random_sequences(7, 100, 30);
  const auto scorer = fit_markov(sequences, 30, 0.25);
  for (int32_t last = 0; last < 30; ++last) {
    const std::vector<float> scores = scores_of(*scorer, {last}, 30);
    EXPECT_NEAR(std::accumulate(scores.begin(), scores.end(), 0.0), 1, 1e-5) << last;
  }
}

TEST(Baselines, FittingTwiceGivesTheSameBits) {
  const ItemSequences sequences = random_sequences(8, 200, 40);
  const auto fit = [&] {
    std::vector<std::unique_ptr<Scorer>> models;
    models.push_back(fit_popularity(sequences, 40));
    models.push_back(fit_item_knn(sequences, 40, {.neighbours = 5}));
    models.push_back(ease_of(sequences, 40, 20));
    models.push_back(fit_markov(sequences, 40));
    return models;
  };
  const auto first = fit();
  const auto second = fit();
  std::set<std::string> names;
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(scores_of(*first[i], {3, 1, 4}, 40), scores_of(*second[i], {3, 1, 4}, 40)) << first[i]->name();
    names.insert(first[i]->name());
  }
  EXPECT_EQ(names.size(), 4U);
}

TEST(Baselines, ScoresAreNeverNan) {
  for (const ItemSequences& sequences : {ItemSequences{}, ItemSequences{{}, {-1}}, ItemSequences{{0}, {2, 2}}}) {
    std::vector<std::unique_ptr<Scorer>> models;
    models.push_back(fit_popularity(sequences, 3));
    models.push_back(fit_item_knn(sequences, 3, {.shrinkage = 0}));
    models.push_back(ease_of(sequences, 3, 1));
    models.push_back(fit_markov(sequences, 3));
    for (const auto& model : models)
      for (const std::vector<int32_t>& history : {std::vector<int32_t>{}, {0}, {1, 2}, {-1}})
        for (const float score : scores_of(*model, history, 3)) EXPECT_TRUE(std::isfinite(score)) << model->name();
  }
}

}  // namespace
}  // namespace perennial
