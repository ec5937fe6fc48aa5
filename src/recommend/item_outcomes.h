// What follows when somebody touches an item: that they buy it, come again, tell others. Learned from the histories,
// next to popularity; serving reads two numbers an item. Relies on credibility.h for items that few have touched.
// Covered by recommend/item_outcomes_test.cc.
#pragma once

#include <array>
#include <vector>

#include "profiles/state.h"

namespace perennial {

/// conversion: an event of value on the item within 7 days, by a user with such an event before; first_conversion: by
/// one without. What turns visitors into customers is not what customers buy. revisit: any event 6 hours to 7 days
/// later. sharing: a review or a share of the item within 30 days.
enum class ItemOutcome : uint8_t { conversion, first_conversion, revisit, sharing };
inline constexpr size_t kOutcomes = 4;

/// Which event types are of value, and which tell others, by event type id; a type beyond the end is neither.
struct OutcomeTypes {
  std::vector<bool> value;
  std::vector<bool> sharing;
};

inline constexpr int32_t kNoCategory = 0;  // of items that name none

/// Thread rule: immutable once made.
class ItemOutcomes {
 public:
  /// Knows nothing: every item is like the mean.
  ItemOutcomes() = default;

  /// An encounter begins when a user first touches an item, by an event that is not itself the outcome, and lasts as
  /// long as the outcome may take. Only the first: lists are of items that the user has not seen, and what is bought
  /// again and again is bought by those who know it. One that was not over at the newest event of all does not count,
  /// and events without a time do not.
  /// A user who buys much says nothing of the items, and neither does a look with something in the basket already. So
  /// an encounter's expectation is r_u r_b / p: p is the rate of all, r = (s + 10 p) / (n + 10) that of s successes in
  /// n encounters, r_u of the user's, r_b of those that began after an event of the same type in the same visit, or
  /// began one. Successes and expectations by item are shrunk to the item's category and to the whole
  /// (credible_ratios). `items` is how many ids there are. Two passes over the histories, about 0.2 us a token.
  static ItemOutcomes learn(const State& state, const OutcomeTypes& types, size_t items,
                            const WhileStill& still = at_once);

  /// ln of the item's chance of the outcome over the mean one, for the same user; 0 for an item not known.
  [[nodiscard]] double log_ratio(ItemOutcome outcome, ItemId item) const;

  /// ln of the item's price over the catalogue's geometric mean; 0 without a price in the currency that most have.
  [[nodiscard]] double log_price(ItemId item) const;

  /// The chance of the outcome at an encounter of a mean user with a mean item.
  [[nodiscard]] double mean_rate(ItemOutcome outcome) const { return mean_rates_[static_cast<size_t>(outcome)]; }

  /// Whether the user has an event of value.
  [[nodiscard]] bool is_customer(const Profile& profile) const;

  /// A number of the item's first category, below categories(); kNoCategory when it names none or is not known.
  [[nodiscard]] int32_t category(ItemId item) const;
  [[nodiscard]] int32_t categories() const { return categories_; }

 private:
  void read_catalogue(const Catalogue& catalogue, size_t count, const WhileStill& still);

  std::array<std::vector<float>, kOutcomes> log_ratios_;  // by item
  std::array<double, kOutcomes> mean_rates_{};
  OutcomeTypes types_;
  std::vector<float> log_prices_;         // by item
  std::vector<int32_t> category_of_;      // by item
  int32_t categories_ = kNoCategory + 1;  // that of none included
};

}  // namespace perennial
