// The modified beta-geometric/NBD model of repeat purchases (or visits): a customer buys at a rate of its own, and
// after each purchase, the first one too, may leave for good unseen. Over customers the rate is gamma (shape r, rate
// alpha) and the chance to leave beta (a, b). Unlike BG/NBD it never calls a one-time buyer alive for certain. Sources:
// Batislam, Denizel and Filiztekin, "Empirical validation and comparison of models for customer base analysis", 2007;
// Wagner and Hoppe, "Erratum on the MBG/NBD model", 2008. Maths: docs/forecasts.md. Covered by forecast/mbg_nbd_test.cc
// and forecast/recovery_test.cc.
#pragma once

#include <span>
#include <vector>

#include "base/interval95.h"
#include "base/status.h"

namespace perennial {

/// What the model needs to know of a customer at an instant. Times from the first purchase on, all in one unit.
struct PurchaseHistory {
  double repeats = 0;  // x: purchases after the first
  double recency = 0;  // t_x: of the last purchase; 0 without repeats
  double age = 0;      // T: of the instant; at least the recency

  bool operator==(const PurchaseHistory&) const = default;
};

struct MbgNbd {
  double r = 0;
  double alpha = 0;  // in the unit of time
  double a = 0;
  double b = 0;
};

struct MbgNbdFit {
  MbgNbd model;
  Interval95 r, alpha, a, b;  // built on the logarithms
  double log_likelihood = 0;
  size_t customers = 0;
};

struct MbgNbdOptions {
  size_t least_customers = 50;
  /// Deviation of a normal prior on the logarithms of the parameters, centred at r = a = 1, alpha = mean age,
  /// b = 3. 0: none, plain maximum likelihood. 3 moves no well determined parameter and keeps the others finite.
  double prior_deviation = 0;
};

/// Maximum likelihood, or the posterior mode under the prior. invalid_argument for an impossible history;
/// failed_precondition for too few customers, when nobody repeats, and when the data do not determine a parameter.
Result<MbgNbdFit> fit_mbg_nbd(std::span<const PurchaseHistory> customers, const MbgNbdOptions& options = {});

/// Natural logarithm of the density of one history.
double log_likelihood(const MbgNbd& model, const PurchaseHistory& customer);

/// That the customer has not left yet at its age, in (0, 1).
double probability_alive(const MbgNbd& model, const PurchaseHistory& customer);

/// Mean number of purchases in (age, age + time]. Relative error below 1e-8; finite whenever what it is given is.
double expected_purchases(const MbgNbd& model, const PurchaseHistory& customer, double time);

/// P(0), P(1), ... purchases in (age, age + time], until less than 1e-9 remains or 20,000 are listed.
std::vector<double> purchase_probabilities(const MbgNbd& model, const PurchaseHistory& customer, double time);

/// The smallest number that purchases in (age, age + time] exceed with a probability of at most 1/2.
double median_purchases(const MbgNbd& model, const PurchaseHistory& customer, double time);

/// Of at least one purchase in (age, age + time]; rises with time towards probability_alive. One less it is the
/// survival curve of the next purchase, given the silence since the last one.
double probability_of_purchase_within(const MbgNbd& model, const PurchaseHistory& customer, double time);

}  // namespace perennial
