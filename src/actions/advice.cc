#include "actions/advice.h"

#include <cmath>

#include "base/text.h"

namespace perennial {

std::vector<NextStep> next_steps(std::span<const Weighed> weighed, std::span<const std::optional<size_t>> slate_sizes) {
  std::vector<NextStep> steps;
  const auto discount = [](size_t item) { return 1 / std::log2(static_cast<double>(item) + 2); };
  for (size_t action = 0; action < weighed.size(); ++action) {
    const Interval95& gain = weighed[action].gain;
    if (weighed[action].suppression != Suppression::none) continue;
    if (!slate_sizes[action]) steps.push_back({action, std::nullopt, gain});
    const size_t items = slate_sizes[action].value_or(0);
    double sum = 0;
    for (size_t item = 0; item < items; ++item) sum += discount(item);
    for (size_t item = 0; item < items; ++item) {
      const double share = discount(item) / sum;
      steps.push_back({action, item, {share * gain.value, share * gain.low, share * gain.high}});
    }
  }
  return steps;
}

std::string effect_reason(const Weighed& weighed, const ActionSpec& action, const ActionEffect& effect,
                          const Definition& definition) {
  const double mean = weighed.effect.mean, half = kNormal95 * weighed.effect.standard_error;
  const std::string& signal = definition.signals[action.goal.signal].name;
  const std::string by = action.goal.money ? fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", mean, mean - half, mean + half)
                                           : fmt::format("{:+.1f} % [{:+.1f} %, {:+.1f} %]", 100 * mean,
                                                         100 * (mean - half), 100 * (mean + half));
  const std::string from =
      effect.treated_users > 0
          ? fmt::format("learned from {} draws", with_commas(effect.treated_users + effect.untreated_users))
          : "as declared, for nothing is learned yet";
  return fmt::format("{} within {:.0f} days: {}, {}", action.goal.money ? "money of " + signal : signal,
                     static_cast<double>(action.goal.within_ms) / static_cast<double>(kMsOfDay), by, from);
}

std::string mean_effect_text(const ActionEffect& effect) {
  const double error = kNormal95 * std::sqrt(effect.level_variance);
  const std::string value =
      fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", effect.level, effect.level - error, effect.level + error);
  if (effect.treated_users == 0) return value + " as expected";
  return fmt::format("{} {}{}", value, learner_name(effect.learner), effect.level + error < 0 ? ", HARMFUL" : "");
}

}  // namespace perennial
