// The density against its integral and the forecast against simulated customers. Recovery of the truth:
// recovery_test.cc.
#include "forecast/gamma_gamma.h"

#include <gtest/gtest.h>

#include <boost/math/quadrature/exp_sinh.hpp>
#include <cmath>

#include "forecast/simulated_customers.h"

namespace perennial {
namespace {

const GammaGamma kModel{6, 4, 16};

TEST(GammaGamma, DensityIntegratesToOne) {
  for (const double transactions : {1.0, 5.0}) {
    const auto density = [&](double mean) {
      return mean <= 0 || !std::isfinite(mean) ? 0.0 : std::exp(log_likelihood(kModel, {transactions, mean}));
    };
    EXPECT_NEAR(boost::math::quadrature::exp_sinh<double>().integrate(density), 1, 1e-8);
  }
}

TEST(GammaGamma, ForecastIsTheWeightedMeanOfCustomerAndPopulation) {
  const double population = kModel.p * kModel.v / (kModel.q - 1);
  EXPECT_DOUBLE_EQ(expected_spend(kModel, {0, 0}).value(), population);
  const double weight = kModel.p * 3 / (kModel.p * 3 + kModel.q - 1);
  EXPECT_NEAR(expected_spend(kModel, {3, 50}).value(), (1 - weight) * population + weight * 50, 1e-12);
  EXPECT_NEAR(expected_spend(kModel, {1e9, 50}).value(), 50, 1e-6);
}

TEST(GammaGamma, WithoutAPopulationMeanThereIsNoForecastForStrangers) {
  const GammaGamma heavy{2, 0.8, 10};
  EXPECT_FALSE(expected_spend(heavy, {0, 0}).has_value());
  EXPECT_TRUE(expected_spend(heavy, {1, 20}).has_value());
}

TEST(GammaGamma, ForecastIsCalibratedAmongBigSpendersToo) {
  Random random(81);
  double truth = 0, forecast = 0, naive = 0;
  for (int i = 0; i < 60'000; ++i) {
    const double rate = draw_gamma(random, kModel.q) / kModel.v;
    const double mean = draw_gamma(random, kModel.p * 2) / rate / 2;
    if (mean < 60) continue;
    truth += kModel.p / rate;
    forecast += expected_spend(kModel, {2, mean}).value();
    naive += mean;
  }
  EXPECT_NEAR(forecast / truth, 1, 0.01);
  EXPECT_GT(naive / truth, 1.1);  // what shrinking is for
}

TEST(GammaGamma, FitMaximisesTheSumOverCustomers) {
  Random random(82);
  const std::vector<Spend> spends = simulate_spends(random, kModel, 500, 4);
  const GammaGammaFit fit = fit_gamma_gamma(spends).value();
  const auto total = [&](const GammaGamma& model) {
    double sum = 0;
    for (const Spend& spend : spends) sum += log_likelihood(model, spend);
    return sum;
  };
  EXPECT_NEAR(fit.log_likelihood, total(fit.model), 1e-8 * std::abs(fit.log_likelihood));
  for (const double factor : {0.97, 1.03}) {
    EXPECT_LT(total({fit.model.p * factor, fit.model.q, fit.model.v}), fit.log_likelihood);
    EXPECT_LT(total({fit.model.p, fit.model.q * factor, fit.model.v}), fit.log_likelihood);
    EXPECT_LT(total({fit.model.p, fit.model.q, fit.model.v * factor}), fit.log_likelihood);
  }
}

TEST(GammaGamma, DataThatDetermineNothingAreRefusedWithAReason) {
  const std::vector<Spend> few(10, Spend{2, 20});
  EXPECT_NE(fit_gamma_gamma(few).status().message().find("too few customers"), std::string::npos);
  const std::vector<Spend> single(200, Spend{1, 20});
  EXPECT_NE(fit_gamma_gamma(single).status().message().find("two transactions"), std::string::npos);
  const std::vector<Spend> refunded(200, Spend{2, -3});
  EXPECT_EQ(fit_gamma_gamma(refunded).status().code(), Code::invalid_argument);
  const std::vector<Spend> all_alike(200, Spend{3, 20});
  const std::string message = fit_gamma_gamma(all_alike).status().message();
  EXPECT_NE(message.find("do not determine"), std::string::npos) << message;
}

}  // namespace
}  // namespace perennial
