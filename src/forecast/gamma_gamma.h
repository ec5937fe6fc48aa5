// The Gamma-Gamma model of money per transaction: each customer's transactions are gamma (shape p) at a rate of its
// own, and the rates are gamma (shape q, rate v) over customers. It assumes that what a customer spends at a time does
// not depend on how often it comes. Source: Fader and Hardie, "The Gamma-Gamma model of monetary value", 2013. Maths:
// docs/forecasts.md. Covered by forecast/gamma_gamma_test.cc and forecast/recovery_test.cc.
#pragma once

#include <optional>
#include <span>

#include "base/interval95.h"
#include "base/status.h"

namespace perennial {

/// What a customer has spent. `transactions` is the number of those whose mean is `mean`: all of them, or all repeats
/// with the mean of the repeats alone. The number of repeats with the mean of all would be a mistake.
struct Spend {
  double transactions = 0;  // at least 1 to fit; 0 in a question: nothing known
  double mean = 0;          // above 0
};

struct GammaGamma {
  double p = 0;
  double q = 0;
  double v = 0;  // in the unit of money
};

struct GammaGammaFit {
  GammaGamma model;
  Interval95 p, q, v;  // built on the logarithms
  double log_likelihood = 0;
  size_t customers = 0;
};

struct GammaGammaOptions {
  size_t least_customers = 50;
  /// As of MbgNbdOptions, centred at p = 3, q = 3, v = the mean spend. 0: plain maximum likelihood.
  double prior_deviation = 0;
};

/// invalid_argument for a mean or number that cannot be; failed_precondition for too few customers, when nobody has two
/// transactions, and when the data do not determine a parameter.
Result<GammaGammaFit> fit_gamma_gamma(std::span<const Spend> customers, const GammaGammaOptions& options = {});

/// Natural logarithm of the density of the customer's mean, given the number of transactions.
double log_likelihood(const GammaGamma& model, const Spend& customer);

/// The customer's mean money per transaction to be expected, E[M]. nullopt when it is not finite: q + p n <= 1, which
/// with transactions is rare and without them means that the population has no mean.
std::optional<double> expected_spend(const GammaGamma& model, const Spend& customer);

}  // namespace perennial
