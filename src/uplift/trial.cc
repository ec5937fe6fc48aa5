#include "uplift/trial.h"

#include <cmath>
#include <numeric>

#include "base/random.h"

namespace perennial {

Trial Trial::subset(const std::vector<Eigen::Index>& rows) const {
  Trial part;
  part.features = features(rows, Eigen::all);
  part.chances = chances(rows, Eigen::all);
  part.outcomes = outcomes(rows);
  part.dealt.reserve(rows.size());
  for (const Eigen::Index row : rows) part.dealt.push_back(dealt[static_cast<size_t>(row)]);
  return part;
}

Status check(const Trial& trial) {
  const auto users = static_cast<Eigen::Index>(trial.users());
  if (trial.features.rows() != users || trial.chances.rows() != users || trial.outcomes.size() != users)
    return invalid_argument("a trial of {} users has {} rows of features, {} of chances and {} outcomes", users,
                            trial.features.rows(), trial.chances.rows(), trial.outcomes.size());
  if (trial.chances.cols() < 2) return invalid_argument("a trial needs an action beside doing nothing");
  for (Eigen::Index row = 0; row < users; ++row) {
    if (!trial.features.row(row).allFinite() || !std::isfinite(trial.outcomes(row)))
      return invalid_argument("row {} of the trial has a feature or an outcome that is not finite", row);
    const auto chances = trial.chances.row(row);
    if (!(chances.minCoeff() >= 0) || !(std::abs(chances.sum() - 1) <= 1e-6))
      return invalid_argument("row {} of the trial has chances that are below 0 or do not sum to 1", row);
    const uint16_t arm = trial.dealt[static_cast<size_t>(row)];
    if (arm >= trial.chances.cols() || chances(arm) <= 0)
      return invalid_argument("row {} of the trial was dealt arm {}, which had no chance", row, arm);
  }
  return {};
}

std::vector<int> folds_of(size_t users, int folds, uint64_t seed) {
  std::vector<size_t> order(users);
  std::iota(order.begin(), order.end(), size_t{0});
  Random(seed).shuffle(std::span<size_t>(order));
  std::vector<int> fold(users);
  for (size_t i = 0; i < users; ++i) fold[order[i]] = static_cast<int>(i % static_cast<size_t>(folds));
  return fold;
}

std::vector<Eigen::Index> rows_of(const std::vector<int>& folds, int fold, bool inside) {
  std::vector<Eigen::Index> rows;
  for (size_t i = 0; i < folds.size(); ++i)
    if ((folds[i] == fold) == inside) rows.push_back(static_cast<Eigen::Index>(i));
  return rows;
}

}  // namespace perennial
