// What a merchandiser asks of a list, beyond whom it is for: which items may stand in it, which stand higher or first,
// and how alike they may be. Covered by recommend/recommender_test.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "recommend/item_filter.h"

namespace perennial {

/// Added to the logits of the items that pass: ln 2 = 0.69 counts an item as twice as likely. Negative buries.
struct Boost {
  ItemFilter filter;
  double by = 0;
  std::string why;  // a rule's name, for the reason; empty: the request

  bool operator==(const Boost&) const = default;
};

struct Controls {
  ItemFilter filter;                                // only these
  std::optional<std::vector<std::string>> include;  // only these ids
  std::vector<std::string> exclude;                 // not these
  std::vector<std::string> pin;  // these first, in this order, whatever the filter says, if they may be shown at all
  std::vector<Boost> boosts;
  double diversity = 0;     // ListRules
  int most_a_category = 0;  // ListRules' group, by first category; 0: any number
  double exploration = 0;   // ListRules

  bool operator==(const Controls&) const = default;

  /// What both ask for: filters, exclusions and boosts of both, pins behind each other, the tighter cap, the greater
  /// diversity and exploration. Ids that both include; when only one names such ids, those.
  void add(const Controls& other);

  [[nodiscard]] size_t hash() const;

  /// How much memory they take beyond themselves, about.
  [[nodiscard]] size_t bytes() const;

  /// Beyond what is allowed: whether the list is more than the best of it in order.
  [[nodiscard]] bool shape() const {
    return !boosts.empty() || diversity > 0 || most_a_category > 0 || exploration > 0;
  }
};

}  // namespace perennial
