// Probabilities and the logarithms of their odds, without overflow. Covered by forecast/logistic_test.cc.
#pragma once

#include <algorithm>
#include <cmath>

namespace perennial {

/// log(p / (1 - p)) with p kept within [1e-6, 1 - 1e-6].
inline double logit(double probability) {
  constexpr double kLeast = 1e-6;
  const double inside = std::clamp(probability, kLeast, 1 - kLeast);
  return std::log(inside / (1 - inside));
}

/// The inverse of the logarithm of odds.
inline double probability_of_logit(double logit) {
  return logit > 0 ? 1 / (1 + std::exp(-logit)) : std::exp(logit) / (1 + std::exp(logit));
}

/// log(1 + e^x)
inline double log1p_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

}  // namespace perennial
