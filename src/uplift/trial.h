// Users to whom an action or nothing was dealt by chances that are known, and what came of it: what uplift is learned
// from and measured on. Covered by uplift/learner_test.cc.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "base/status.h"

namespace perennial {

/// Arm 0 is "nothing"; arms 1 to `actions()` are actions.
struct Trial {
  Eigen::MatrixXd features;     // (users, features), as they were when the action was dealt
  std::vector<uint16_t> dealt;  // (users): the arm
  Eigen::MatrixXd chances;      // (users, 1 + actions): of each arm; 0 where it could not be dealt
  Eigen::VectorXd outcomes;     // (users)

  [[nodiscard]] size_t users() const { return dealt.size(); }
  [[nodiscard]] size_t actions() const { return static_cast<size_t>(chances.cols()) - 1; }

  /// The rows, in that order.
  [[nodiscard]] Trial subset(const std::vector<Eigen::Index>& rows) const;
};

/// invalid_argument, naming the row, unless sizes agree, numbers are finite, chances are from 0 to 1 and sum to 1, and
/// that of the arm dealt is above 0.
Status check(const Trial& trial);

/// `users` dealt round into `folds` by a seeded shuffle: the fold of each.
std::vector<int> folds_of(size_t users, int folds, uint64_t seed);

/// The rows whose fold is (`inside`) or is not `fold`.
std::vector<Eigen::Index> rows_of(const std::vector<int>& folds, int fold, bool inside);

}  // namespace perennial
