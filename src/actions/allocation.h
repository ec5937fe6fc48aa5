// Which user gets which action when there is not enough for all: the choice of at most one offer a user that brings
// most within shared budgets, by their dual prices. With x the choice (0 or 1), g gains, c what an offer takes:
//   maximise sum g x   subject to   sum over j of x_uj <= 1,   sum over the budget's offers of c x <= limit
//   dual: D(p) = sum p_r limit_r + sum over u of max(0, max over j of g_uj - sum over r of p_r c_ujr),   p >= 0
// D(p) bounds what any choice can bring, whatever p; a budget's price is what one more unit of it would bring.
// The dual is smoothed by an entropy whose weight falls, and minimised by projected Newton steps. Sources: Bertsekas,
// "Projected Newton methods for optimization problems with simple constraints", 1982; Nesterov, "Smooth minimization of
// non-smooth functions", 2005. Covered by actions/allocation_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace perennial {

/// What all that is given of some actions shares: money, or a number of them.
struct Budget {
  std::string name;
  std::vector<uint16_t> actions;
  double limit = 0;     // at least 0
  bool counts = false;  // false: of the offers' cost; true: of their number
};

/// Offers of all users, those of one user together. Doing nothing is always possible and brings 0.
struct Offers {
  std::vector<uint64_t> begin = {0};  // (users + 1): the first offer of each user
  std::vector<uint16_t> action;       // (offers)
  std::vector<float> gain;            // (offers), finite: what it brings, its cost taken off
  std::vector<float> cost;            // (offers), at least 0: what it takes from budgets of money

  [[nodiscard]] size_t users() const { return begin.size() - 1; }
  void add(uint16_t of, float expected_gain, float expected_cost);  // to the user begun last
  void end_user() { begin.push_back(action.size()); }
};

struct Allocation {
  static constexpr uint64_t kNothing = UINT64_MAX;

  std::vector<uint64_t> chosen;  // (users): place in the offers, or kNothing
  double gain = 0;               // of those chosen
  double bound = 0;              // no choice within the budgets brings more
  std::vector<double> prices;    // by budget: gain that one more unit would bring
  std::vector<double> used;      // by budget, at most its limit

  /// How far the gain may be from the best one, as a share of the bound.
  [[nodiscard]] double gap() const { return bound > 0 ? (bound - gain) / bound : 0; }
};

/// The same for any number of threads. `seed` decides between users who are alike. invalid_argument, naming the user
/// or the budget, for numbers out of range and actions that are not in 0 to 65,534.
Result<Allocation> allocate(const Offers& offers, const std::vector<Budget>& budgets, int threads, uint64_t seed);

}  // namespace perennial
