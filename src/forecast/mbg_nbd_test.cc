// The formulas against what they are formulas of: sums over all histories, integrals over the mixing distributions, and
// simulated customers. How well fits recover the truth: recovery_test.cc.
#include "forecast/mbg_nbd.h"

#include <gtest/gtest.h>

#include <boost/math/distributions/beta.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/quadrature/tanh_sinh.hpp>
#include <cmath>
#include <vector>

#include "forecast/simulated_customers.h"

namespace perennial {
namespace {

const MbgNbd kModel{0.8, 6, 0.9, 2.5};

/// E over p ~ beta(a, b + x + 1) of (1 - (1 + p time / (alpha + T))^-(r + x)) / p, times P(alive): the same mean by
/// another way, with the chance to leave on the scale u = p^a that takes its singularity away.
double expected_by_integral(const MbgNbd& model, const PurchaseHistory& customer, double time) {
  const double odds = time / (model.alpha + customer.age);
  const double size = model.r + customer.repeats;
  const double stay = model.b + customer.repeats + 1;
  const double scale = model.a * boost::math::beta(model.a, stay);
  const auto integrand = [&](double u) {
    const double p = std::pow(u, 1 / model.a);
    const double purchases = p < 1e-290 ? size * odds : -std::expm1(-size * std::log1p(p * odds)) / p;
    return std::pow(1 - p, stay - 1) * purchases / scale;
  };
  return probability_alive(model, customer) *
         boost::math::quadrature::tanh_sinh<double>().integrate(integrand, 0.0, 1.0, 1e-12);
}

TEST(MbgNbd, DensityOfAHistoryIsTheIntegralOverRateAndChanceToLeave) {
  for (const PurchaseHistory& c : {PurchaseHistory{0, 0, 10}, PurchaseHistory{3, 7, 10}, PurchaseHistory{6, 10, 10}}) {
    using boost::math::quadrature::gauss_kronrod;
    const auto over_rate = [&](double p) {
      const auto density = [&](double rate) {
        const double of_rate =
            std::pow(kModel.alpha * rate, kModel.r) * std::exp(-kModel.alpha * rate) / rate / std::tgamma(kModel.r);
        const double stayed = std::pow(1 - p, c.repeats) * std::pow(rate, c.repeats);
        return of_rate * stayed * ((1 - p) * std::exp(-rate * c.age) + p * std::exp(-rate * c.recency));
      };
      // rate = u^(1/r): no singularity at 0
      const auto smooth = [&](double u) {
        const double rate = std::pow(u, 1 / kModel.r);
        return u == 0 ? 0 : density(rate) * rate / u / kModel.r;
      };
      return gauss_kronrod<double, 31>::integrate(smooth, 0.0, 12.0, 10, 1e-10);
    };
    boost::math::quadrature::tanh_sinh<double> outer;
    const double integral = outer.integrate(
        [&](double p) {
          return boost::math::pdf(boost::math::beta_distribution<>(kModel.a, kModel.b), p) * over_rate(p);
        },
        1e-15, 1 - 1e-15, 1e-7);
    EXPECT_NEAR(std::exp(log_likelihood(kModel, c)) / integral, 1, 1e-5) << c.repeats;
  }
}

TEST(MbgNbd, AOneTimeBuyerIsNeverAliveForCertain) {
  const double at_once = probability_alive(kModel, {0, 0, 0});
  EXPECT_DOUBLE_EQ(at_once, 1 / (1 + kModel.a / kModel.b));
  double last = at_once;
  for (const double age : {1.0, 10.0, 100.0, 1e4, 1e8}) {
    const double alive = probability_alive(kModel, {0, 0, age});
    EXPECT_LT(alive, last);
    EXPECT_GT(alive, 0);
    last = alive;
  }
}

TEST(MbgNbd, ChanceOfBeingAliveIsThatOfTheFormula) {
  const PurchaseHistory c{4, 12, 20};
  const double odds = kModel.a / (kModel.b + 4) * std::pow((kModel.alpha + 20) / (kModel.alpha + 12), kModel.r + 4);
  EXPECT_NEAR(probability_alive(kModel, c), 1 / (1 + odds), 1e-14);
}

TEST(MbgNbd, ExpectedPurchasesAgreeWithTheIntegral) {
  for (const MbgNbd& model : {kModel, MbgNbd{0.25, 4, 0.02, 0.4}, MbgNbd{3, 40, 1, 1}, MbgNbd{12, 2, 30, 70}})
    for (const double repeats : {0.0, 1.0, 7.0, 60.0, 900.0})
      for (const double time : {1e-6, 0.5, 12.0, 300.0}) {
        const PurchaseHistory c{repeats, repeats > 0 ? 30.0 : 0.0, 31};
        const double want = expected_by_integral(model, c, time);
        EXPECT_NEAR(expected_purchases(model, c, time) / want, 1, 1e-9)
            << model.r << " " << repeats << " repeats, time " << time;
      }
}

TEST(MbgNbd, ExpectedPurchasesOverVeryLongTimesAgreeWithTheIntegral) {
  for (const double time : {1e5, 1e6, 1e8}) {
    const PurchaseHistory c{2, 1, 1};
    for (const MbgNbd& model : {MbgNbd{0.5, 1, 0.7, 2}, MbgNbd{0.5, 1, 1.6, 2}})
      EXPECT_NEAR(expected_purchases(model, c, time) / expected_by_integral(model, c, time), 1, 1e-9) << time;
  }
}

TEST(MbgNbd, AnswersAreFiniteAndInOrderForEveryHistory) {
  for (const MbgNbd& model : {kModel, MbgNbd{1e-3, 1e-3, 1e-3, 1e-3}, MbgNbd{1e3, 1e3, 1e3, 1e3}})
    for (const double repeats : {0.0, 1.0, 1e3, 1e5})
      for (const double age : {0.0, 1.0, 4e4})
        for (const double time : {0.0, 1e-9, 30.0, 365.0}) {
          const PurchaseHistory c{repeats, repeats > 0 ? age / 2 : 0, age};
          const double alive = probability_alive(model, c);
          const double within = probability_of_purchase_within(model, c, time);
          const double expected = expected_purchases(model, c, time);
          EXPECT_TRUE(std::isfinite(log_likelihood(model, c)));
          EXPECT_GE(alive, 0);
          EXPECT_LE(alive, 1);
          EXPECT_GE(within, 0);
          EXPECT_LE(within, alive);
          EXPECT_TRUE(std::isfinite(expected));
          EXPECT_GE(expected, within * (1 - 1e-12));  // at least one purchase counts at least one
        }
}

TEST(MbgNbd, ForecastsAreCalibratedOnSimulatedCustomers) {
  Random random(71);
  constexpr int kCustomers = 60'000;
  constexpr double kTime = 20;
  double alive = 0, expected_alive = 0, later = 0, expected_later = 0, soon = 0, expected_soon = 0;
  double later_of_repeaters = 0, expected_of_repeaters = 0;
  for (int i = 0; i < kCustomers; ++i) {
    const SimulatedCustomer c = simulate_customer(random, kModel, 5 + 30 * random.uniform(), kTime);
    alive += c.alive;
    expected_alive += probability_alive(kModel, c.history);
    later += c.later;
    expected_later += expected_purchases(kModel, c.history, kTime);
    soon += c.next <= kTime / 4;
    expected_soon += probability_of_purchase_within(kModel, c.history, kTime / 4);
    if (c.history.repeats < 3) continue;
    later_of_repeaters += c.later;
    expected_of_repeaters += expected_purchases(kModel, c.history, kTime);
  }
  EXPECT_NEAR(alive / expected_alive, 1, 0.02);
  EXPECT_NEAR(later / expected_later, 1, 0.04);
  EXPECT_NEAR(later_of_repeaters / expected_of_repeaters, 1, 0.05);
  EXPECT_NEAR(soon / expected_soon, 1, 0.04);
}

TEST(MbgNbd, MedianSplitsTheSimulatedFuturesOfAHistory) {
  Random random(72);
  const double age = 20;
  const double time = 40;
  int below = 0, up_to = 0, customers = 0;
  const double median = median_purchases(kModel, {8, 19.5, age}, time);
  for (int i = 0; i < 400'000; ++i) {
    const SimulatedCustomer c = simulate_customer(random, kModel, age, time);
    if (c.history.repeats != 8 || c.history.recency < 19 || c.history.recency > 20) continue;
    ++customers;
    below += c.later < median;
    up_to += c.later <= median;
  }
  ASSERT_GT(customers, 500);
  EXPECT_GT(median, 2);
  EXPECT_LT(below, customers * 0.53);
  EXPECT_GT(up_to, customers * 0.47);
  EXPECT_EQ(median_purchases(kModel, {0, 0, 400}, time), 0);
}

TEST(MbgNbd, ProbabilitiesOfNumbersAgreeWithMeanMedianAndChanceOfAny) {
  for (const PurchaseHistory& c :
       {PurchaseHistory{0, 0, 3}, PurchaseHistory{8, 19.5, 20}, PurchaseHistory{300, 99, 100}})
    for (const double time : {1.0, 40.0}) {
      const std::vector<double> probabilities = purchase_probabilities(kModel, c, time);
      double sum = 0, mean = 0, median = -1;
      for (size_t n = 0; n < probabilities.size(); ++n) {
        sum += probabilities[n];
        mean += static_cast<double>(n) * probabilities[n];
        if (sum >= 0.5 && median < 0) median = static_cast<double>(n);
      }
      EXPECT_NEAR(sum, 1, 1e-8);
      EXPECT_NEAR(mean / expected_purchases(kModel, c, time), 1, 1e-5);
      EXPECT_EQ(median, median_purchases(kModel, c, time));
      EXPECT_NEAR(probabilities[0], 1 - probability_of_purchase_within(kModel, c, time), 1e-12);
    }
}

TEST(MbgNbd, FitMaximisesTheSumOverCustomers) {
  Random random(73);
  std::vector<PurchaseHistory> histories = simulate_histories(random, kModel, 400, 20, 30);
  for (PurchaseHistory& c : histories) c = {c.repeats, std::floor(c.recency), std::floor(c.age)};  // many equal ones
  const MbgNbdFit fit = fit_mbg_nbd(histories).value();
  const auto total = [&](const MbgNbd& model) {
    double sum = 0;
    for (const PurchaseHistory& c : histories) sum += log_likelihood(model, c);
    return sum;
  };
  EXPECT_NEAR(fit.log_likelihood, total(fit.model), 1e-8 * std::abs(fit.log_likelihood));
  for (const double factor : {0.97, 1.03}) {
    EXPECT_LT(total({fit.model.r * factor, fit.model.alpha, fit.model.a, fit.model.b}), fit.log_likelihood);
    EXPECT_LT(total({fit.model.r, fit.model.alpha * factor, fit.model.a, fit.model.b}), fit.log_likelihood);
    EXPECT_LT(total({fit.model.r, fit.model.alpha, fit.model.a * factor, fit.model.b}), fit.log_likelihood);
    EXPECT_LT(total({fit.model.r, fit.model.alpha, fit.model.a, fit.model.b * factor}), fit.log_likelihood);
  }
}

TEST(MbgNbd, UnitOfTimeChangesOnlyAlpha) {
  Random random(74);
  std::vector<PurchaseHistory> weeks = simulate_histories(random, kModel, 2000, 26, 52);
  std::vector<PurchaseHistory> days;
  for (const PurchaseHistory& c : weeks) days.push_back({c.repeats, 7 * c.recency, 7 * c.age});
  const MbgNbdFit by_week = fit_mbg_nbd(weeks).value();
  const MbgNbdFit by_day = fit_mbg_nbd(days).value();
  EXPECT_NEAR(by_day.model.alpha / by_week.model.alpha, 7, 1e-3);
  EXPECT_NEAR(by_day.model.b / by_week.model.b, 1, 1e-3);
  EXPECT_NEAR(by_day.b.high / by_week.b.high, 1, 1e-3);
}

TEST(MbgNbd, DataThatDetermineNothingAreRefusedWithAReason) {
  const std::vector<PurchaseHistory> few(10, PurchaseHistory{1, 2, 5});
  EXPECT_NE(fit_mbg_nbd(few).status().message().find("too few customers"), std::string::npos);
  const std::vector<PurchaseHistory> once(200, PurchaseHistory{0, 0, 5});
  EXPECT_NE(fit_mbg_nbd(once).status().message().find("second time"), std::string::npos);
  const std::vector<PurchaseHistory> impossible(200, PurchaseHistory{1, 9, 5});
  EXPECT_EQ(fit_mbg_nbd(impossible).status().code(), Code::invalid_argument);
  const std::vector<PurchaseHistory> all_alike(200, PurchaseHistory{3, 5, 5});
  const Result<MbgNbdFit> fit = fit_mbg_nbd(all_alike);
  ASSERT_FALSE(fit.ok());
  EXPECT_NE(fit.status().message().find("do not determine"), std::string::npos) << fit.status().message();
}

TEST(MbgNbd, APriorKeepsEveryParameterFiniteAndMovesDeterminedOnesLittle) {
  const std::vector<PurchaseHistory> all_alike(200, PurchaseHistory{3, 5, 5});
  MbgNbdOptions prior;
  prior.prior_deviation = 3;
  EXPECT_TRUE(fit_mbg_nbd(all_alike, prior).ok());
  Random random(75);
  const std::vector<PurchaseHistory> histories = simulate_histories(random, kModel, 4000, 26, 52);
  const MbgNbdFit plain = fit_mbg_nbd(histories).value();
  const MbgNbdFit with_prior = fit_mbg_nbd(histories, prior).value();
  EXPECT_NEAR(with_prior.model.r / plain.model.r, 1, 0.02);
  EXPECT_NEAR(with_prior.model.b / plain.model.b, 1, 0.1);
}

}  // namespace
}  // namespace perennial
