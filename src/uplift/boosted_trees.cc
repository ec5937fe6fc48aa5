#include "uplift/boosted_trees.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace perennial {
namespace {

constexpr size_t kMostBins = 64;
constexpr double kEverybodyLeft = std::numeric_limits<double>::infinity();

/// Features as numbers of bins: that of x is how many of the feature's edges are at or below x.
struct Binned {
  std::vector<std::vector<double>> edges;  // by feature, rising
  std::vector<std::vector<uint8_t>> bins;  // by feature, by user
};

/// Midway between neighbouring values, at about equal shares of users where there are more than fit.
std::vector<double> edges_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t users = values.size();
  std::vector<double> edges;
  size_t next = 0;  // the earliest place of the next edge
  for (size_t i = 1; i < users; ++i) {
    if (values[i] == values[i - 1] || i < next) continue;
    edges.push_back(values[i - 1] + (values[i] - values[i - 1]) / 2);
    next = i + users / kMostBins;
    if (edges.size() + 1 == kMostBins) break;
  }
  return edges;
}

Binned bin(const Eigen::MatrixXd& features) {
  Binned binned;
  for (Eigen::Index f = 0; f < features.cols(); ++f) {
    const Eigen::VectorXd column = features.col(f);
    std::vector<double> edges = edges_of({column.begin(), column.end()});
    std::vector<uint8_t> bins;
    bins.reserve(static_cast<size_t>(column.size()));
    for (const double x : column)
      bins.push_back(static_cast<uint8_t>(std::upper_bound(edges.begin(), edges.end(), x) - edges.begin()));
    binned.edges.push_back(std::move(edges));
    binned.bins.push_back(std::move(bins));
  }
  return binned;
}

struct Sum {
  double total = 0;
  double rows = 0;
  /// What its own mean takes off the squared error, up to a constant.
  [[nodiscard]] double won() const { return rows > 0 ? total * total / rows : 0; }
};

struct BestSplit {
  double won = 0;
  int feature = 0;
  size_t edge = 0;
  bool found = false;
};

/// Sums by bin of the users in one node.
void look_for_split(std::span<const Sum> bins, const Sum& all, int feature, double fewest_rows, BestSplit& best) {
  Sum left;
  for (size_t edge = 0; edge + 1 < bins.size(); ++edge) {
    left.total += bins[edge].total;
    left.rows += bins[edge].rows;
    const Sum right{all.total - left.total, all.rows - left.rows};
    if (left.rows < fewest_rows || right.rows < fewest_rows) continue;
    const double won = left.won() + right.won() - all.won();
    if (won > best.won * (1 + 1e-12) + 1e-12) best = {won, feature, edge, true};
  }
}

class Grower {
 public:
  Grower(const Binned& binned, size_t users, const BoostingOptions& options)
      : binned_(binned), options_(options), node_(users), sums_(((size_t{1} << options.depth) / 2) * kMostBins) {}

  /// A tree for the residuals, from which its share is taken.
  Tree grow(std::vector<double>& residuals) {
    Tree tree;
    const size_t leaves = size_t{1} << options_.depth;
    std::fill(node_.begin(), node_.end(), uint16_t{0});
    for (size_t nodes = 1; nodes < leaves; nodes *= 2) split_level(residuals, nodes, tree);
    std::vector<Sum> sums(leaves);
    for (size_t i = 0; i < node_.size(); ++i) {
      sums[node_[i]].total += residuals[i];
      ++sums[node_[i]].rows;
    }
    for (const Sum& sum : sums) tree.leaves.push_back(sum.rows > 0 ? options_.rate * sum.total / sum.rows : 0);
    for (size_t i = 0; i < node_.size(); ++i) residuals[i] -= tree.leaves[node_[i]];
    return tree;
  }

 private:
  /// node_ counts the nodes of the level from 0.
  void split_level(const std::vector<double>& residuals, size_t nodes, Tree& tree) {
    std::vector<Sum> all(nodes);
    for (size_t i = 0; i < node_.size(); ++i) {
      all[node_[i]].total += residuals[i];
      ++all[node_[i]].rows;
    }
    std::vector<BestSplit> best(nodes);
    for (size_t f = 0; f < binned_.bins.size(); ++f) {
      const size_t bins = binned_.edges[f].size() + 1;
      std::fill(sums_.begin(), sums_.end(), Sum{});
      for (size_t i = 0; i < node_.size(); ++i) {
        Sum& sum = sums_[node_[i] * kMostBins + binned_.bins[f][i]];
        sum.total += residuals[i];
        ++sum.rows;
      }
      for (size_t n = 0; n < nodes; ++n)
        look_for_split({&sums_[n * kMostBins], bins}, all[n], static_cast<int>(f), options_.fewest_rows, best[n]);
    }
    for (const BestSplit& split : best)
      tree.splits.push_back({split.feature, split.found ? binned_.edges[static_cast<size_t>(split.feature)][split.edge]
                                                        : kEverybodyLeft});
    for (size_t i = 0; i < node_.size(); ++i) {
      const BestSplit& split = best[node_[i]];
      const bool right = split.found && binned_.bins[static_cast<size_t>(split.feature)][i] > split.edge;
      node_[i] = static_cast<uint16_t>(2 * node_[i] + (right ? 1 : 0));
    }
  }

  const Binned& binned_;
  const BoostingOptions& options_;
  std::vector<uint16_t> node_;  // of each user, within the level
  std::vector<Sum> sums_;       // (nodes of a level, kMostBins)
};

}  // namespace

double BoostedTrees::at(std::span<const double> features) const {
  double sum = mean;
  for (const Tree& tree : trees) {
    size_t node = 0;
    while (node < tree.splits.size()) {
      const Tree::Split& split = tree.splits[node];
      node = 2 * node + (features[static_cast<size_t>(split.feature)] < split.threshold ? 1 : 2);
    }
    sum += tree.leaves[node - tree.splits.size()];
  }
  return sum;
}

BoostedTrees fit_boosted_trees(const Eigen::MatrixXd& features, const Eigen::VectorXd& targets,
                               const BoostingOptions& options) {
  BoostedTrees model;
  if (targets.size() == 0) return model;
  model.mean = targets.mean();
  std::vector<double> residuals(targets.begin(), targets.end());
  for (double& residual : residuals) residual -= model.mean;
  const Binned binned = bin(features);
  Grower grower(binned, residuals.size(), options);
  for (int t = 0; t < options.trees; ++t) model.trees.push_back(grower.grow(residuals));
  return model;
}

}  // namespace perennial
