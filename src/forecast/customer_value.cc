#include "forecast/customer_value.h"

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/tools/toms748_solve.hpp>
#include <cstdint>

namespace perennial {
namespace {

constexpr double kNegligible = 1e-9;  // of a probability

/// P(money <= amount), for amounts of at least 0. Given n purchases and all that the customer spent, the share that n
/// add to the sum of both and v is beta (p n, q + p x).
double probability_of_at_most(const ValueModel& model, const Spend& spend, std::span<const double> purchases,
                              double amount) {
  const double share = amount / (model.spends.v + spend.transactions * spend.mean + amount);
  const double known = model.spends.q + model.spends.p * spend.transactions;
  double probability = purchases[0];
  for (size_t n = 1; n < purchases.size(); ++n)
    if (purchases[n] > kNegligible)
      probability += purchases[n] * boost::math::ibeta(model.spends.p * static_cast<double>(n), known, share);
  return probability;
}

}  // namespace

std::optional<double> expected_money(const ValueModel& model, const CustomerPast& past, double time) {
  const std::optional<double> spend = expected_spend(model.spends, past.spend);
  if (!spend) return std::nullopt;
  return *spend * expected_purchases(model.purchases, past.history, time);
}

double median_money(const ValueModel& model, const CustomerPast& past, double time) {
  const std::vector<double> purchases = purchase_probabilities(model.purchases, past.history, time);
  if (purchases[0] >= 0.5) return 0;
  const auto above_half = [&](double amount) {
    return probability_of_at_most(model, past.spend, purchases, amount) - 0.5;
  };
  double high = model.spends.v + past.spend.mean;
  while (high < 1e300 && above_half(high) < 0) high *= 2;
  std::uintmax_t steps = 200;
  const auto close = [](double low, double up) { return up - low <= 1e-7 * up; };
  const auto [low, up] = boost::math::tools::toms748_solve(above_half, 0.0, high, close, steps);
  return (low + up) / 2;
}

}  // namespace perennial
