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

/// Fills places from the top. Adjustments only fall as categories are used up, so that the list is in falling order.
class Placement {
 public:
  Placement(std::span<const SlateCandidate> candidates, std::vector<Terms> terms, std::vector<int32_t> categories)
      : candidates_(candidates), terms_(std::move(terms)), categories_(std::move(categories)) {
    for (size_t i = 0; i < candidates.size(); ++i) scores_.push_back(candidates[i].logit + adjustment_of(terms_[i]));
  }

  Placed next() {
    const auto best = static_cast<size_t>(std::ranges::max_element(scores_) - scores_.begin());
    const Placed placed{best, adjustment_of(terms_[best]), strongest(terms_[best])};
    scores_[best] = -INFINITY;
    use_up(categories_[best]);
    return placed;
  }

 private:
  void use_up(int32_t category) {
    for (size_t i = 0; i < scores_.size(); ++i) {
      double& breadth = terms_[i][static_cast<size_t>(Aim::breadth)];
      if (categories_[i] != category || breadth == 0) continue;
      breadth = 0;
      if (scores_[i] != -INFINITY) scores_[i] = candidates_[i].logit + adjustment_of(terms_[i]);
    }
  }

  std::span<const SlateCandidate> candidates_;
  std::vector<Terms> terms_;
  std::vector<int32_t> categories_;
  std::vector<double> scores_;  // adjusted; -infinity: placed
};

}  // namespace

std::vector<Placed> place(const ObjectiveWeights& weights, const ItemOutcomes& outcomes,
                          std::span<const SlateCandidate> candidates, const Acquaintance& user, size_t count) {
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
    const bool fresh = categories[i] != kNoCategory && !user.categories[static_cast<size_t>(categories[i])];
    terms[i][static_cast<size_t>(Aim::breadth)] = fresh ? weights.breadth : 0;
  }
  Placement placement(candidates, std::move(terms), std::move(categories));
  std::vector<Placed> list;
  while (list.size() < std::min(count, candidates.size())) list.push_back(placement.next());
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
