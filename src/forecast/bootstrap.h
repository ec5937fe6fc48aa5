// The percentile bootstrap of a function of sums over users. Covered by forecast/quality_test.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "base/interval95.h"
#include "base/random.h"

namespace perennial {

inline constexpr int kBootstrapSamples = 1000;

/// Beyond this many users they are dealt round into so many groups that are drawn whole: as good for sums, and the work
/// stays bounded.
inline constexpr size_t kMostDrawn = 10'000;

/// A value between the sorted ones, by a straight line.
inline double quantile(std::span<const double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// `rows` holds what is summed of each user, at least one user; `statistic` maps the sums to the number.
template <size_t N, typename Statistic>
Interval95 bootstrap(std::span<const std::array<double, N>> rows, const Statistic& statistic, uint64_t seed) {
  using Sums = std::array<double, N>;
  const auto add = [](Sums& sums, const Sums& row) {
    for (size_t i = 0; i < N; ++i) sums[i] += row[i];
  };
  std::vector<Sums> groups(std::min(rows.size(), kMostDrawn));
  Sums all{};
  for (size_t i = 0; i < rows.size(); ++i) {
    add(groups[i % groups.size()], rows[i]);
    add(all, rows[i]);
  }
  Random random(seed);
  std::vector<double> drawn;
  for (int sample = 0; sample < kBootstrapSamples; ++sample) {
    Sums sums{};
    for (size_t i = 0; i < groups.size(); ++i) add(sums, groups[random.below(groups.size())]);
    if (const double value = statistic(sums); std::isfinite(value)) drawn.push_back(value);
  }
  if (drawn.empty()) return {statistic(all), statistic(all), statistic(all)};
  std::sort(drawn.begin(), drawn.end());
  return {statistic(all), quantile(drawn, 0.025), quantile(drawn, 0.975)};
}

}  // namespace perennial
