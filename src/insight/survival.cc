#include "insight/survival.h"

#include <algorithm>

namespace perennial {

Survival::Survival(std::vector<Watched> watched) {
  std::sort(watched.begin(), watched.end(),
            [](const Watched& a, const Watched& b) { return a.duration_ms < b.duration_ms; });
  if (!watched.empty()) longest_ms_ = watched.back().duration_ms;
  double remaining = 1;
  for (size_t i = 0; i < watched.size();) {
    const size_t at_risk = watched.size() - i;
    const TimeMs duration_ms = watched[i].duration_ms;
    size_t happened = 0;
    for (; i < watched.size() && watched[i].duration_ms == duration_ms; ++i) happened += watched[i].happened ? 1 : 0;
    if (happened == 0) continue;
    remaining *= static_cast<double>(at_risk - happened) / static_cast<double>(at_risk);
    steps_.push_back({duration_ms, remaining});
  }
}

std::optional<double> Survival::happened_within(TimeMs duration_ms) const {
  const auto after = std::upper_bound(steps_.begin(), steps_.end(), duration_ms,
                                      [](TimeMs duration, const Step& step) { return duration < step.duration_ms; });
  const double remaining = after == steps_.begin() ? 1 : std::prev(after)->remaining;
  if (duration_ms > longest_ms_ && remaining > 0) return std::nullopt;
  return 1 - remaining;
}

std::optional<TimeMs> Survival::quantile(double share) const {
  constexpr double kRounding = 1e-12;  // of the product
  for (const Step& step : steps_)
    if (1 - step.remaining >= share - kRounding) return step.duration_ms;
  return std::nullopt;
}

}  // namespace perennial
