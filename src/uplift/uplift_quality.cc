#include "uplift/uplift_quality.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "forecast/bootstrap.h"

namespace perennial {
namespace {

constexpr size_t kSteps = 100;  // into which the order is cut; curves are straight within one
constexpr size_t kCurveEvery = 5;
constexpr int kSamples = 500;

/// Weighted outcomes and weights of one arm.
struct ArmSum {
  double outcomes = 0;
  double weights = 0;
};
struct Step {
  ArmSum treated, untreated;
};
using Steps = std::array<Step, kSteps>;

struct Measured {
  std::array<double, kSteps + 1> curve{};
  double area = 0;
  [[nodiscard]] double average() const { return curve.back(); }
  [[nodiscard]] double qini() const { return area - average() / 2; }
  [[nodiscard]] double at_30() const { return curve[static_cast<size_t>(kQiniShare * kSteps)] / kQiniShare; }
};

/// An arm without users among the first has no mean there: no gain is claimed.
Measured measure(const Steps& steps) {
  Measured measured;
  ArmSum treated, untreated;
  for (size_t k = 0; k < kSteps; ++k) {
    treated.outcomes += steps[k].treated.outcomes, treated.weights += steps[k].treated.weights;
    untreated.outcomes += steps[k].untreated.outcomes, untreated.weights += steps[k].untreated.weights;
    const double share = static_cast<double>(k + 1) / kSteps;
    if (treated.weights > 0 && untreated.weights > 0)
      measured.curve[k + 1] = share * (treated.outcomes / treated.weights - untreated.outcomes / untreated.weights);
    measured.area += (measured.curve[k] + measured.curve[k + 1]) / 2 / kSteps;
  }
  return measured;
}

/// Poisson with mean 1: how often a user is in a bootstrap sample of very many.
int poisson_one(Random& random) {
  double left = random.uniform();
  double chance = std::exp(-1.0);
  int count = 0;
  while (left >= chance && count < 20) {
    left -= chance;
    chance /= ++count;
  }
  return count;
}

void add(Steps& steps, size_t step, const Dealt& user, double times) {
  ArmSum& sum = user.treated ? steps[step].treated : steps[step].untreated;
  sum.outcomes += times * user.outcome / user.chance;
  sum.weights += times / user.chance;
}

Interval95 interval_of(double value, std::vector<double>& drawn) {
  std::sort(drawn.begin(), drawn.end());
  return {value, quantile(drawn, 0.025), quantile(drawn, 0.975)};
}

}  // namespace

Result<UpliftQuality> measure_uplift(std::vector<Dealt> users, uint64_t seed) {
  const auto treated = static_cast<size_t>(std::ranges::count_if(users, &Dealt::treated));
  if (treated == 0 || treated == users.size())
    return failed_precondition("uplift is not measurable: {} of {} users were treated", treated, users.size());
  Random random(seed);
  random.shuffle(std::span<Dealt>(users));
  std::ranges::stable_sort(users, std::greater<>(), &Dealt::score);
  const auto step_of = [&](size_t i) { return i * kSteps / users.size(); };
  Steps steps{};
  for (size_t i = 0; i < users.size(); ++i) add(steps, step_of(i), users[i], 1);
  const Measured measured = measure(steps);

  std::array<std::vector<double>, 5> drawn;
  for (int sample = 0; sample < kSamples; ++sample) {
    Steps again{};
    for (size_t i = 0; i < users.size(); ++i)
      if (const int times = poisson_one(random); times > 0) add(again, step_of(i), users[i], times);
    const Measured m = measure(again);
    const double numbers[] = {m.average(), m.area, m.qini(), m.at_30(), m.at_30() - m.average()};
    for (size_t i = 0; i < drawn.size(); ++i) drawn[i].push_back(numbers[i]);
  }
  UpliftQuality quality{.users = static_cast<int64_t>(users.size()),
                        .average = interval_of(measured.average(), drawn[0]),
                        .area = interval_of(measured.area, drawn[1]),
                        .qini = interval_of(measured.qini(), drawn[2]),
                        .at_30 = interval_of(measured.at_30(), drawn[3]),
                        .above_30 = interval_of(measured.at_30() - measured.average(), drawn[4]),
                        .curve = {}};
  for (size_t k = 0; k <= kSteps; k += kCurveEvery) quality.curve.push_back(measured.curve[k]);
  return quality;
}

Interval95 policy_value(std::span<const uint16_t> chosen, const Eigen::MatrixXd& pseudo) {
  Eigen::VectorXd values(pseudo.rows());
  for (Eigen::Index i = 0; i < pseudo.rows(); ++i) values[i] = pseudo(i, chosen[static_cast<size_t>(i)]);
  const double mean = values.mean();
  const auto users = static_cast<double>(values.size());
  const double error = std::sqrt((values.array() - mean).square().sum() / (users * (users - 1)));
  return {mean, mean - kNormal95 * error, mean + kNormal95 * error};
}

}  // namespace perennial
