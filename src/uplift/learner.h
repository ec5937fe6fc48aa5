// Who gains from an action: T- and DR-learners of the effect given what is known of a user, chosen by their order on
// folds held out, and calibrated there, so that an effect comes with its standard error.
//   T: E[outcome | action, x] - E[outcome | nothing, x], each by a regression of its own arm.
//   DR: the regression of pseudo-outcomes on x. Those of action a against nothing (0), with m fitted on other users:
//     psi_a - psi_0, psi_a = m_a(x) + [dealt a] (y - m_a(x)) / e_a
// Sources: Kunzel et al., "Metalearners for estimating heterogeneous treatment effects", 2019; Kennedy, "Towards
// optimal doubly robust estimation of heterogeneous causal effects", 2020; calibration by the best linear predictor of
// Chernozhukov et al., "Generic machine learning inference on heterogeneous treatment effects", 2018.
// Covered by uplift/learner_test.cc.
#pragma once

#include <Eigen/Core>
#include <span>
#include <variant>
#include <vector>

#include "base/status.h"
#include "uplift/boosted_trees.h"
#include "uplift/ridge_line.h"
#include "uplift/trial.h"
#include "uplift/uplift_quality.h"

namespace perennial {

using Regression = std::variant<RidgeLine, BoostedTrees>;

enum class Learner : uint8_t { average, t_linear, t_trees, dr_linear, dr_trees };
inline constexpr size_t kLearners = 5;
const char* learner_name(Learner learner);

/// What is believed of an action's mean effect before anything is seen of it, in units of the outcome.
struct EffectPrior {
  double mean = 0;
  double deviation = 1;  // above 0
  double untreated = 0;  // the outcome of users without the action
};

struct Effect {
  double mean = 0;
  double standard_error = 0;  // of the mean effect on users of this score
};

/// The effect of one action against nothing.
struct ActionEffect {
  Learner learner = Learner::average;
  std::vector<Regression> scorers;  // score = first, minus second where there are two; none: 0
  RidgeLine untreated;              // the outcome without the action
  // effect = level + slope (score - centre), from folds held out and the prior
  double centre = 0;
  double level = 0;
  double slope = 0;
  double level_variance = 0;
  double slope_variance = 0;
  int64_t treated_users = 0;    // dealt the action
  int64_t untreated_users = 0;  // dealt nothing, who could have had it
  UpliftQuality quality;        // of the order by score, on folds held out

  [[nodiscard]] double score(std::span<const double> features) const;
  [[nodiscard]] Effect at(std::span<const double> features) const;
};

/// The effect of action `action`, from 0 (arm 1). The seed decides folds alone. An action that few were dealt has its
/// average effect, near the prior's. invalid_argument as check().
Result<ActionEffect> learn_effect(const Trial& trial, size_t action, const EffectPrior& prior, uint64_t seed);

/// Of all actions. `priors`: one an action.
Result<std::vector<ActionEffect>> learn_effects(const Trial& trial, const std::vector<EffectPrior>& priors,
                                                uint64_t seed);

/// (users, arms): of each user of `of` an estimate of the outcome under each arm, right on average as the chances are
/// known: psi_arm = m_arm(x) + [dealt arm] (y - m_arm(x)) / e_arm, with lines m fitted on `learned`, other users.
Eigen::MatrixXd outcomes_by_arm(const Trial& learned, const Trial& of);

/// Scores of a learner fitted on the trial (features of `of`, (users, features)); for benches. `action` from 0.
Eigen::VectorXd scores_of(Learner learner, const Trial& trial, size_t action, const Eigen::MatrixXd& of, uint64_t seed);

}  // namespace perennial
