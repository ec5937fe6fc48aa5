#include "model/cooccurrence.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace perennial {
namespace {

void keep_distinct(std::vector<int32_t>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

}  // namespace

std::vector<int32_t> distinct_items(std::span<const Token> history, int32_t items) {
  std::vector<int32_t> distinct;
  for (const Token& token : history)
    if (token.item >= 0 && token.item < items) distinct.push_back(token.item);
  keep_distinct(distinct);
  return distinct;
}

Cooccurrence::Cooccurrence(const ItemSequences& sequences, int32_t items)
    : items_(items), user_starts_{0}, item_starts_(static_cast<size_t>(items) + 1) {
  std::vector<int32_t> set;
  for (const std::vector<int32_t>& sequence : sequences) {
    set.clear();
    for (const int32_t item : sequence) {
      PERENNIAL_CHECK(item < items, "item {} of {}", item, items);
      if (item >= 0) set.push_back(item);
    }
    keep_distinct(set);
    user_items_.insert(user_items_.end(), set.begin(), set.end());
    user_starts_.push_back(static_cast<int64_t>(user_items_.size()));
  }
  for (const int32_t item : user_items_) ++item_starts_[static_cast<size_t>(item) + 1];
  std::partial_sum(item_starts_.begin(), item_starts_.end(), item_starts_.begin());
  std::vector<int64_t> next(item_starts_.begin(), item_starts_.end() - 1);
  item_users_.resize(user_items_.size());
  for (size_t user = 0; user < sequences.size(); ++user)
    for (int64_t at = user_starts_[user]; at < user_starts_[user + 1]; ++at)
      item_users_[static_cast<size_t>(next[static_cast<size_t>(user_items_[static_cast<size_t>(at)])]++)] =
          static_cast<int32_t>(user);
}

int32_t Cooccurrence::users_of(int32_t item) const {
  return static_cast<int32_t>(item_starts_[static_cast<size_t>(item) + 1] - item_starts_[static_cast<size_t>(item)]);
}

void Cooccurrence::count_with(int32_t item, std::span<float> counts) const {
  std::fill(counts.begin(), counts.end(), 0.0F);
  for (int64_t at = item_starts_[static_cast<size_t>(item)]; at < item_starts_[static_cast<size_t>(item) + 1]; ++at) {
    const auto user = static_cast<size_t>(item_users_[static_cast<size_t>(at)]);
    for (int64_t other = user_starts_[user]; other < user_starts_[user + 1]; ++other)
      ++counts[static_cast<size_t>(user_items_[static_cast<size_t>(other)])];
  }
}

}  // namespace perennial
