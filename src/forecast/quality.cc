#include "forecast/quality.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "forecast/bootstrap.h"
#include "forecast/logistic.h"

namespace perennial {
namespace {

/// Users by falling forecast, cut into runs of equal forecasts: calls visit(begin, end) on places of `order`.
template <typename Visit>
void for_each_tie(std::span<const double> forecasts, const Visit& visit) {
  std::vector<size_t> order(forecasts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return forecasts[a] > forecasts[b]; });
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && forecasts[order[end]] == forecasts[order[begin]]) ++end;
    visit(std::span(order).subspan(begin, end - begin));
    begin = end;
  }
}

double sum_of(std::span<const double> values, std::span<const size_t> places) {
  double sum = 0;
  for (const size_t place : places) sum += values[place];
  return sum;
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The share of positives in the first tenth; of a tie that reaches beyond it, the part that fits.
double lift_at_10_percent(std::span<const double> forecasts, std::span<const double> outcomes) {
  const double tenth = std::ceil(0.1 * static_cast<double>(forecasts.size()));
  double room = tenth;
  double positives = 0;
  for_each_tie(forecasts, [&](std::span<const size_t> tie) {
    const auto size = static_cast<double>(tie.size());
    const double taken = std::min(room, size);
    positives += sum_of(outcomes, tie) * taken / size;
    room -= taken;
  });
  return positives / tenth / mean_of(outcomes);
}

/// Twice the area between the diagonal and the share of outcomes gathered, users by falling forecast.
double gini(std::span<const double> forecasts, std::span<const double> outcomes) {
  const double total = std::accumulate(outcomes.begin(), outcomes.end(), 0.0);
  const auto users = static_cast<double>(outcomes.size());
  double gathered = 0;
  double area = 0;
  for_each_tie(forecasts, [&](std::span<const size_t> tie) {
    const double share = sum_of(outcomes, tie) / total;
    area += (gathered + share / 2) * static_cast<double>(tie.size()) / users;
    gathered += share;
  });
  return 2 * area - 1;
}

Status check_sizes(std::span<const double> forecasts, std::span<const double> outcomes) {
  if (forecasts.size() != outcomes.size())
    return invalid_argument("{} forecasts for {} outcomes", forecasts.size(), outcomes.size());
  if (outcomes.empty()) return failed_precondition("not measurable: no users");
  return {};
}

Status check_probabilities(std::span<const double> forecasts, std::span<const double> outcomes) {
  PERENNIAL_TRY(check_sizes(forecasts, outcomes));
  for (const double forecast : forecasts)
    if (!(forecast >= 0 && forecast <= 1)) return invalid_argument("{} is no probability", forecast);
  for (const double outcome : outcomes)
    if (outcome != 0 && outcome != 1) return invalid_argument("the outcome {} is neither 0 nor 1", outcome);
  const double positives = std::accumulate(outcomes.begin(), outcomes.end(), 0.0);
  if (positives == 0 || positives == static_cast<double>(outcomes.size()))
    return failed_precondition("not measurable: the outcome of all {} users is {}", outcomes.size(), outcomes[0]);
  return {};
}

double loss_of(double forecast, double outcome, Loss loss) {
  const double off = forecast - outcome;
  return loss == Loss::squared ? off * off : std::abs(off);
}

Interval95 brier_skill(std::span<const double> forecasts, std::span<const double> outcomes, uint64_t seed) {
  std::vector<std::array<double, 3>> rows;
  for (size_t i = 0; i < outcomes.size(); ++i)
    rows.push_back({1, outcomes[i], loss_of(forecasts[i], outcomes[i], Loss::squared)});
  const auto skill = [](const std::array<double, 3>& sums) {
    const double base = sums[1] / sums[0];
    return 1 - sums[2] / sums[0] / (base * (1 - base));
  };
  return bootstrap<3>(rows, skill, seed);
}

Interval95 mean_interval(std::span<const std::array<double, 2>> rows, uint64_t seed) {
  return bootstrap<2>(
      rows, [](const std::array<double, 2>& sums) { return sums[1] / sums[0]; }, seed);
}

}  // namespace

std::optional<double> area_under_curve(std::span<const double> forecasts, std::span<const double> outcomes) {
  const auto users = static_cast<double>(outcomes.size());
  const double positives = std::accumulate(outcomes.begin(), outcomes.end(), 0.0);
  if (positives == 0 || positives == users) return std::nullopt;
  double negatives_below = users - positives;
  double wins = 0;
  for_each_tie(forecasts, [&](std::span<const size_t> tie) {
    const double tied_positives = sum_of(outcomes, tie);
    const double tied_negatives = static_cast<double>(tie.size()) - tied_positives;
    negatives_below -= tied_negatives;
    wins += tied_positives * (negatives_below + tied_negatives / 2);
  });
  return wins / positives / (users - positives);
}

std::optional<double> normalised_gini(std::span<const double> forecasts, std::span<const double> outcomes) {
  if (outcomes.empty() || !(mean_of(outcomes) > 0)) return std::nullopt;
  const double best = gini(outcomes, outcomes);
  if (!(best > 1e-12)) return std::nullopt;
  return gini(forecasts, outcomes) / best;
}

Result<ProbabilityQuality> measure_probabilities(std::span<const double> forecasts, std::span<const double> outcomes,
                                                 uint64_t seed) {
  PERENNIAL_TRY(check_probabilities(forecasts, outcomes));
  ProbabilityQuality quality;
  quality.users = static_cast<int64_t>(outcomes.size());
  quality.positives = std::llround(std::accumulate(outcomes.begin(), outcomes.end(), 0.0));
  quality.auc = *area_under_curve(forecasts, outcomes);
  for (size_t i = 0; i < outcomes.size(); ++i)
    quality.brier += loss_of(forecasts[i], outcomes[i], Loss::squared) / static_cast<double>(outcomes.size());
  quality.brier_skill = brier_skill(forecasts, outcomes, seed);
  if (const Result<CalibrationLine> line = fit_calibration_line(forecasts, outcomes); line.ok()) {
    quality.calibration_slope = line->slope;
    quality.calibration_intercept = line->intercept;
  }
  quality.lift_at_10_percent = lift_at_10_percent(forecasts, outcomes);
  return quality;
}

Result<AmountQuality> measure_amounts(std::span<const double> forecasts, std::span<const double> outcomes,
                                      uint64_t seed) {
  PERENNIAL_TRY(check_sizes(forecasts, outcomes));
  std::vector<std::array<double, 2>> rows;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (!std::isfinite(forecasts[i]) || !std::isfinite(outcomes[i]))
      return invalid_argument("forecast {} or outcome {} is not a finite number", forecasts[i], outcomes[i]);
    rows.push_back({1, loss_of(forecasts[i], outcomes[i], Loss::absolute)});
  }
  AmountQuality quality;
  quality.users = static_cast<int64_t>(outcomes.size());
  quality.mean_outcome = mean_of(outcomes);
  quality.mean_absolute_error = mean_interval(rows, seed);
  quality.mean_bias = mean_of(forecasts) - quality.mean_outcome;
  quality.gini = normalised_gini(forecasts, outcomes);
  return quality;
}

Interval95 loss_difference(std::span<const double> a, std::span<const double> b, std::span<const double> outcomes,
                           Loss loss, uint64_t seed) {
  PERENNIAL_CHECK(a.size() == outcomes.size() && b.size() == outcomes.size() && !outcomes.empty(),
                  "{} and {} forecasts for {} outcomes", a.size(), b.size(), outcomes.size());
  std::vector<std::array<double, 2>> rows;
  for (size_t i = 0; i < outcomes.size(); ++i)
    rows.push_back({1, loss_of(a[i], outcomes[i], loss) - loss_of(b[i], outcomes[i], loss)});
  return mean_interval(rows, seed);
}

}  // namespace perennial
