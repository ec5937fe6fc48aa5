#include "uplift/boosted_trees.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace perennial {
namespace {

struct Data {
  Eigen::MatrixXd features;
  Eigen::VectorXd targets;
};

template <typename Truth>
Data draw(Eigen::Index users, const Truth& truth, double noise, uint64_t seed) {
  Random random(seed);
  Data data{Eigen::MatrixXd(users, 3), Eigen::VectorXd(users)};
  for (Eigen::Index i = 0; i < users; ++i) {
    data.features.row(i) << random.uniform(), std::floor(random.uniform() * 3), random.normal();
    data.targets[i] = truth(data.features.row(i)) + noise * random.normal();
  }
  return data;
}

double mean_squared_error(const BoostedTrees& model, const Data& data) {
  double sum = 0;
  for (Eigen::Index i = 0; i < data.targets.size(); ++i) {
    const std::vector<double> row = {data.features(i, 0), data.features(i, 1), data.features(i, 2)};
    sum += (model.at(row) - data.targets[i]) * (model.at(row) - data.targets[i]);
  }
  return sum / static_cast<double>(data.targets.size());
}

/// A step that depends on two features together: no line has it.
double corner(const Eigen::RowVectorXd& x) { return x[0] > 0.6 && x[1] >= 1 ? 1.0 : 0.0; }

TEST(BoostedTrees, FindsWhatTwoFeaturesDoTogether) {
  const Data learned = draw(8000, corner, 0.2, 1), fresh = draw(4000, corner, 0, 2);
  const BoostedTrees model = fit_boosted_trees(learned.features, learned.targets, {.trees = 100});
  const double of_the_mean = (fresh.targets.array() - fresh.targets.mean()).square().mean();
  EXPECT_LT(mean_squared_error(model, fresh), 0.05 * of_the_mean);
}

TEST(BoostedTrees, ASplitStandsWhereItsThresholdSays) {
  Eigen::MatrixXd features(6, 1);
  features << 1, 1, 1, 4, 4, 4;
  Eigen::VectorXd targets(6);
  targets << 0, 0, 0, 8, 8, 8;
  const BoostedTrees model =
      fit_boosted_trees(features, targets, {.trees = 1, .depth = 1, .rate = 1, .fewest_rows = 2});
  ASSERT_EQ(model.trees.size(), 1U);
  EXPECT_DOUBLE_EQ(model.trees[0].splits[0].threshold, 2.5);
  EXPECT_DOUBLE_EQ(model.at(std::vector{2.4}), 0);
  EXPECT_DOUBLE_EQ(model.at(std::vector{2.5}), 8);
}

TEST(BoostedTrees, NoLeafHasFewerRowsThanAsked) {
  const Data data = draw(1000, corner, 0.5, 3);
  const int depth = 3;
  const BoostedTrees model =
      fit_boosted_trees(data.features, data.targets, {.trees = 5, .depth = depth, .fewest_rows = 120});
  for (const Tree& tree : model.trees) {
    std::vector<int> rows(tree.leaves.size());
    for (Eigen::Index i = 0; i < data.features.rows(); ++i) {
      size_t node = 0;
      while (node < tree.splits.size())
        node = 2 * node + (data.features(i, tree.splits[node].feature) < tree.splits[node].threshold ? 1 : 2);
      ++rows[node - tree.splits.size()];
    }
    for (const int count : rows) EXPECT_TRUE(count == 0 || count >= 120) << count;
  }
}

TEST(BoostedTrees, NothingToSplitOnGivesTheMean) {
  const Eigen::MatrixXd constant = Eigen::MatrixXd::Constant(300, 2, 5);
  Eigen::VectorXd targets = Eigen::VectorXd::LinSpaced(300, 0, 1);
  EXPECT_NEAR(fit_boosted_trees(constant, targets).at(std::vector{1.0, 1.0}), 0.5, 1e-9);
  EXPECT_EQ(fit_boosted_trees({}, {}).at(std::vector{1.0}), 0);
}

TEST(BoostedTrees, ManyDistinctValuesAreCutIntoBinsOfAboutAsMany) {
  const auto steps = [](const Eigen::RowVectorXd& x) { return std::floor(x[0] * 8); };
  const Data learned = draw(20'000, steps, 0, 4);
  const BoostedTrees model =
      fit_boosted_trees(learned.features, learned.targets, {.trees = 150, .depth = 3, .rate = 0.2});
  EXPECT_LT(mean_squared_error(model, learned), 0.1);  // seven steps, each within a 64th of its place
}

}  // namespace
}  // namespace perennial
