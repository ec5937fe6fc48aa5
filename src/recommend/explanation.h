// Why the model ranks an item where it does: which events of the user raised its score and by how much, found by taking
// each away and ranking anew. Covered by recommend/explanation_test.cc.
#pragma once

#include <optional>
#include <vector>

#include "profiles/profile.h"
#include "recommend/serving_model.h"

namespace perennial {

/// An item that the user touched, and how much higher the explained item scores because of it.
struct Cause {
  ItemId item = kNoId;
  float by = 0;  // in logits, above 0

  bool operator==(const Cause&) const = default;
};

/// All removals of one user, made once for a whole list. One is of all events with an item among the newest 48: of
/// those further back no single one decides, and they stay. What stands before the removed events is read once, what
/// stands after them anew.
class Removals {
 public:
  /// The profile must have a history; `inputs` as the list was made with, at `instant`.
  Removals(const ServingModel& model, const Profile& profile, const ReadInputs& inputs, TimeMs instant);

  /// What raised the item's score, greatest first, at most `most`. The item itself is no cause. The item must be one of
  /// the model's.
  [[nodiscard]] std::vector<Cause> causes(ItemId item, size_t most) const;

 private:
  static constexpr size_t kEvents = 48;

  const ServingModel& model_;
  std::vector<float> u_;  // of the whole history
  std::vector<ItemId> items_;
  std::vector<std::vector<float>> without_;  // u, by item
};

/// The history without any event of these items.
Profile without_items(const Profile& profile, std::span<const ItemId> items);

}  // namespace perennial
