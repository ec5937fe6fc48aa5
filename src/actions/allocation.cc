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
constexpr int kMostDampings = 8;
constexpr double kLeastDamping = 1e-4;
constexpr double kWonEnough = 1e-6;      // by a step, of the dual's value
constexpr double kFirstSmoothing = 0.5;  // of the mean gain of users' best offers
constexpr double kSmoothingFalls = 0.25;
constexpr int kFalls = 7;
constexpr double kFarBelow = 30;  // e to the minus this adds nothing that counts
constexpr double kGapEnough = 5e-4;
constexpr size_t kSample = 50'000;          // users, at least, whose prices are where those of all are looked for
constexpr double kSampledSmoothing = 2e-3;  // from which on all users count

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
    while (offers.users() / (2 * stride_) >= kSample) stride_ *= 2;
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
      possible_[j] =
          std::ranges::all_of(budgets_of_[offers.action[j]], [&](size_t r) { return takes(j, r) <= budgets[r].limit; });
  }

  [[nodiscard]] const Eigen::VectorXd& limits() const { return limits_; }

  /// From now on sums are of about a sample's users, times as many as each stands for, or of all again.
  void sample(bool sampled) { sampled_ = sampled; }
  [[nodiscard]] bool can_sample() const { return stride_ > 1; }

  [[nodiscard]] const std::vector<size_t>& budgets_of(size_t offer) const { return budgets_of_[offers_.action[offer]]; }
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
          value.hessian(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(s)) +=
              of_r * takes(offer, s) / smoothing;
      }
    }
    value.used += mean;
    value.hessian.noalias() -= mean * mean.transpose() / smoothing;
  }

  template <typename OfUser>
  [[nodiscard]] DualValue over_users(const Prices& prices, const OfUser& of_user) const {
    const Eigen::Index r = limits_.size();
    const DualValue nothing{0, Eigen::VectorXd::Zero(r), Eigen::MatrixXd::Zero(r, r)};
    std::vector<DualValue> blocks(kBlocks, nothing);
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      for (size_t block = next++; block < kBlocks; block = next++)
        for (size_t user = block * offers_.users() / kBlocks; user < (block + 1) * offers_.users() / kBlocks; ++user)
          if (!sampled_ || mix64(user) % stride_ == 0) of_user(user, blocks[block]);
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
    if (sampled_) {
      const auto each = static_cast<double>(stride_);
      sum.value *= each, sum.used *= each, sum.hessian *= each;
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
  size_t stride_ = 1;           // of a sample
  bool sampled_ = false;
};

/// One projected Newton step down the smoothed dual, damped as Levenberg and Marquardt do; false when nothing that
/// counts is to be won.
bool step_down(const Dual& dual, double smoothing, double& weight, Prices& prices, DualValue& here) {
  const Eigen::VectorXd slope = dual.limits() - here.used;
  std::vector<Eigen::Index> free;
  for (Eigen::Index r = 0; r < slope.size(); ++r)
    if (prices[r] > 0 || slope[r] < 0) free.push_back(r);
  if (free.empty()) return false;
  // Where nobody is undecided the smoothed dual is straight and Newton's step has no end: then more of this is added.
  Eigen::VectorXd damping(static_cast<Eigen::Index>(free.size()));
  for (size_t i = 0; i < free.size(); ++i)
    damping[static_cast<Eigen::Index>(i)] =
        std::abs(slope[free[i]]) / (prices[free[i]] + smoothing) + 1e-9 * here.hessian(free[i], free[i]) + 1e-300;
  for (int attempt = 0; attempt < kMostDampings; ++attempt, weight *= 10) {
    Eigen::MatrixXd curvature = here.hessian(free, free);
    curvature.diagonal() += weight * damping;
    const Eigen::VectorXd down = curvature.ldlt().solve(slope(free));
    Prices there = prices;
    for (size_t i = 0; i < free.size(); ++i)
      there[free[i]] = std::max(0.0, prices[free[i]] - down[static_cast<Eigen::Index>(i)]);
    DualValue value = dual.smoothed(there, smoothing);
    const double won = here.value - value.value;
    if (!(won > 0) || won < 1e-2 * slope.dot(prices - there)) continue;
    prices = there;
    here = std::move(value);
    weight = std::max(weight / 10, kLeastDamping);
    return won > kWonEnough * std::abs(here.value);
  }
  return false;
}

void minimise(const Dual& dual, double smoothing, Prices& prices) {
  DualValue here = dual.smoothed(prices, smoothing);
  double weight = kLeastDamping;
  for (int step = 0; step < kMostNewtonSteps; ++step)
    if (!step_down(dual, smoothing, weight, prices, here)) return;
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

/// The choice that the smoothed prices make, drawn for each user, made to fit: who would lose most by the second best
/// chooses first, of what is still there; what is left over then goes to whom the prices had just left out.
class Dealer {
 public:
  Dealer(const Dual& dual, const Offers& offers, const std::vector<Budget>& budgets, const Prices& prices,
         double smoothing, uint64_t seed)
      : dual_(dual), offers_(offers), prices_(dual.by_action(prices)), smoothing_(smoothing), seed_(seed) {
    made_.chosen.assign(offers.users(), Allocation::kNothing);
    made_.used.assign(budgets.size(), 0);
    made_.prices.assign(prices.begin(), prices.end());
  }

  Allocation deal() && {
    std::vector<double> margins(offers_.users()), worths(offers_.users());
    for (size_t user = 0; user < margins.size(); ++user) weigh(user, margins[user], worths[user]);
    for (const uint32_t user : most_urgent_first(margins, seed_))
      if (const uint64_t drawn = draw(user); drawn != Allocation::kNothing && fits(drawn)) take(user, drawn);
    for (const uint32_t user : most_urgent_first(worths, seed_)) {
      if (made_.chosen[user] != Allocation::kNothing) continue;
      uint64_t best = Allocation::kNothing;
      for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j)
        if (offers_.gain[j] > 0 && fits(j) && (best == Allocation::kNothing || priced(j) > priced(best))) best = j;
      if (best != Allocation::kNothing) take(user, best);
    }
    return std::move(made_);
  }

 private:
  [[nodiscard]] double priced(uint64_t offer) const { return dual_.priced(offer, prices_); }

  [[nodiscard]] bool fits(uint64_t offer) const {
    return std::ranges::all_of(dual_.budgets_of(offer), [&](size_t r) {
      return made_.used[r] + dual_.takes(offer, r) <= dual_.limits()[static_cast<Eigen::Index>(r)];
    });
  }

  void take(uint32_t user, uint64_t offer) {
    made_.chosen[user] = offer;
    made_.gain += offers_.gain[offer];
    for (const size_t r : dual_.budgets_of(offer)) made_.used[r] += dual_.takes(offer, r);
  }

  /// Margin: the best offer's worth less that of the next one, or of doing nothing. Worth: the best's, below 0 as well.
  void weigh(size_t user, double& margin, double& worth) const {
    worth = -std::numeric_limits<double>::infinity();
    double best = 0, next = 0;
    for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j) {
      if (!dual_.possible(j) || !(offers_.gain[j] > 0)) continue;
      const double of_j = priced(j);
      worth = std::max(worth, of_j);
      next = std::max(next, std::min(best, of_j));
      best = std::max(best, of_j);
    }
    margin = best - next;
  }

  /// With the chances of the smoothed choice; of offers that bring nothing, doing nothing.
  [[nodiscard]] uint64_t draw(uint32_t user) const {
    double best = 0;
    for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j)
      if (dual_.possible(j)) best = std::max(best, priced(j));
    double total = std::exp(-best / smoothing_);
    const auto weight = [&](uint64_t j) { return dual_.possible(j) ? std::exp((priced(j) - best) / smoothing_) : 0; };
    for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j) total += weight(j);
    double left = Random(seed_ ^ mix64(user)).uniform() * total;
    for (uint64_t j = offers_.begin[user]; j < offers_.begin[user + 1]; ++j)
      if ((left -= weight(j)) < 0) return offers_.gain[j] > 0 ? j : Allocation::kNothing;
    return Allocation::kNothing;
  }

  const Dual& dual_;
  const Offers& offers_;
  ActionPrices prices_;
  double smoothing_;
  uint64_t seed_;
  Allocation made_;
};

/// Of users' best offers, where there is one; 0: nobody has any.
double mean_best_gain(const Offers& offers) {
  double gains = 0, users = 0;
  for (size_t user = 0; user < offers.users(); ++user) {
    double best = 0;
    for (uint64_t j = offers.begin[user]; j < offers.begin[user + 1]; ++j)
      best = std::max<double>(best, offers.gain[j]);
    gains += best;
    users += best > 0 ? 1 : 0;
  }
  return users > 0 ? gains / users : 0;
}

Status check(const Offers& offers, const std::vector<Budget>& budgets) {
  for (size_t user = 0; user < offers.users(); ++user)
    for (uint64_t j = offers.begin[user]; j < offers.begin[user + 1]; ++j)
      if (!std::isfinite(offers.gain[j]) || !std::isfinite(offers.cost[j]) || offers.cost[j] < 0 ||
          offers.action[j] == UINT16_MAX)
        return invalid_argument(
            "user {} has an offer of action {} with gain {} and cost {}: want finite numbers, a cost "
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
  const double mean_gain = mean_best_gain(offers);
  Dual dual(offers, budgets, threads);
  Prices prices = Prices::Zero(dual.limits().size());
  const DualValue unpriced = dual.exact(prices);
  const double tiny = 1e-4 * mean_gain;
  if (mean_gain == 0 || (unpriced.used.array() <= dual.limits().array()).all()) {
    // Enough for all: everybody's best, and nothing has a price.
    Allocation made = Dealer(dual, offers, budgets, prices, tiny > 0 ? tiny : 1, seed).deal();
    made.bound = unpriced.value;
    return made;
  }
  Allocation best;
  best.bound = unpriced.value;
  dual.sample(dual.can_sample());
  for (int fall = 0; fall < kFalls; ++fall) {
    const double smoothing = kFirstSmoothing * std::pow(kSmoothingFalls, fall);
    if (smoothing <= kSampledSmoothing) dual.sample(false);
    minimise(dual, smoothing * mean_gain, prices);
    if (smoothing > kSampledSmoothing) continue;
    Allocation made = Dealer(dual, offers, budgets, prices, smoothing * mean_gain, seed).deal();
    made.bound = std::min(best.bound, dual.exact(prices).value);
    if (made.gain < best.gain)
      std::swap(made.bound, best.bound);
    else
      best = std::move(made);
    if (best.gap() < kGapEnough) break;
  }
  return best;
}

}  // namespace perennial
