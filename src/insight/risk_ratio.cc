#include "insight/risk_ratio.h"

#include <cmath>

#include "base/check.h"

namespace perennial {
namespace {

/// Its share has no variance that could be seen.
bool all_or_none(const Group& group) { return group.happened == 0 || group.happened == group.users; }

}  // namespace

double normal_quantile(double probability) {
  PERENNIAL_CHECK(probability > 0 && probability < 1, "no quantile of {}", probability);
  double low = -40;
  double high = 40;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

RiskRatio risk_ratio(const Group& with, const Group& without, double confidence, int64_t looks) {
  PERENNIAL_CHECK(with.users > 0 && without.users > 0 && looks > 0, "{} and {} users", with.users, without.users);
  const double added = all_or_none(with) || all_or_none(without) ? 0.5 : 0;
  const double a = static_cast<double>(with.happened) + added;
  const double b = static_cast<double>(without.happened) + added;
  const double n = static_cast<double>(with.users) + 2 * added;
  const double m = static_cast<double>(without.users) + 2 * added;
  const double log_ratio = std::log(a / n) - std::log(b / m);
  const double error = std::sqrt(1 / a - 1 / n + 1 / b - 1 / m);
  const double z = -normal_quantile((1 - confidence) / 2 / static_cast<double>(looks));
  return {std::exp(log_ratio), std::exp(log_ratio - z * error), std::exp(log_ratio + z * error)};
}

}  // namespace perennial
