// Known maxima, and functions that have none.
#include "forecast/maximum.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace perennial {
namespace {

constexpr std::string_view kNames[] = {"first", "second"};

std::vector<Eigen::VectorXd> start_at(double first, double second) { return {Eigen::Vector2d(first, second)}; }

TEST(Maximum, OfAQuadraticIsItsCentreWithTheInverseOfItsCurvature) {
  const Objective objective = [](const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    const double x = point[0] - 3;
    const double y = point[1] + 1;
    gradient = Eigen::Vector2d(-4 * x - y, -x - 2 * y);
    return -2 * x * x - x * y - y * y;
  };
  const Maximum found = maximise(objective, start_at(-7, 7), kNames).value();
  EXPECT_NEAR(found.point[0], 3, 1e-6);
  EXPECT_NEAR(found.point[1], -1, 1e-6);
  EXPECT_NEAR(found.covariance(0, 0), 2.0 / 7, 1e-6);  // of [[4, 1], [1, 2]], inverted
  EXPECT_NEAR(found.covariance(0, 1), -1.0 / 7, 1e-6);
  EXPECT_NEAR(found.covariance(1, 1), 4.0 / 7, 1e-6);
  const Interval95 interval = normal_interval(found, 1);
  EXPECT_NEAR(interval.high - interval.value, 1.96 * std::sqrt(4.0 / 7), 1e-4);
}

TEST(Maximum, IsFoundFromWhereTheFunctionCurvesUpwards) {
  const Objective objective = [](const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    const double value = std::exp(-point.squaredNorm() / 2);
    gradient = -value * point;
    return value;
  };
  const Maximum found = maximise(objective, start_at(2.5, -1.5), kNames).value();
  EXPECT_NEAR(found.point.norm(), 0, 1e-3);
}

TEST(Maximum, TriesTheNextStartWhenOneLeadsNowhere) {
  const Objective objective = [](const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    gradient = -2 * point;
    return point[0] > 90 ? std::nan("") : -point.squaredNorm();
  };
  const std::vector<Eigen::VectorXd> starts = {Eigen::Vector2d(99, 0), Eigen::Vector2d(1, 1)};
  EXPECT_NEAR(maximise(objective, starts, kNames).value().point.norm(), 0, 1e-6);
}

TEST(Maximum, NamesTheVariableThatNothingDetermines) {
  const Objective flat = [](const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    gradient = Eigen::Vector2d(-2 * point[0], 0);
    return -point[0] * point[0];
  };
  const Objective endless = [](const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    gradient = Eigen::Vector2d(-2 * point[0], 1);
    return -point[0] * point[0] + point[1];
  };
  for (const Objective& objective : {flat, endless}) {
    const Result<Maximum> found = maximise(objective, start_at(1, 1), kNames);
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.status().code(), Code::failed_precondition);
    EXPECT_NE(found.status().message().find("second"), std::string::npos) << found.status().message();
  }
}

}  // namespace
}  // namespace perennial
