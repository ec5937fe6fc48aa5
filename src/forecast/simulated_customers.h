// For tests and benches: customers drawn from the models themselves, so that the truth is known.
#pragma once

#include <cmath>
#include <vector>

#include "base/random.h"
#include "forecast/gamma_gamma.h"
#include "forecast/mbg_nbd.h"

namespace perennial {

/// Gamma of the shape, with rate 1. Source: Marsaglia and Tsang, "A simple method for generating gamma variables",
/// 2000.
inline double draw_gamma(Random& random, double shape) {
  if (shape < 1) return draw_gamma(random, shape + 1) * std::pow(1 - random.uniform(), 1 / shape);
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double normal = random.normal();
    const double cube = std::pow(1 + c * normal, 3);
    if (cube <= 0) continue;
    if (std::log1p(-random.uniform()) < normal * normal / 2 + d - d * cube + d * std::log(cube)) return d * cube;
  }
}

inline double draw_beta(Random& random, double a, double b) {
  const double left = draw_gamma(random, a);
  return left / (left + draw_gamma(random, b));
}

struct SimulatedCustomer {
  PurchaseHistory history;  // at the age
  double later = 0;         // purchases in (age, age + time]
  double next = 0;          // time from the age to the next purchase; more than `time` if it is later or never
  bool alive = false;       // at the age
};

/// Follows one customer for age + time from its first purchase on.
inline SimulatedCustomer simulate_customer(Random& random, const MbgNbd& model, double age, double time) {
  const double rate = draw_gamma(random, model.r) / model.alpha;
  const double leaves = draw_beta(random, model.a, model.b);
  SimulatedCustomer customer{{0, 0, age}, 0, time + 1, false};
  double now = 0;
  while (!random.chance(leaves)) {
    const double before = now;
    now += random.exponential() / rate;
    if (before <= age && now > age) customer.alive = true;
    if (now > age + time) break;
    if (now <= age) {
      ++customer.history.repeats;
      customer.history.recency = now;
    } else if (customer.later++ == 0) {
      customer.next = now - age;
    }
  }
  return customer;
}

/// Ages are uniform between the two.
inline std::vector<PurchaseHistory> simulate_histories(Random& random, const MbgNbd& model, int customers,
                                                       double youngest, double oldest) {
  std::vector<PurchaseHistory> histories;
  for (int i = 0; i < customers; ++i)
    histories.push_back(simulate_customer(random, model, youngest + (oldest - youngest) * random.uniform(), 0).history);
  return histories;
}

/// With 1 to `most` transactions each.
inline std::vector<Spend> simulate_spends(Random& random, const GammaGamma& model, int customers, uint64_t most) {
  std::vector<Spend> spends;
  for (int i = 0; i < customers; ++i) {
    const double rate = draw_gamma(random, model.q) / model.v;
    const double transactions = 1 + static_cast<double>(random.below(most));
    spends.push_back({transactions, draw_gamma(random, model.p * transactions) / rate / transactions});
  }
  return spends;
}

}  // namespace perennial
