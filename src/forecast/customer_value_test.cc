// Against simulated futures of customers with one and the same past.
#include "forecast/customer_value.h"

#include <gtest/gtest.h>

#include "forecast/simulated_customers.h"

namespace perennial {
namespace {

const ValueModel kModel{{2, 6, 0.5, 4}, {3, 4, 30}};

TEST(CustomerValue, MeanAndMedianAreThoseOfSimulatedFutures) {
  Random random(101);
  constexpr double kAge = 12;
  constexpr double kTime = 10;
  double sum = 0, forecast = 0, above = 0, customers = 0, with_median = 0, absolute_of_mean = 0, absolute_of_median = 0;
  for (int i = 0; i < 8000; ++i) {
    const SimulatedCustomer c = simulate_customer(random, kModel.purchases, kAge, kTime);
    const double rate = draw_gamma(random, kModel.spends.q) / kModel.spends.v;
    const double transactions = c.history.repeats + 1;
    const CustomerPast past{c.history,
                            {transactions, draw_gamma(random, kModel.spends.p * transactions) / rate / transactions}};
    const double money = c.later > 0 ? draw_gamma(random, kModel.spends.p * c.later) / rate : 0;
    const double mean = expected_money(kModel, past, kTime).value();
    const double median = median_money(kModel, past, kTime);
    sum += money;
    forecast += mean;
    absolute_of_mean += std::abs(money - mean);
    absolute_of_median += std::abs(money - median);
    ++customers;
    if (median == 0) continue;
    ++with_median;
    above += money > median;
  }
  EXPECT_NEAR(forecast / sum, 1, 0.05);
  EXPECT_GT(with_median, 0.3 * customers);
  EXPECT_NEAR(above / with_median, 0.5, 0.03);
  EXPECT_LT(absolute_of_median, absolute_of_mean);
}

TEST(CustomerValue, OfSomeoneWhoHasLeftIsNothing) {
  EXPECT_EQ(median_money(kModel, {{0, 0, 1e4}, {1, 20}}, 10), 0);
  EXPECT_LT(expected_money(kModel, {{0, 0, 1e4}, {1, 20}}, 10).value(), 0.01);
}

TEST(CustomerValue, WithoutAMeanSpendThereIsNoExpectation) {
  const ValueModel heavy{kModel.purchases, {3, 0.5, 30}};
  EXPECT_FALSE(expected_money(heavy, {{0, 0, 1}, {0, 0}}, 10).has_value());
}

}  // namespace
}  // namespace perennial
