// Regression by gradient boosting of shallow trees, on features cut into at most 64 bins: for effects that a line does
// not fit. Source: Friedman, "Greedy function approximation: a gradient boosting machine", 2001.
// Covered by uplift/boosted_trees_test.cc.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "base/status.h"

namespace perennial {

struct BoostingOptions {
  int trees = 60;
  int depth = 2;             // splits between the root and a leaf, 1 to 8
  double rate = 0.05;        // share of each tree's fit that is taken
  double fewest_rows = 200;  // in a leaf
};

/// A full binary tree: node n has the children 2n + 1 (feature < threshold) and 2n + 2; where nothing was to be won the
/// threshold is infinite and all go left.
struct Tree {
  struct Split {
    int feature = 0;
    double threshold = 0;
  };
  std::vector<Split> splits;   // 2^depth - 1
  std::vector<double> leaves;  // 2^depth
};

struct BoostedTrees {
  double mean = 0;
  std::vector<Tree> trees;

  [[nodiscard]] double at(std::span<const double> features) const;
};

/// By squared loss: `features` (users, features), finite, `targets` (users). No users: 0 everywhere.
BoostedTrees fit_boosted_trees(const Eigen::MatrixXd& features, const Eigen::VectorXd& targets,
                               const BoostingOptions& options = {});

}  // namespace perennial
