#include "insight/survival.h"

#include <algorithm>

namespace perennial {

Survival::Survival(std::vector<Watched> watched) {
  std::sort(watched.begin(), watched.end(),
            [](const Watched& a, const Watched& b) { return a.duration_ms < b.duration_ms; });
  for (const Watched& one : watched) {
    durations_.push_back(one.duration_ms);
    if (!one.happened) first_lost_ms_ = std::min(first_lost_ms_, one.duration_ms);
  }
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

bool Survival::known(TimeMs duration_ms) const {
  if (duration_ms <= first_lost_ms_) return true;
  return durations_.end() - std::lower_bound(durations_.begin(), durations_.end(), duration_ms) >= kFewestWatched;
}

std::optional<double> Survival::happened_within(TimeMs duration_ms) const {
  if (durations_.empty() || !known(duration_ms)) return std::nullopt;
  const auto after = std::upper_bound(steps_.begin(), steps_.end(), duration_ms,
                                      [](TimeMs duration, const Step& step) { return duration < step.duration_ms; });
  const double remaining = after == steps_.begin() ? 1 : std::prev(after)->remaining;
  return 1 - remaining;
}

std::optional<TimeMs> Survival::quantile(double share) const {
  constexpr double kRounding = 1e-12;  // of the product
  for (const Step& step : steps_)
    if (1 - step.remaining >= share - kRounding)
      return known(step.duration_ms) ? std::optional(step.duration_ms) : std::nullopt;
  return std::nullopt;
}

}  // namespace perennial
