#include "actions/allocation.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <span>
#include <thread>

#include "base/random.h"

namespace perennial {
namespace {

constexpr size_t kBlocks = 64;  // of users; sums of blocks are added in their order
constexpr int kMostNewtonSteps = 25;
constexpr double kFirstSmoothing = 0.5;  // of the mean gain
constexpr double kLastSmoothing = 2e-4;
constexpr double kSmoothingFalls = 0.25;
constexpr double kFarBelow = 30;  // e to the minus this adds nothing that counts

using Prices = Eigen::VectorXd;

/// What the prices make of an offer: gain - cost x money[action] - count[action].
struct ActionPrices {
  std::vector<double> money, count;
};

/// D and its derivatives, smoothed or not.
struct DualValue {
  double value = 0;
  Eigen::VectorXd used;     // by budget, under the choice that the prices make
  Eigen::MatrixXd hessian;  // of the smoothed
};

class Dual {
 public:
  Dual(const Offers& offers, const std::vector<Budget>& budgets, int threads)
      : offers_(offers), budgets_(budgets), threads_(std::max(threads, 1)) {
    size_t actions = 0;
    for (const uint16_t action : offers.action) actions = std::max<size_t>(actions, action + size_t{1});
    budgets_of_.resize(actions);
    for (size_t r = 0; r < budgets.size(); ++r)
      for (const uint16_t action : budgets[r].actions)
        if (action < actions && (budgets_of_[action].empty() || budgets_of_[action].back() != r))
          budgets_of_[action].push_back(r);
    limits_.resize(static_cast<Eigen::Index>(budgets.size()));
    for (size_t r = 0; r < budgets.size(); ++r) limits_[static_cast<Eigen::Index>(r)] = budgets[r].limit;
    // An offer that takes more than there is can't be chosen, whatever the prices.
    possible_.resize(offers.action.size());
    for (size_t j = 0; j < possible_.size(); ++j)
      possible_[j] = std::ranges::all_of(budgets_of_[offers.action[j]],
                                         [&](size_t r) { return takes(j, r) <= budgets[r].limit; });
  }

  [[nodiscard]] size_t budgets() const { return budgets_.size(); }
  [[nodiscard]] const std::vector<size_t>& budgets_of(size_t offer) const {
    return budgets_of_[offers_.action[offer]];
  }
  [[nodiscard]] double takes(size_t offer, size_t budget) const {
    return budgets_[budget].counts ? 1 : static_cast<double>(offers_.cost[offer]);
  }
  [[nodiscard]] bool possible(size_t offer) const { return possible_[offer]; }

  [[nodiscard]] ActionPrices by_action(const Prices& prices) const {
    ActionPrices sums{std::vector<double>(budgets_of_.size()), std::vector<double>(budgets_of_.size())};
    for (size_t a = 0; a < budgets_of_.size(); ++a)
      for (const size_t r : budgets_of_[a])
        (budgets_[r].counts ? sums.count : sums.money)[a] += prices[static_cast<Eigen::Index>(r)];
    return sums;
  }

  [[nodiscard]] double priced(size_t offer, const ActionPrices& prices) const {
    const uint16_t action = offers_.action[offer];
    return offers_.gain[offer] - offers_.cost[offer] * prices.money[action] - prices.count[action];
  }

  /// Each user takes the best.
  [[nodiscard]] DualValue exact(const Prices& prices) const {
    const ActionPrices sums = by_action(prices);
    return over_users(prices, [&](size_t user, DualValue& value) {
      double best = 0;
      uint64_t chosen = Allocation::kNothing;
      for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j)
        if (const double worth = possible_[j] ? priced(j, sums) : 0; worth > best) best = worth, chosen = j;
      value.value += best;
      if (chosen == Allocation::kNothing) return;
      for (const size_t r : budgets_of(chosen)) value.used[static_cast<Eigen::Index>(r)] += takes(chosen, r);
    });
  }

  /// max(0, ...) as smoothing x ln(1 + sum of exp(... / smoothing)).
  [[nodiscard]] DualValue smoothed(const Prices& prices, double smoothing) const {
    const ActionPrices sums = by_action(prices);
    return over_users(prices, [&](size_t user, DualValue& value) { add_smoothed(user, sums, smoothing, value); });
  }

 private:
  void add_smoothed(size_t user, const ActionPrices& sums, double smoothing, DualValue& value) const {
    double best = 0;
    for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j)
      if (possible_[j]) best = std::max(best, priced(j, sums));
    struct Likely {
      uint64_t offer;
      double weight;
    };
    thread_local std::vector<Likely> likely;
    likely.clear();
    double total = std::exp(-best / smoothing);
    for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j) {
      const double below = (priced(j, sums) - best) / smoothing;
      if (!possible_[j] || below < -kFarBelow) continue;
      likely.push_back({j, std::exp(below)});
      total += likely.back().weight;
    }
    value.value += best + smoothing * std::log(total);
    thread_local Eigen::VectorXd mean;
    mean.setZero(value.used.size());
    for (const auto& [offer, weight] : likely) {
      const double chance = weight / total;
      for (const size_t r : budgets_of(offer)) {
        const double of_r = chance * takes(offer, r);
        mean[static_cast<Eigen::Index>(r)] += of_r;
        for (const size_t s : budgets_of(offer))
          value.hessian(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(s)) += of_r * takes(offer, s) / smoothing;
      }
    }
    value.used += mean;
    value.hessian.noalias() -= mean * mean.transpose() / smoothing;
  }

  template <typename OfUser>
  [[nodiscard]] DualValue over_users(const Prices& prices, const OfUser& of_user) const {
    const auto r = static_cast<Eigen::Index>(budgets());
    const DualValue nothing{0, Eigen::VectorXd::Zero(r), Eigen::MatrixXd::Zero(r, r)};
    std::vector<DualValue> blocks(kBlocks, nothing);
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      for (size_t block = next++; block < kBlocks; block = next++)
        for (size_t user = block * offers_.users() / kBlocks; user < (block + 1) * offers_.users() / kBlocks; ++user)
          of_user(user, blocks[block]);
    };
    {
      std::vector<std::jthread> others;
      for (int t = 1; t < threads_; ++t) others.emplace_back(work);
      work();
    }
    DualValue sum = nothing;
    for (const DualValue& block : blocks) {
      sum.value += block.value;
      sum.used += block.used;
      sum.hessian += block.hessian;
    }
    sum.value += prices.dot(limits_);
    return sum;
  }

  const Offers& offers_;
  const std::vector<Budget>& budgets_;
  int threads_;
  std::vector<std::vector<size_t>> budgets_of_;  // by action
  Eigen::VectorXd limits_;
  std::vector<bool> possible_;  // by offer
};

/// One projected Newton step down the smoothed dual; false when nothing is to be won.
bool step_down(const Dual& dual, const Eigen::VectorXd& limits, double smoothing, double enough, Prices& prices,
               DualValue& here) {
  const Eigen::VectorXd slope = limits - here.used;
  std::vector<Eigen::Index> free;
  for (Eigen::Index r = 0; r < slope.size(); ++r)
    if (prices[r] > 0 || slope[r] < 0) free.push_back(r);
  if (free.empty()) return false;
  Eigen::MatrixXd curvature = here.hessian(free, free);
  curvature.diagonal().array() += 1e-12 * curvature.diagonal().maxCoeff();
  // Where nobody is undecided the smoothed dual is straight and Newton's step would have no end.
  for (size_t i = 0; i < free.size(); ++i) {
    const auto at = static_cast<Eigen::Index>(i);
    curvature(at, at) += 1e-3 * std::abs(slope[free[i]]) / (std::abs(prices[free[i]]) + smoothing);
  }
  const Eigen::VectorXd down = curvature.ldlt().solve(slope(free));
  for (double length = 1; length > 1e-4; length /= 2) {
    Prices there = prices;
    for (size_t i = 0; i < free.size(); ++i)
      there[free[i]] = std::max(0.0, prices[free[i]] - length * down[static_cast<Eigen::Index>(i)]);
    DualValue value = dual.smoothed(there, smoothing);
    const double won = here.value - value.value;
    if (won > 1e-4 * slope.dot(prices - there) && won > 0) {
      prices = there;
      here = std::move(value);
      return won > enough;
    }
  }
  return false;
}

/// Prices near the lowest of the dual, and its value there.
std::pair<Prices, double> best_prices(const Dual& dual, const Eigen::VectorXd& limits, double mean_gain) {
  Prices prices = Prices::Zero(limits.size());
  const DualValue free_of_charge = dual.exact(prices);
  if ((free_of_charge.used.array() <= limits.array()).all()) return {prices, free_of_charge.value};
  std::pair<Prices, double> best = {prices, free_of_charge.value};
  for (double smoothing = kFirstSmoothing; smoothing > kLastSmoothing; smoothing *= kSmoothingFalls) {
    DualValue here = dual.smoothed(prices, smoothing * mean_gain);
    for (int step = 0; step < kMostNewtonSteps; ++step)
      if (!step_down(dual, limits, smoothing * mean_gain, 1e-6 * std::abs(here.value), prices, here)) break;
    if (const double value = dual.exact(prices).value; value < best.second) best = {prices, value};
  }
  return best;
}

/// Users by how much it matters that each gets the best; those alike in an order drawn by the seed.
std::vector<uint32_t> most_urgent_first(const std::vector<double>& urgency, uint64_t seed) {
  std::vector<uint32_t> order(urgency.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
    return urgency[a] != urgency[b] ? urgency[a] > urgency[b] : mix64(seed ^ a) < mix64(seed ^ b);
  });
  return order;
}

/// The prices' choice, made to fit: who would lose most by the second best chooses first, of what is still there.
class Dealer {
 public:
  Dealer(const Dual& dual, const Offers& offers, const std::vector<Budget>& budgets, const Prices& prices)
      : dual_(dual), offers_(offers), prices_(dual.by_action(prices)) {
    for (const Budget& budget : budgets) left_.push_back(budget.limit);
  }

  /// `at_least`: of an offer's worth at the prices.
  void deal(const std::vector<uint32_t>& order, double at_least, std::vector<uint64_t>& chosen) {
    for (const uint32_t user : order) {
      if (chosen[user] != Allocation::kNothing) continue;
      double best = at_least;
      for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j) {
        if (!(offers_.gain[j] > 0)) continue;
        if (const double worth = dual_.priced(j, prices_); worth >= best && fits(j)) best = worth, chosen[user] = j;
      }
      if (chosen[user] == Allocation::kNothing) continue;
      for (const size_t r : dual_.budgets_of(chosen[user])) left_[r] -= dual_.takes(chosen[user], r);
    }
  }

  /// By user: worth of the best offer less that of the next one, or of doing nothing.
  [[nodiscard]] std::vector<double> margins() const {
    std::vector<double> margins(offers_.users());
    for (size_t user = 0; user < margins.size(); ++user) {
      double best = 0, next = 0;
      for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j) {
        const double worth = dual_.possible(j) ? dual_.priced(j, prices_) : 0;
        next = std::max(next, std::min(best, worth));
        best = std::max(best, worth);
      }
      margins[user] = best - next;
    }
    return margins;
  }

  /// By user: worth of the best offer, below 0 as well.
  [[nodiscard]] std::vector<double> worths() const {
    std::vector<double> worths(offers_.users(), -std::numeric_limits<double>::infinity());
    for (size_t user = 0; user < worths.size(); ++user)
      for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j)
        if (offers_.gain[j] > 0) worths[user] = std::max(worths[user], dual_.priced(j, prices_));
    return worths;
  }

 private:
  [[nodiscard]] bool fits(size_t offer) const {
    return std::ranges::all_of(dual_.budgets_of(offer),
                               [&](size_t r) { return dual_.takes(offer, r) <= left_[r]; });
  }

  const Dual& dual_;
  const Offers& offers_;
  ActionPrices prices_;
  std::vector<double> left_;
};

Status check(const Offers& offers, const std::vector<Budget>& budgets) {
  for (size_t user = 0; user < offers.users(); ++user)
    for (uint64_t j = offers.begin[user]; j < offers.begin[user + 1]; ++j)
      if (!std::isfinite(offers.gain[j]) || !std::isfinite(offers.cost[j]) || offers.cost[j] < 0 ||
          offers.action[j] == UINT16_MAX)
        return invalid_argument("user {} has an offer of action {} with gain {} and cost {}: want finite numbers, a cost "
                                "of at least 0 and an action below 65,535",
                                user, offers.action[j], offers.gain[j], offers.cost[j]);
  for (const Budget& budget : budgets)
    if (!(budget.limit >= 0) || !std::isfinite(budget.limit))
      return invalid_argument("budget '{}' has the limit {}: want a number of at least 0", budget.name, budget.limit);
  return {};
}

}  // namespace

void Offers::add(uint16_t of, float expected_gain, float expected_cost) {
  action.push_back(of);
  gain.push_back(expected_gain);
  cost.push_back(expected_cost);
}

Result<Allocation> allocate(const Offers& offers, const std::vector<Budget>& budgets, int threads, uint64_t seed) {
  PERENNIAL_TRY(check(offers, budgets));
  const Dual dual(offers, budgets, threads);
  Eigen::VectorXd limits(static_cast<Eigen::Index>(budgets.size()));
  for (size_t r = 0; r < budgets.size(); ++r) limits[static_cast<Eigen::Index>(r)] = budgets[r].limit;
  double gains = 0, users = 0;  // of the users' best offers
  for (size_t user = 0; user < offers.users(); ++user) {
    double best = 0;
    for (uint64_t j = offers.begin[user]; j < offers.begin[user + 1]; ++j)
      best = std::max<double>(best, offers.gain[j]);
    gains += best;
    users += best > 0 ? 1 : 0;
  }
  Allocation made;
  made.chosen.assign(offers.users(), Allocation::kNothing);
  made.used.assign(budgets.size(), 0);
  made.prices.assign(budgets.size(), 0);
  if (users == 0) return made;

  const auto [prices, bound] = best_prices(dual, limits, gains / users);
  made.bound = bound;
  made.prices.assign(prices.begin(), prices.end());
  Dealer dealer(dual, offers, budgets, prices);
  dealer.deal(most_urgent_first(dealer.margins(), seed), 0, made.chosen);
  // What is left over goes to whom the prices had just left out.
  dealer.deal(most_urgent_first(dealer.worths(), seed), -std::numeric_limits<double>::infinity(), made.chosen);
  for (const uint64_t offer : made.chosen) {
    if (offer == Allocation::kNothing) continue;
    made.gain += offers.gain[offer];
    for (const size_t r : dual.budgets_of(offer)) made.used[r] += dual.takes(offer, r);
  }
  return made;
}

}  // namespace perennial
