#include "recommend/objective.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace perennial {
namespace {

constexpr size_t kAims = 5;
constexpr double kNoticeable = 0.05;  // in logits

using Terms = std::array<double, kAims>;  // by Aim; each weight times what it weighs

Terms terms_of(const ObjectiveWeights& weights, const ItemOutcomes& outcomes, bool customer, ItemId item) {
  const double conversion =
      outcomes.log_ratio(customer ? ItemOutcome::conversion : ItemOutcome::first_conversion, item);
  return {weights.conversion * conversion, weights.money * (conversion + outcomes.log_price(item)),
          weights.revisit * outcomes.log_ratio(ItemOutcome::revisit, item), 0,
          weights.sharing * outcomes.log_ratio(ItemOutcome::sharing, item)};
}

/// Mean terms over the candidates, each counted by its chance.
Terms mean_terms(std::span<const SlateCandidate> candidates, const std::vector<Terms>& terms) {
  double highest = -INFINITY;
  for (const SlateCandidate& candidate : candidates) highest = std::max(highest, candidate.logit);
  Terms sums{};
  double total = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double chance = std::exp(candidates[i].logit - highest);
    total += chance;
    for (size_t aim = 0; aim < kAims; ++aim) sums[aim] += chance * terms[i][aim];
  }
  for (double& sum : sums) sum /= total;
  return sums;
}

double adjustment_of(const Terms& terms) {
  double sum = 0;
  for (const double term : terms) sum += term;
  return std::clamp(sum, -kMostAdjustment, kMostAdjustment);
}

std::optional<Aim> strongest(const Terms& terms) {
  const auto most = std::max_element(terms.begin(), terms.end());
  return *most < kNoticeable ? std::nullopt : std::optional(static_cast<Aim>(most - terms.begin()));
}

/// Fills places from the top. Adjustments only fall as categories are used up and likenesses found, so that the list is
/// in falling order but for what chance put there.
class Placement {
 public:
  Placement(std::span<const SlateCandidate> candidates, std::vector<Terms> terms, std::vector<int32_t> categories,
            const ListRules& rules)
      : candidates_(candidates),
        terms_(std::move(terms)),
        categories_(std::move(categories)),
        rules_(rules),
        likeness_(rules.likeness_above),
        in_group_(rules.in_group),
        left_(candidates.size()) {
    likeness_.resize(candidates.size());
    scores_.reserve(candidates.size());
    for (size_t i = 0; i < candidates.size(); ++i) scores_.push_back(candidates[i].logit + adjustment(i));
    for (const auto& [group, count] : in_group_) close_when_full(group);
  }

  [[nodiscard]] bool done() const { return left_ == 0; }

  Placed next() {
    const auto best = static_cast<size_t>(std::ranges::max_element(scores_) - scores_.begin());
    Placed placed{.candidate = best};
    if (rules_.exploration > 0) {
      placed.explored = rules_.random->chance(rules_.exploration);
      if (placed.explored) placed.candidate = any_left();
      placed.propensity = rules_.exploration / static_cast<double>(left_);
      if (placed.candidate == best) placed.propensity += 1 - rules_.exploration;
    }
    placed.adjustment = adjustment(placed.candidate);
    placed.aim = strongest(terms_[placed.candidate]);
    take(placed.candidate);
    return placed;
  }

 private:
  static constexpr double kGone = -INFINITY;  // in the list, or with too many like it there

  [[nodiscard]] double adjustment(size_t i) const {
    return adjustment_of(terms_[i]) + candidates_[i].boost - rules_.diversity * likeness_[i];
  }

  [[nodiscard]] size_t any_left() const {
    uint64_t skipped = rules_.random->below(left_);
    size_t i = 0;
    while (scores_[i] == kGone || skipped-- > 0) ++i;
    return i;
  }

  void remove(size_t i) {
    if (scores_[i] == kGone) return;
    scores_[i] = kGone;
    --left_;
  }

  void close_when_full(int32_t group) {
    if (group < 0 || rules_.most_a_group == 0 || in_group_[group] < rules_.most_a_group) return;
    for (size_t i = 0; i < scores_.size(); ++i)
      if (rules_.group[i] == group) remove(i);
  }

  void take(size_t taken) {
    remove(taken);
    if (rules_.most_a_group > 0 && rules_.group[taken] >= 0) {
      ++in_group_[rules_.group[taken]];
      close_when_full(rules_.group[taken]);
    }
    for (size_t i = 0; i < scores_.size(); ++i) {
      if (scores_[i] == kGone) continue;
      double& breadth = terms_[i][static_cast<size_t>(Aim::breadth)];
      const bool used_up = categories_[i] == categories_[taken] && breadth != 0;
      if (used_up) breadth = 0;
      if (rules_.diversity > 0) likeness_[i] = std::max(likeness_[i], rules_.likeness(i, taken));
      if (used_up || rules_.diversity > 0) scores_[i] = candidates_[i].logit + adjustment(i);
    }
  }

  std::span<const SlateCandidate> candidates_;
  std::vector<Terms> terms_;
  std::vector<int32_t> categories_;
  const ListRules& rules_;
  std::vector<double> likeness_;  // the greatest to an item of the list
  std::vector<double> scores_;    // adjusted, or kGone
  std::map<int32_t, size_t> in_group_;
  size_t left_;
};

}  // namespace

std::vector<Placed> place(const ObjectiveWeights& weights, const ItemOutcomes& outcomes,
                          std::span<const SlateCandidate> candidates, const Acquaintance& user, size_t count,
                          const ListRules& rules) {
  if (candidates.empty()) return {};
  std::vector<Terms> terms;
  std::vector<int32_t> categories;
  terms.reserve(candidates.size());
  categories.reserve(candidates.size());
  for (const SlateCandidate& candidate : candidates) {
    terms.push_back(terms_of(weights, outcomes, user.customer, candidate.item));
    categories.push_back(outcomes.category(candidate.item));
  }
  const Terms means = mean_terms(candidates, terms);
  for (size_t i = 0; i < candidates.size(); ++i) {
    for (size_t aim = 0; aim < kAims; ++aim) terms[i][aim] -= means[aim];
    const auto category = static_cast<size_t>(categories[i]);
    const bool fresh =
        categories[i] != kNoCategory && !(category < user.categories.size() && user.categories[category]);
    terms[i][static_cast<size_t>(Aim::breadth)] = fresh ? weights.breadth : 0;
  }
  Placement placement(candidates, std::move(terms), std::move(categories), rules);
  std::vector<Placed> list;
  while (list.size() < count && !placement.done()) list.push_back(placement.next());
  return list;
}

std::string sentence_of(Aim aim, const std::string& objective) {
  switch (aim) {
    case Aim::conversion:
      return objective == "first_value" ? "A good first choice" : "Often chosen by those who look at it";
    case Aim::money:
      return "One of the finer choices";
    case Aim::revisit:
      return "People come back after this";
    case Aim::breadth:
      return "Something new for you";
    case Aim::sharing:
      return "People tell others about this";
  }
  return {};
}

const char* aim_name(Aim aim) {
  constexpr const char* kNames[kAims] = {"conversion", "money", "revisit", "breadth", "sharing"};
  return kNames[static_cast<size_t>(aim)];
}

}  // namespace perennial
