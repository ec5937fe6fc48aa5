// What a list is for, beyond being liked: the order that a model or popularity gives, moved within a bound towards the
// items after which the wished outcomes are more frequent. Covered by recommend/objective_test.cc.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "recommend/item_outcomes.h"

namespace perennial {

/// How much each outcome counts. A weight of 1 alone ranks by expected outcomes: the chance that the item is the next
/// touched times what comes of a touch of it. None below 0.
struct ObjectiveWeights {
  double conversion = 0;  // that it is bought
  double money = 0;       // what it brings: conversion times price
  double revisit = 0;     // that the user comes again
  double breadth = 0;     // a category that is new to the user, and that the list does not hold yet; in logits
  double sharing = 0;     // that others are told

  bool operator==(const ObjectiveWeights&) const = default;
  [[nodiscard]] bool any() const { return *this != ObjectiveWeights(); }
};

struct Objective {
  std::string name;  // "first_value"
  ObjectiveWeights weights;
};

/// No item passes another whose logit is more than twice this above its own, whatever the weights: ln 3, so that an
/// item must be liked at least a ninth as much.
inline constexpr double kMostAdjustment = 1.0986122886681098;

/// Candidates are the items asked for and, of those at most kReach below the last of them, as many more: no other can
/// come into the list.
inline constexpr float kReach = 2 * static_cast<float>(kMostAdjustment);
inline constexpr size_t kMoreCandidates = 300;

/// An item that may be shown, and the ln of how likely it is the next one touched, up to a constant of the list.
struct SlateCandidate {
  ItemId item = kNoId;
  double logit = 0;
  double boost = 0;  // added to it, beyond the objective's bound
};

/// What an objective asks of the user's past.
struct Acquaintance {
  std::vector<bool> categories;  // ItemOutcomes::categories() of them: whether the user has had to do with it
  bool customer = false;         // has bought: ItemOutcomes::is_customer
};

enum class Aim : uint8_t { conversion, money, revisit, breadth, sharing };

struct Placed {
  size_t candidate = 0;      // its place among the candidates
  double adjustment = 0;     // added to its logit: the objective's, within kMostAdjustment either way, boost, likeness
  std::optional<Aim> aim{};  // which of the weights lifted it most; none when nothing did noticeably
  double propensity = 1;     // that it comes here, given what stands above
  bool explored = false;     // it came by chance
};

/// What a list as a whole is to be like.
struct ListRules {
  /// MMR: taken off an item's logit for each unit of its greatest likeness to an item above it.
  double diversity = 0;
  std::function<double(size_t, size_t)> likeness;  // of two candidates, at most 1; needed with diversity
  std::vector<double> likeness_above{};            // of each candidate to the items that stand already; empty: 0

  size_t most_a_group = 0;               // items of a group in the list; 0: any number
  std::vector<int32_t> group;            // by candidate; below 0: of none. Needed with most_a_group
  std::map<int32_t, size_t> in_group{};  // items that stand in the list already

  /// At each place, with this probability, any candidate that may stand there, each as likely as the other.
  double exploration = 0;
  Random* random = nullptr;  // needed with exploration
};

/// The best `count` candidates by logit + adjustment, best first; ties by place. The adjustment of item i is
///   sum over outcomes k of w_k (x_ik - mean x_k) + w_breadth [its category is neither known nor in the list above],
/// kept within kMostAdjustment; x_ik = ln(rate of k after i / mean rate), for money ln(conversion x price), and the
/// mean is over the candidates by their chances, softmax of the logits. Boosts and the rules for the list come on top.
/// Fewer than `count` when the rules allow no more. O(candidates x count) at most.
std::vector<Placed> place(const ObjectiveWeights& weights, const ItemOutcomes& outcomes,
                          std::span<const SlateCandidate> candidates, const Acquaintance& user, size_t count,
                          const ListRules& rules = {});

/// For the user, why an item stands higher: "People come back after this".
std::string sentence_of(Aim aim, const std::string& objective);
const char* aim_name(Aim aim);

}  // namespace perennial
