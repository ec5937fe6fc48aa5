#include "uplift/ridge_line.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace perennial {
namespace {

struct Data {
  Eigen::MatrixXd features;
  Eigen::VectorXd targets;
};

/// target = 3 + 2 x_0 - 40 x_1 + noise; the other features say nothing.
Data draw(Eigen::Index users, Eigen::Index features, double noise, uint64_t seed) {
  Random random(seed);
  Data data{Eigen::MatrixXd(users, features), Eigen::VectorXd(users)};
  for (Eigen::Index i = 0; i < users; ++i) {
    for (Eigen::Index f = 0; f < features; ++f) data.features(i, f) = random.normal() * (f == 1 ? 0.01 : 1) + 7;
    data.targets[i] = 3 + 2 * data.features(i, 0) - 40 * data.features(i, 1) + noise * random.normal();
  }
  return data;
}

TEST(RidgeLine, IsTheLineWhereThereIsNoNoise) {
  const Data data = draw(2000, 2, 0, 1);
  const RidgeLine line = fit_ridge_line(data.features, data.targets);
  EXPECT_NEAR(line.coefficients[0], 2, 1e-3);
  EXPECT_NEAR(line.coefficients[1], -40, 0.02);
  EXPECT_NEAR(line.at(std::vector{7.0, 7.0}), 3 + 14 - 280, 1e-2);
}

TEST(RidgeLine, NoiseDrawsItTowardsTheMean) {
  Random random(2);
  Data data = draw(400, 30, 0, 2);
  for (double& target : data.targets) target = random.normal();
  const RidgeLine line = fit_ridge_line(data.features, data.targets);
  double squares = 0;
  for (size_t f = 0; f < 30; ++f) squares += line.coefficients[f] * line.coefficients[f] * (f == 1 ? 1e-4 : 1);
  EXPECT_LT(squares, 0.5 * 30.0 / 400);  // plain least squares has about users / features of the variance
}

TEST(RidgeLine, FewUsersHaveTheirMean) {
  const Data few = draw(kFewestForLine - 1, 2, 1, 3);
  EXPECT_TRUE(fit_ridge_line(few.features, few.targets).coefficients.empty());
  EXPECT_DOUBLE_EQ(fit_ridge_line(few.features, few.targets).at(std::vector{1.0, 2.0}), few.targets.mean());
  const Data wide = draw(60, 31, 1, 4);
  EXPECT_TRUE(fit_ridge_line(wide.features, wide.targets).coefficients.empty());
  EXPECT_EQ(fit_ridge_line({}, {}).at({}), 0);
}

TEST(RidgeLine, AConstantFeatureSaysNothing) {
  Data data = draw(500, 3, 0.1, 5);
  data.features.col(2).setConstant(4);
  EXPECT_EQ(fit_ridge_line(data.features, data.targets).coefficients[2], 0);
}

}  // namespace
}  // namespace perennial
