// A customer's money over a time to come: MBG/NBD says how often it buys, Gamma-Gamma how much then.
// Covered by forecast/customer_value_test.cc.
#pragma once

#include "forecast/gamma_gamma.h"
#include "forecast/mbg_nbd.h"

namespace perennial {

/// What is known of a customer: its purchases, and its spend at all of them or those with money.
struct CustomerPast {
  PurchaseHistory history;
  Spend spend;
};

struct ValueModel {
  MbgNbd purchases;
  GammaGamma spends;
};

/// Mean money in (age, age + time]: what sums over customers need. nullopt where expected_spend is.
std::optional<double> expected_money(const ValueModel& model, const CustomerPast& past, double time);

/// Median money in (age, age + time]: what makes the absolute error least. 0 when no purchase is at least as likely as
/// one. Relative error below 1e-6.
double median_money(const ValueModel& model, const CustomerPast& past, double time);

}  // namespace perennial
