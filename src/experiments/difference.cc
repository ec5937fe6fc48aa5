#include "experiments/difference.h"

#include <algorithm>
#include <cmath>

namespace perennial {

void ArmSums::add(double outcome, double before) {
  ++users_;
  const auto users = static_cast<double>(users_);
  const double off = outcome - mean_, off_before = before - mean_before_;
  mean_ += off / users;
  mean_before_ += off_before / users;
  squares_ += off * (outcome - mean_);
  squares_before_ += off_before * (before - mean_before_);
  products_ += off * (before - mean_before_);
}

Result<Interval95> difference(const ArmSums& a, const ArmSums& b) {
  if (a.users_ < 2 || b.users_ < 2)
    return failed_precondition("not measurable: arms of {} and {} users, want at least two in each", a.users_,
                               b.users_);
  const double squares_before = a.squares_before_ + b.squares_before_;
  const double slope = squares_before > 0 ? (a.products_ + b.products_) / squares_before : 0;
  const auto variance_of_mean = [slope](const ArmSums& arm) {
    const auto users = static_cast<double>(arm.users_);
    const double squares = arm.squares_ - 2 * slope * arm.products_ + slope * slope * arm.squares_before_;
    return std::max(0.0, squares) / (users - 1) / users;
  };
  const double value = a.mean_ - b.mean_ - slope * (a.mean_before_ - b.mean_before_);
  const double half = kNormal95 * std::sqrt(variance_of_mean(a) + variance_of_mean(b));
  return Interval95{value, value - half, value + half};
}

}  // namespace perennial
