#include "forecast/mbg_nbd.h"

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <vector>

#include "forecast/logit.h"

namespace perennial {
namespace {

using boost::math::lgamma;

/// log of the odds of having left: a / (b + x) ((alpha + T) / (alpha + t_x))^(r + x).
double log_odds_of_having_left(const MbgNbd& model, const PurchaseHistory& customer) {
  const double silence = customer.age - customer.recency;
  return std::log(model.a / (model.b + customer.repeats)) +
         (model.r + customer.repeats) * std::log1p(silence / (model.alpha + customer.recency));
}

/// What the density owes to the number of repeats alone.
double log_density_of_repeats(const MbgNbd& m, double x) {
  return lgamma(m.r + x) - lgamma(m.r) + lgamma(m.b + x + 1) - lgamma(m.b) - lgamma(m.a + m.b + x + 1) +
         lgamma(m.a + m.b);
}

/// P(N > j) for j = 0, 1, ... of the number N of purchases that a customer who never leaves makes: negative binomial of
/// real size r + x and success odds time / (alpha + T). Its probabilities may be too small for a double where it
/// starts.
class Exceedance {
 public:
  Exceedance(double size, double odds)
      : size_(size), success_(odds / (1 + odds)), log_probability_(-size * std::log1p(odds)) {
    exceeds_ = -std::expm1(log_probability_);
  }

  [[nodiscard]] double value() const { return exceeds_; }

  void advance() {
    log_probability_ += std::log(success_ * (size_ + count_) / (count_ + 1));
    ++count_;
    exceeds_ = std::max(0.0, exceeds_ - std::exp(log_probability_));
  }

 private:
  double size_;
  double success_;
  double log_probability_;
  double exceeds_ = 0;
  double count_ = 0;
};

constexpr double kMostTerms = 20'000;

/// The customer as the model sees it from its age on, given that it is alive: leaves after each purchase with a chance
/// of beta (leave, stay), and buys at a rate of gamma (size, rate).
struct Alive {
  double size;
  double odds;  // time / rate
  double leave;
  double stay;
};

Alive alive_of(const MbgNbd& model, const PurchaseHistory& customer, double time) {
  return {model.r + customer.repeats, time / (model.alpha + customer.age), model.a, model.b + customer.repeats + 1};
}

/// The sum over j >= from of P(N > j) P(not left after j purchases), by Euler and Maclaurin: the terms change slowly
/// there.
double expected_beyond(const Alive& alive, double from) {
  const double success = alive.odds / (1 + alive.odds);
  const double stays_at_first = boost::math::tgamma_delta_ratio(alive.stay, alive.leave);
  const auto term = [&](double j) {
    return boost::math::ibeta(j + 1, alive.size, success) *
           boost::math::tgamma_delta_ratio(alive.stay + j, alive.leave) / stays_at_first;
  };
  const double mean = alive.size * alive.odds;
  const double end = from + mean + 40 * (1 + alive.odds) + 40 * std::sqrt(mean * (1 + alive.odds));
  const auto on_log_scale = [&](double y) { return term(from * std::exp(y)) * from * std::exp(y); };
  const double integral =
      boost::math::quadrature::gauss_kronrod<double, 61>::integrate(on_log_scale, 0.0, std::log(end / from), 12, 1e-10);
  return integral + term(from) / 2;
}

/// Calls visit(j, P(more than j purchases | alive)) for j = 0, 1, ... until it returns false.
template <typename Visit>
void for_each_exceedance(const Alive& alive, const Visit& visit) {
  Exceedance purchases(alive.size, alive.odds);
  double stays = 1;
  for (double j = 0; visit(j, purchases.value() * stays); ++j) {
    stays *= (alive.stay + j) / (alive.leave + alive.stay + j);
    purchases.advance();
  }
}

}  // namespace

double log_likelihood(const MbgNbd& model, const PurchaseHistory& customer) {
  const double size = model.r + customer.repeats;
  return log_density_of_repeats(model, customer.repeats) + model.r * std::log(model.alpha) -
         size * std::log(model.alpha + customer.age) + log1p_exp(log_odds_of_having_left(model, customer));
}

double probability_alive(const MbgNbd& model, const PurchaseHistory& customer) {
  return probability_of_logit(-log_odds_of_having_left(model, customer));
}

double expected_purchases(const MbgNbd& model, const PurchaseHistory& customer, double time) {
  if (!(time > 0)) return 0;
  const Alive alive = alive_of(model, customer, time);
  double expected = 0;
  for_each_exceedance(alive, [&](double j, double exceeds) {
    if (j == kMostTerms) {
      expected += expected_beyond(alive, kMostTerms);
      return false;
    }
    expected += exceeds;
    return exceeds > 1e-14 * expected / (1 + alive.odds);
  });
  return probability_alive(model, customer) * expected;
}

std::vector<double> purchase_probabilities(const MbgNbd& model, const PurchaseHistory& customer, double time) {
  if (!(time > 0)) return {1};
  const double alive = probability_alive(model, customer);
  std::vector<double> probabilities;
  double at_least = 1;
  for_each_exceedance(alive_of(model, customer, time), [&](double j, double exceeds) {
    probabilities.push_back(std::max(0.0, at_least - alive * exceeds));
    at_least = alive * exceeds;
    return at_least > 1e-9 && j < kMostTerms;
  });
  return probabilities;
}

double median_purchases(const MbgNbd& model, const PurchaseHistory& customer, double time) {
  if (!(time > 0)) return 0;
  const double alive = probability_alive(model, customer);
  double median = 0;
  for_each_exceedance(alive_of(model, customer, time), [&](double j, double exceeds) {
    median = j;
    return exceeds * alive > 0.5 && j < kMostTerms;
  });
  return median;
}

double probability_of_purchase_within(const MbgNbd& model, const PurchaseHistory& customer, double time) {
  if (!(time > 0)) return 0;
  const Alive alive = alive_of(model, customer, time);
  return probability_alive(model, customer) * -std::expm1(-alive.size * std::log1p(alive.odds));
}

}  // namespace perennial
