#include "forecast/gamma_gamma.h"

#include <algorithm>
#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <vector>

#include "forecast/maximum.h"

namespace perennial {
namespace {

using boost::math::digamma;
using boost::math::lgamma;

/// What the density owes to the number of transactions alone, with its derivatives by p and q.
struct OfTransactions {
  double value = 0;
  double by_p = 0;
  double by_q = 0;
};

double log_density_of_transactions(const GammaGamma& m, double n) {
  return lgamma(m.p * n + m.q) - lgamma(m.p * n) - lgamma(m.q);
}

OfTransactions of_transactions(const GammaGamma& m, double n) {
  const double both = digamma(m.p * n + m.q);
  return {log_density_of_transactions(m, n), n * (both - digamma(m.p * n)), both - digamma(m.q)};
}

GammaGamma model_at(const Eigen::VectorXd& logarithms) {
  return {std::exp(logarithms[0]), std::exp(logarithms[1]), std::exp(logarithms[2])};
}

/// The log likelihood of many customers; what depends on the number of transactions alone is computed once for each.
class Likelihood {
 public:
  explicit Likelihood(std::span<const Spend> customers) : customers_(customers.begin(), customers.end()) {
    std::stable_sort(customers_.begin(), customers_.end(),
                     [](const Spend& a, const Spend& b) { return a.transactions < b.transactions; });
  }

  /// At the logarithms of the parameters; the gradient is by these.
  double operator()(const Eigen::VectorXd& point, Eigen::VectorXd& gradient) const {
    const GammaGamma m = model_at(point);
    gradient.setZero(3);
    double sum = 0;
    OfTransactions shared;
    double shared_transactions = -1;
    for (const Spend& customer : customers_) {
      const double n = customer.transactions;
      if (n != shared_transactions) shared = of_transactions(m, shared_transactions = n);
      const double total = n * customer.mean;
      const double part = std::log(total / (m.v + total));  // p n times
      const double rest = -std::log1p(total / m.v);         // q times
      sum += shared.value + m.p * n * part + m.q * rest - std::log(customer.mean);
      gradient[0] += shared.by_p + n * part;
      gradient[1] += shared.by_q + rest;
      gradient[2] += m.q / m.v - (m.p * n + m.q) / (m.v + total);
    }
    gradient.array() *= point.array().exp();
    return sum;
  }

 private:
  std::vector<Spend> customers_;
};

Status check(std::span<const Spend> customers, const GammaGammaOptions& options) {
  bool repeats = false;
  for (const Spend& c : customers) {
    if (!(c.transactions >= 1) || !(c.mean > 0) || !std::isfinite(c.transactions) || !std::isfinite(c.mean))
      return invalid_argument("impossible spend: {} transactions with mean {}: want at least 1, and above 0",
                              c.transactions, c.mean);
    repeats |= c.transactions >= 2;
  }
  if (customers.size() < options.least_customers)
    return failed_precondition("too few customers for Gamma-Gamma: {}, want at least {}", customers.size(),
                               options.least_customers);
  if (!repeats)
    return failed_precondition("nobody of {} customers has two transactions: their spread cannot be learned",
                               customers.size());
  return {};
}

}  // namespace

Result<GammaGammaFit> fit_gamma_gamma(std::span<const Spend> customers, const GammaGammaOptions& options) {
  PERENNIAL_TRY(check(customers, options));
  const Likelihood likelihood(customers);
  double mean = 0;
  for (const Spend& customer : customers) mean += customer.mean / static_cast<double>(customers.size());
  const Eigen::VectorXd centre = Eigen::Vector3d(std::log(3.0), std::log(3.0), std::log(mean));
  const double precision = options.prior_deviation > 0 ? 1 / (options.prior_deviation * options.prior_deviation) : 0;
  const Objective objective = [&](const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    const double value = likelihood(point, gradient);
    gradient -= precision * (point - centre);
    return value - precision * (point - centre).squaredNorm() / 2;
  };
  std::vector<Eigen::VectorXd> starts;
  for (const double p : {1.0, 5.0})
    for (const double q : {1.5, 5.0})
      starts.emplace_back(Eigen::Vector3d(std::log(p), std::log(q), std::log(mean * q / p)));
  constexpr std::string_view kNames[] = {"p", "q", "v"};
  const Result<Maximum> found = maximise(objective, starts, kNames);
  if (!found.ok()) return found.status().with_context("Gamma-Gamma");
  Eigen::VectorXd gradient(3);
  return GammaGammaFit{
      model_at(found->point),          exponential_interval(*found, 0),    exponential_interval(*found, 1),
      exponential_interval(*found, 2), likelihood(found->point, gradient), customers.size()};
}

double log_likelihood(const GammaGamma& model, const Spend& customer) {
  const double total = customer.transactions * customer.mean;
  return log_density_of_transactions(model, customer.transactions) +
         model.p * customer.transactions * std::log(total / (model.v + total)) - model.q * std::log1p(total / model.v) -
         std::log(customer.mean);
}

std::optional<double> expected_spend(const GammaGamma& model, const Spend& customer) {
  const double weight = model.p * customer.transactions + model.q - 1;
  if (!(weight > 0)) return std::nullopt;
  return model.p * (model.v + customer.transactions * customer.mean) / weight;
}

}  // namespace perennial
