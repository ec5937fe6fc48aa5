#include "uplift/learner.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace perennial {
namespace {

constexpr uint64_t kSeed = 5;

/// Two actions. The first helps whom feature 0 is high (effect x0), the second harms everybody (-0.3). Outcomes go up
/// with feature 1, and so does the chance of the first action.
Trial draw(Eigen::Index users, uint64_t seed) {
  Random random(seed);
  Trial trial;
  trial.features.resize(users, 3);
  trial.chances.resize(users, 3);
  trial.outcomes.resize(users);
  for (Eigen::Index i = 0; i < users; ++i) {
    trial.features.row(i) << random.normal(), random.normal(), random.uniform();
    const double first = trial.features(i, 1) > 0 ? 0.5 : 0.2;
    trial.chances.row(i) << 0.7 - first, first, 0.3;
    const double drawn = random.uniform();
    const uint16_t arm = drawn < first ? 1 : drawn < first + 0.3 ? 2 : 0;
    trial.dealt.push_back(arm);
    const double effect = arm == 1 ? trial.features(i, 0) : arm == 2 ? -0.3 : 0;
    trial.outcomes[i] = 2 * trial.features(i, 1) + effect + random.normal();
  }
  return trial;
}

std::vector<EffectPrior> priors() {
  return {{.mean = 0, .deviation = 1, .untreated = 0}, {.mean = 0, .deviation = 1, .untreated = 0}};
}

TEST(Learner, FindsWhoGainsAndWhatDoesHarm) {
  const std::vector<ActionEffect> effects = learn_effects(draw(12'000, kSeed), priors(), kSeed).value();
  ASSERT_EQ(effects.size(), 2U);
  EXPECT_NE(effects[0].learner, Learner::average);
  EXPECT_GT(effects[0].quality.qini.low, 0);
  for (const double x0 : {-1.5, 0.0, 1.5}) {
    const Effect effect = effects[0].at(std::vector{x0, 0.3, 0.5});
    EXPECT_NEAR(effect.mean, x0, 0.25);
    EXPECT_GT(effect.standard_error, 0);
    EXPECT_LT(effect.standard_error, 0.2);
  }
  const Effect harm = effects[1].at(std::vector{0.0, 0.0, 0.5});
  EXPECT_NEAR(harm.mean, -0.3, 0.15);
  EXPECT_LT(effects[1].level + 1.96 * std::sqrt(effects[1].level_variance), 0) << "harmful on average, surely";
  EXPECT_NEAR(effects[1].quality.average.value, -0.3, 0.15);
}

TEST(Learner, EachLearnerOrdersUsersByTheirGain) {
  const Trial learned = draw(8000, 1), fresh = draw(2000, 2);
  for (const Learner learner : {Learner::t_linear, Learner::t_trees, Learner::dr_linear, Learner::dr_trees}) {
    const Eigen::VectorXd scores = scores_of(learner, learned, 0, fresh.features, kSeed);
    const Eigen::ArrayXd a = scores.array() - scores.mean();
    const Eigen::ArrayXd b = fresh.features.col(0).array() - fresh.features.col(0).mean();
    EXPECT_GT((a * b).sum() / std::sqrt(a.square().sum() * b.square().sum()), 0.75) << learner_name(learner);
  }
}

TEST(Learner, TheIntervalOfTheAverageEffectCoversTheTruth) {
  int covered = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const ActionEffect effect = learn_effects(draw(600, seed), priors(), seed).value()[1];
    covered += std::abs(effect.level + 0.3) < 1.96 * std::sqrt(effect.level_variance) ? 1 : 0;
  }
  EXPECT_GE(covered, 52);
}

TEST(Learner, WithoutDataThePriorSpeaks) {
  Trial trial = draw(40, kSeed);
  for (uint16_t& arm : trial.dealt) arm = 0;  // nobody was dealt an action yet
  const std::vector<EffectPrior> prior = {{.mean = 0.2, .deviation = 0.05, .untreated = 0},
                                          {.mean = -0.1, .deviation = 2, .untreated = 0}};
  const std::vector<ActionEffect> effects = learn_effects(trial, prior, kSeed).value();
  EXPECT_EQ(effects[0].learner, Learner::average);
  EXPECT_EQ(effects[0].treated_users, 0);
  EXPECT_NEAR(effects[0].at(std::vector{0.0, 0.0, 0.0}).mean, 0.2, 0.01);
  EXPECT_NEAR(effects[0].at(std::vector{0.0, 0.0, 0.0}).standard_error, 0.05, 0.01);
  const Trial nobody = trial.subset({});
  EXPECT_DOUBLE_EQ(learn_effects(nobody, prior, kSeed).value()[1].at(std::vector{0.0, 0.0, 0.0}).mean, -0.1);
}

TEST(Learner, AnActionThatNobodyWasDealtIsNotHarmful) {
  Trial trial = draw(100, kSeed);
  for (uint16_t& arm : trial.dealt) arm = arm == 1 ? 0 : arm;
  trial.outcomes.array() += 20;
  const ActionEffect effect = learn_effect(trial, 0, {.mean = 0.5, .deviation = 10, .untreated = 20}, kSeed).value();
  EXPECT_EQ(effect.at(std::vector{0.0, 0.0, 0.0}).mean, 0.5) << "as expected";
}

TEST(Learner, AFewLikeOutcomesAreNoCertainty) {
  Trial trial = draw(30, kSeed);
  trial.outcomes.setZero();
  const ActionEffect effect = learn_effects(trial, {{0, 0.1, 0}, {0, 0.1, 0}}, kSeed).value()[0];
  EXPECT_GT(effect.at(std::vector{0.0, 0.0, 0.0}).standard_error, 0.01);
}

TEST(Learner, WhoCouldNotHaveTheActionTellsNothingOfIt) {
  Trial trial = draw(6000, kSeed);
  for (Eigen::Index i = 0; i < 3000; ++i) {  // only the second action or nothing, and outcomes from another world
    trial.chances.row(i) << 0.5, 0, 0.5;
    if (trial.dealt[static_cast<size_t>(i)] == 1) trial.dealt[static_cast<size_t>(i)] = 0;
    trial.outcomes[i] += 50;
  }
  const ActionEffect effect = learn_effects(trial, priors(), kSeed).value()[0];
  EXPECT_NEAR(effect.level, 0, 0.2);
  EXPECT_LT(effect.treated_users + effect.untreated_users, 3000);
}

TEST(Learner, TheSameSeedTheSameModel) {
  const Trial trial = draw(3000, kSeed);
  const std::vector<double> user = {0.4, -1.0, 0.2};
  EXPECT_EQ(learn_effects(trial, priors(), 9).value()[0].at(user).mean,
            learn_effects(trial, priors(), 9).value()[0].at(user).mean);
}

TEST(Learner, ATrialThatCannotBeIsRefused) {
  Trial trial = draw(10, kSeed);
  trial.chances(3, 0) += 0.1;
  EXPECT_EQ(learn_effects(trial, priors(), kSeed).status().message(),
            "row 3 of the trial has chances that are below 0 or do not sum to 1");
  trial = draw(10, kSeed);
  trial.dealt[4] = 1;
  trial.chances.row(4) << 0.7, 0, 0.3;
  EXPECT_EQ(learn_effects(trial, priors(), kSeed).status().message(),
            "row 4 of the trial was dealt arm 1, which had no chance");
  trial = draw(10, kSeed);
  trial.features(2, 1) = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(learn_effects(trial, priors(), kSeed).ok());
}

TEST(OutcomesByArm, OfAnArmThatNobodyWasDealtAreThoseOfAll) {
  Trial learned = draw(40, 1);
  for (uint16_t& arm : learned.dealt) arm = arm == 1 ? 0 : arm;
  learned.outcomes.array() += 20;
  Trial of = draw(5, 2);
  for (uint16_t& arm : of.dealt) arm = 0;
  const Eigen::MatrixXd outcomes = outcomes_by_arm(learned, of);
  for (Eigen::Index i = 0; i < 5; ++i) EXPECT_NEAR(outcomes(i, 1), learned.outcomes.mean(), 1e-9);
}

TEST(OutcomesByArm, AreRightOnAverage) {
  const Trial learned = draw(4000, 1), of = draw(20'000, 2);
  const Eigen::MatrixXd outcomes = outcomes_by_arm(learned, of);
  // Nothing: E[2 x1] = 0; the first action adds E[x0] = 0; the second takes 0.3.
  EXPECT_NEAR(outcomes.col(0).mean(), 0, 0.08);
  EXPECT_NEAR(outcomes.col(1).mean(), 0, 0.08);
  EXPECT_NEAR(outcomes.col(2).mean(), -0.3, 0.08);
}

}  // namespace
}  // namespace perennial
