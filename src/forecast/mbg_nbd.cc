#include "forecast/mbg_nbd.h"

#include <algorithm>
#include <array>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <tuple>
#include <vector>

#include "forecast/maximum.h"

namespace perennial {
namespace {

using boost::math::digamma;
using boost::math::lgamma;

/// log(1 + e^x) without overflow.
double log1p_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

double logistic(double x) { return x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

/// log of the odds of having left: a / (b + x) ((alpha + T) / (alpha + t_x))^(r + x).
double log_odds_of_having_left(const MbgNbd& model, const PurchaseHistory& customer) {
  const double silence = customer.age - customer.recency;
  return std::log(model.a / (model.b + customer.repeats)) +
         (model.r + customer.repeats) * std::log1p(silence / (model.alpha + customer.recency));
}

/// What the density owes to the number of repeats alone, with its derivatives by r, a and b.
struct OfRepeats {
  double value = 0;
  double by_r = 0;
  double by_a = 0;
  double by_b = 0;
};

double log_density_of_repeats(const MbgNbd& m, double x) {
  return lgamma(m.r + x) - lgamma(m.r) + lgamma(m.b + x + 1) - lgamma(m.b) - lgamma(m.a + m.b + x + 1) +
         lgamma(m.a + m.b);
}

OfRepeats of_repeats(const MbgNbd& m, double x) {
  const double both = digamma(m.a + m.b) - digamma(m.a + m.b + x + 1);
  return {log_density_of_repeats(m, x), digamma(m.r + x) - digamma(m.r), both,
          digamma(m.b + x + 1) - digamma(m.b) + both};
}

MbgNbd model_at(const Eigen::VectorXd& logarithms) {
  return {std::exp(logarithms[0]), std::exp(logarithms[1]), std::exp(logarithms[2]), std::exp(logarithms[3])};
}

/// The log likelihood of many histories: equal ones are counted once, and what depends on the repeats alone is computed
/// once for each number of them.
class Likelihood {
 public:
  explicit Likelihood(std::span<const PurchaseHistory> customers) {
    std::vector<PurchaseHistory> sorted(customers.begin(), customers.end());
    const auto key = [](const PurchaseHistory& c) { return std::tuple(c.repeats, c.recency, c.age); };
    std::sort(sorted.begin(), sorted.end(),
              [&](const PurchaseHistory& a, const PurchaseHistory& b) { return key(a) < key(b); });
    for (const PurchaseHistory& customer : sorted) {
      if (rows_.empty() || !(rows_.back().customer == customer)) rows_.push_back({customer, 0});
      ++rows_.back().count;
    }
  }

  /// At the logarithms of the parameters; the gradient is by these.
  double operator()(const Eigen::VectorXd& point, Eigen::VectorXd& gradient) const {
    const MbgNbd model = model_at(point);
    gradient.setZero(4);
    double sum = 0;
    OfRepeats shared;
    double shared_repeats = -1;
    for (const Row& row : rows_) {
      if (row.customer.repeats != shared_repeats) {
        shared_repeats = row.customer.repeats;
        shared = of_repeats(model, shared_repeats);
      }
      sum += row.count * add(model, row, shared, gradient);
    }
    gradient.array() *= point.array().exp();
    return sum;
  }

 private:
  struct Row {
    PurchaseHistory customer;
    double count = 0;
  };

  static double add(const MbgNbd& model, const Row& row, const OfRepeats& shared, Eigen::VectorXd& gradient) {
    const double x = row.customer.repeats;
    const double until_now = model.alpha + row.customer.age;
    const double until_last = model.alpha + row.customer.recency;
    const double log_until_now = std::log(until_now);
    const double log_alpha = std::log(model.alpha);
    const double spread = std::log1p((row.customer.age - row.customer.recency) / until_last);
    const double log_odds = std::log(model.a / (model.b + x)) + (model.r + x) * spread;
    const double left = logistic(log_odds);
    gradient[0] += row.count * (shared.by_r + log_alpha - log_until_now + left * spread);
    gradient[1] += row.count * (model.r / model.alpha - (model.r + x) / until_now +
                                left * (model.r + x) * (1 / until_now - 1 / until_last));
    gradient[2] += row.count * (shared.by_a + left / model.a);
    gradient[3] += row.count * (shared.by_b - left / (model.b + x));
    return shared.value + model.r * log_alpha - (model.r + x) * log_until_now + log1p_exp(log_odds);
  }

  std::vector<Row> rows_;
};

Status check(std::span<const PurchaseHistory> customers, const MbgNbdOptions& options) {
  bool repeats = false;
  for (const PurchaseHistory& c : customers) {
    const bool possible = c.repeats >= 0 && c.recency >= 0 && c.age >= c.recency && std::isfinite(c.repeats) &&
                          std::isfinite(c.age) && (c.repeats > 0 || c.recency == 0);
    if (!possible)
      return invalid_argument("impossible history of purchases: repeats {}, recency {}, age {}", c.repeats, c.recency,
                              c.age);
    repeats |= c.repeats > 0;
  }
  if (customers.size() < options.least_customers)
    return failed_precondition("too few customers for MBG/NBD: {}, want at least {}", customers.size(),
                               options.least_customers);
  if (!repeats)
    return failed_precondition("nobody of {} customers came a second time: no rate to learn", customers.size());
  return {};
}

std::vector<Eigen::VectorXd> starts_of(double mean_age) {
  std::vector<Eigen::VectorXd> starts;
  for (const double r : {0.3, 1.0})
    for (const double alpha : {0.1, 1.0})
      for (const double a : {0.3, 1.0})
        starts.emplace_back(Eigen::Vector4d(std::log(r), std::log(alpha * mean_age), std::log(a), std::log(2.0)));
  return starts;
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

Result<MbgNbdFit> fit_mbg_nbd(std::span<const PurchaseHistory> customers, const MbgNbdOptions& options) {
  PERENNIAL_TRY(check(customers, options));
  const Likelihood likelihood(customers);
  double age = 0;
  for (const PurchaseHistory& customer : customers) age += customer.age / static_cast<double>(customers.size());
  const Eigen::VectorXd centre = Eigen::Vector4d(0, std::log(age), 0, std::log(3.0));
  const double precision = options.prior_deviation > 0 ? 1 / (options.prior_deviation * options.prior_deviation) : 0;
  const Objective objective = [&](const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    const double value = likelihood(point, gradient);
    gradient -= precision * (point - centre);
    return value - precision * (point - centre).squaredNorm() / 2;
  };
  constexpr std::string_view kNames[] = {"r", "alpha", "a", "b"};
  const Result<Maximum> found = maximise(objective, starts_of(age), kNames);
  if (!found.ok()) return found.status().with_context("MBG/NBD");
  Eigen::VectorXd gradient(4);
  return MbgNbdFit{model_at(found->point),
                   exponential_interval(*found, 0),
                   exponential_interval(*found, 1),
                   exponential_interval(*found, 2),
                   exponential_interval(*found, 3),
                   likelihood(found->point, gradient),
                   customers.size()};
}

double log_likelihood(const MbgNbd& model, const PurchaseHistory& customer) {
  const double size = model.r + customer.repeats;
  return log_density_of_repeats(model, customer.repeats) + model.r * std::log(model.alpha) -
         size * std::log(model.alpha + customer.age) + log1p_exp(log_odds_of_having_left(model, customer));
}

double probability_alive(const MbgNbd& model, const PurchaseHistory& customer) {
  return logistic(-log_odds_of_having_left(model, customer));
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
