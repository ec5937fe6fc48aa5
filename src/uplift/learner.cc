#include "uplift/learner.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace perennial {
namespace {

constexpr int kFolds = 5;
constexpr Eigen::Index kFewestForLearning = 200;  // users of each arm; below it everybody has the average effect
constexpr double kPriorUsers = 10;                // that the outcome's whole variance counts for beside what is seen
constexpr double kSlopePrior = 1;                 // deviation of a score's slope about 0
constexpr const char* kNames[kLearners] = {"average", "t_linear", "t_trees", "dr_linear", "dr_trees"};

bool by_trees(Learner learner) { return learner == Learner::t_trees || learner == Learner::dr_trees; }

Regression fit(Learner learner, const Eigen::MatrixXd& features, const Eigen::VectorXd& targets) {
  if (by_trees(learner)) return fit_boosted_trees(features, targets);
  return fit_ridge_line(features, targets);
}

double at(const Regression& regression, std::span<const double> features) {
  return std::visit([&](const auto& model) { return model.at(features); }, regression);
}

std::vector<double> row_of(const Eigen::MatrixXd& features, Eigen::Index row) {
  const Eigen::VectorXd copy = features.row(row);
  return {copy.begin(), copy.end()};
}

std::vector<Eigen::Index> dealt_rows(const Trial& trial, uint16_t arm) {
  std::vector<Eigen::Index> rows;
  for (size_t i = 0; i < trial.users(); ++i)
    if (trial.dealt[i] == arm) rows.push_back(static_cast<Eigen::Index>(i));
  return rows;
}

/// The users of an action's own trial: those who could have had the action and could have had nothing. Arm 1 is the
/// action.
Trial against_nothing(const Trial& trial, size_t action) {
  const auto arm = static_cast<Eigen::Index>(action + 1);
  std::vector<Eigen::Index> rows;
  for (size_t i = 0; i < trial.users(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    if (trial.chances(row, 0) > 0 && trial.chances(row, arm) > 0) rows.push_back(row);
  }
  Trial part = trial.subset(rows);
  part.chances = Eigen::MatrixXd(part.chances(Eigen::all, {Eigen::Index{0}, arm}));
  // Whoever was dealt another action tells nothing of either outcome but counts among the users.
  for (uint16_t& dealt : part.dealt) dealt = dealt == 0 ? 0 : dealt == arm ? 1 : 2;
  return part;
}

/// psi_a - psi_0 of the trial's action, each user's from lines fitted on the other folds.
Eigen::VectorXd pseudo_outcomes(const Trial& trial, const std::vector<int>& folds) {
  Eigen::VectorXd pseudo(static_cast<Eigen::Index>(trial.users()));
  for (int fold = 0; fold < kFolds; ++fold) {
    const std::vector<Eigen::Index> rows = rows_of(folds, fold, true);
    const Eigen::MatrixXd arms = outcomes_by_arm(trial.subset(rows_of(folds, fold, false)), trial.subset(rows));
    pseudo(rows) = arms.col(1) - arms.col(0);
  }
  return pseudo;
}

std::vector<Regression> fit_scorers(Learner learner, const Trial& trial, uint64_t seed) {
  switch (learner) {
    case Learner::average:
      return {};
    case Learner::t_linear:
    case Learner::t_trees: {
      std::vector<Regression> arms;
      for (const uint16_t arm : {uint16_t{1}, uint16_t{0}}) {
        const std::vector<Eigen::Index> rows = dealt_rows(trial, arm);
        arms.push_back(fit(learner, trial.features(rows, Eigen::all), trial.outcomes(rows)));
      }
      return arms;
    }
    case Learner::dr_linear:
    case Learner::dr_trees:
      return {fit(learner, trial.features, pseudo_outcomes(trial, folds_of(trial.users(), kFolds, seed)))};
  }
  PERENNIAL_CHECK(false, "learner {}", static_cast<int>(learner));
}

double score_by(const std::vector<Regression>& scorers, std::span<const double> features) {
  if (scorers.empty()) return 0;
  return at(scorers[0], features) - (scorers.size() > 1 ? at(scorers[1], features) : 0);
}

Eigen::VectorXd scores_by(const std::vector<Regression>& scorers, const Eigen::MatrixXd& features) {
  Eigen::VectorXd scores(features.rows());
  for (Eigen::Index i = 0; i < features.rows(); ++i) scores[i] = score_by(scorers, row_of(features, i));
  return scores;
}

/// Each user's score by scorers fitted on the other folds.
Eigen::VectorXd held_out_scores(Learner learner, const Trial& trial, const std::vector<int>& folds, uint64_t seed) {
  Eigen::VectorXd scores(static_cast<Eigen::Index>(trial.users()));
  for (int fold = 0; fold < kFolds; ++fold) {
    const std::vector<Regression> scorers = fit_scorers(learner, trial.subset(rows_of(folds, fold, false)), seed + 1);
    const std::vector<Eigen::Index> rows = rows_of(folds, fold, true);
    scores(rows) = scores_by(scorers, trial.features(rows, Eigen::all));
  }
  return scores;
}

/// Area between what acting in the order of the scores brings and what acting at random does.
double area_of_order(const Eigen::VectorXd& scores, const Eigen::VectorXd& pseudo) {
  std::vector<Eigen::Index> order(static_cast<size_t>(scores.size()));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Eigen::Index>(i);
  std::ranges::stable_sort(order, std::greater<>(), [&](Eigen::Index i) { return scores[i]; });
  double sum = 0, area = 0;
  for (const Eigen::Index i : order) {
    area += sum + pseudo[i] / 2;
    sum += pseudo[i];
  }
  const auto users = static_cast<double>(scores.size());
  return area / (users * users) - sum / users / 2;
}

/// The line through pseudo-outcomes by score, with robust variances, and the prior's.
void calibrate(const Eigen::VectorXd& scores, const Eigen::VectorXd& pseudo, const Trial& trial,
               const EffectPrior& prior, ActionEffect& effect) {
  const auto users = static_cast<double>(scores.size());
  const double prior_precision = 1 / (prior.deviation * prior.deviation);
  effect.level = prior.mean;
  effect.level_variance = prior.deviation * prior.deviation;
  if (effect.treated_users == 0 || effect.untreated_users == 0) return;
  effect.centre = scores.mean();
  const Eigen::ArrayXd centred = scores.array() - effect.centre;
  const double mean = pseudo.mean();
  const double spread = centred.square().sum();
  const double slope = spread > 0 ? (centred * pseudo.array()).sum() / spread : 0;
  const Eigen::ArrayXd residuals = pseudo.array() - mean - slope * centred;
  // Few users with like outcomes seem to vary not at all: they count beside some that vary as outcomes can.
  const double outcome_variance =
      std::max((trial.outcomes.array() - trial.outcomes.mean()).square().mean(), prior.deviation * prior.deviation);
  const double whole = outcome_variance * (1 / trial.chances.col(0).array() + 1 / trial.chances.col(1).array()).mean();
  const double of_one = (residuals.square().sum() + kPriorUsers * whole) / (users + kPriorUsers);
  const double precision = users / of_one;
  effect.level = (precision * mean + prior_precision * prior.mean) / (precision + prior_precision);
  effect.level_variance = 1 / (precision + prior_precision);
  if (spread <= 0) return;
  const double slope_variance = (centred.square() * residuals.square()).sum() / (spread * spread);
  const double slope_precision = 1 / std::max(slope_variance, 1e-12);
  const double drawn = 1 / (kSlopePrior * kSlopePrior);
  effect.slope = std::max(0.0, slope_precision * slope / (slope_precision + drawn));
  effect.slope_variance = effect.slope > 0 ? 1 / (slope_precision + drawn) : 0;
}

std::vector<Dealt> dealt_users(const Trial& trial, const Eigen::VectorXd& scores) {
  std::vector<Dealt> users;
  for (size_t i = 0; i < trial.users(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    if (trial.dealt[i] > 1) continue;
    users.push_back({scores[row], trial.outcomes[row], trial.chances(row, trial.dealt[i]), trial.dealt[i] == 1});
  }
  return users;
}

/// The users' mean without the action, near the prior's where they are few; a line where they are enough.
RidgeLine untreated_line(const Trial& trial, double expected) {
  const std::vector<Eigen::Index> rows = dealt_rows(trial, 0);
  const Eigen::VectorXd outcomes = trial.outcomes(rows);
  RidgeLine line = fit_ridge_line(trial.features(rows, Eigen::all), outcomes);
  if (line.coefficients.empty())
    line.intercept = (outcomes.sum() + kPriorUsers * expected) / (static_cast<double>(rows.size()) + kPriorUsers);
  return line;
}

ActionEffect learn_against_nothing(const Trial& trial, const EffectPrior& prior, uint64_t seed) {
  ActionEffect effect;
  effect.untreated = untreated_line(trial, prior.untreated);
  effect.treated_users = std::ranges::count(trial.dealt, 1);
  effect.untreated_users = std::ranges::count(trial.dealt, 0);
  const std::vector<int> folds = folds_of(trial.users(), kFolds, seed);
  const Eigen::VectorXd pseudo = pseudo_outcomes(trial, folds);
  Eigen::VectorXd scores = Eigen::VectorXd::Zero(pseudo.size());
  if (std::min(effect.treated_users, effect.untreated_users) >= kFewestForLearning) {
    double best = 0;
    for (const Learner learner : {Learner::t_linear, Learner::t_trees, Learner::dr_linear, Learner::dr_trees}) {
      const Eigen::VectorXd held_out = held_out_scores(learner, trial, folds, seed);
      if (const double area = area_of_order(held_out, pseudo); area > best) {
        best = area;
        effect.learner = learner;
        scores = held_out;
      }
    }
  }
  calibrate(scores, pseudo, trial, prior, effect);
  effect.scorers = fit_scorers(effect.learner, trial, seed);
  if (const Result<UpliftQuality> quality = measure_uplift(dealt_users(trial, scores), seed); quality.ok())
    effect.quality = *quality;
  return effect;
}

}  // namespace

const char* learner_name(Learner learner) { return kNames[static_cast<size_t>(learner)]; }

double ActionEffect::score(std::span<const double> features) const { return score_by(scorers, features); }

Effect ActionEffect::at(std::span<const double> features) const {
  const double beside = score(features) - centre;
  return {level + slope * beside, std::sqrt(level_variance + slope_variance * beside * beside)};
}

Result<ActionEffect> learn_effect(const Trial& trial, size_t action, const EffectPrior& prior, uint64_t seed) {
  PERENNIAL_TRY(check(trial));
  PERENNIAL_CHECK(action < trial.actions(), "action {} of {}", action, trial.actions());
  return learn_against_nothing(against_nothing(trial, action), prior, seed);
}

Result<std::vector<ActionEffect>> learn_effects(const Trial& trial, const std::vector<EffectPrior>& priors,
                                                uint64_t seed) {
  PERENNIAL_CHECK(priors.size() == trial.actions(), "{} priors, {} actions", priors.size(), trial.actions());
  std::vector<ActionEffect> effects;
  for (size_t action = 0; action < trial.actions(); ++action) {
    PERENNIAL_TRY_ASSIGN(ActionEffect effect, learn_effect(trial, action, priors[action], seed));
    effects.push_back(std::move(effect));
  }
  return effects;
}

Eigen::MatrixXd outcomes_by_arm(const Trial& learned, const Trial& of) {
  Eigen::MatrixXd outcomes(static_cast<Eigen::Index>(of.users()), of.chances.cols());
  for (Eigen::Index arm = 0; arm < of.chances.cols(); ++arm) {
    const std::vector<Eigen::Index> rows = dealt_rows(learned, static_cast<uint16_t>(arm));
    RidgeLine line = fit_ridge_line(learned.features(rows, Eigen::all), learned.outcomes(rows));
    // The mean of a few is drawn to that of all: of none it would be 0, which looks like harm.
    if (line.coefficients.empty() && learned.users() > 0)
      line.intercept = (learned.outcomes(rows).sum() + kPriorUsers * learned.outcomes.mean()) /
                       (static_cast<double>(rows.size()) + kPriorUsers);
    for (Eigen::Index i = 0; i < outcomes.rows(); ++i) {
      const double expected = line.at(row_of(of.features, i));
      const bool dealt = of.dealt[static_cast<size_t>(i)] == arm;
      outcomes(i, arm) = expected + (dealt ? (of.outcomes[i] - expected) / of.chances(i, arm) : 0);
    }
  }
  return outcomes;
}

Eigen::VectorXd scores_of(Learner learner, const Trial& trial, size_t action, const Eigen::MatrixXd& of,
                          uint64_t seed) {
  return scores_by(fit_scorers(learner, against_nothing(trial, action), seed), of);
}

}  // namespace perennial
