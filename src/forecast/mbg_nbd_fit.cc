// The fit of MBG/NBD; what a fitted model says is in mbg_nbd.cc.
#include <algorithm>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <tuple>

#include "forecast/logit.h"
#include "forecast/maximum.h"
#include "forecast/mbg_nbd.h"

namespace perennial {
namespace {

using boost::math::digamma;
using boost::math::lgamma;

/// What the density owes to the number of repeats alone, with its derivatives by r, a and b.
struct OfRepeats {
  double value = 0;
  double by_r = 0;
  double by_a = 0;
  double by_b = 0;
};

OfRepeats of_repeats(const MbgNbd& m, double x) {
  const double both = digamma(m.a + m.b) - digamma(m.a + m.b + x + 1);
  const double value =
      lgamma(m.r + x) - lgamma(m.r) + lgamma(m.b + x + 1) - lgamma(m.b) - lgamma(m.a + m.b + x + 1) + lgamma(m.a + m.b);
  return {value, digamma(m.r + x) - digamma(m.r), both, digamma(m.b + x + 1) - digamma(m.b) + both};
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
    const double left = probability_of_logit(log_odds);
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

}  // namespace perennial
