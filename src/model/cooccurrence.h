// Which items occur with which in users' histories: the sparse data behind item-kNN and EASE, never a dense
// users x items matrix. Covered by baselines_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/baselines.h"

namespace perennial {

/// The distinct items of a history that are in [0, items), rising.
std::vector<int32_t> distinct_items(std::span<const Token> history, int32_t items);

/// Users' item sets, by user and by item. Thread rule: immutable.
class Cooccurrence {
 public:
  Cooccurrence(const ItemSequences& sequences, int32_t items);

  [[nodiscard]] int32_t items() const { return items_; }

  /// How many users have the item.
  [[nodiscard]] int32_t users_of(int32_t item) const;

  /// Overwrites counts (items): at j, how many users have both `item` and j.
  void count_with(int32_t item, std::span<float> counts) const;

 private:
  int32_t items_;
  std::vector<int64_t> user_starts_;  // users + 1
  std::vector<int32_t> user_items_;
  std::vector<int64_t> item_starts_;  // items + 1
  std::vector<int32_t> item_users_;
};

}  // namespace perennial
