// Names that a transaction adds and erases, over a dictionary that others read: seen by the transaction at once, taken
// over by the dictionary when it is committed, dropped without a trace when it is not.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/check.h"
#include "events/ids.h"
#include "log/dictionary.h"

namespace perennial {

/// Thread rule: one thread at a time; it is the dictionary's one writer.
class PendingNames {
 public:
  explicit PendingNames(Dictionary& dictionary) : dictionary_(dictionary) { clear(); }

  /// The same, where it was looked up before: `hint` is what the dictionary said then, or kNoId, after so many
  /// erasures.
  [[nodiscard]] std::optional<uint32_t> find(std::string_view name, uint32_t hint, uint64_t erasures) const {
    return hint != kNoId && erasures == dictionary_.erasures() && erased_.empty() ? hint : find(name);
  }

  [[nodiscard]] std::optional<uint32_t> find(std::string_view name) const {
    if (!ids_.empty())
      if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
    const std::optional<uint32_t> id = dictionary_.find(name);
    return id.has_value() && erased_.contains(*id) ? std::nullopt : id;
  }

  /// The id that the next new name gets.
  [[nodiscard]] uint32_t next_id() const { return first_ + static_cast<uint32_t>(added_.size()); }

  uint32_t add(std::string_view name) {
    const uint32_t id = next_id();
    ids_.emplace(added_.emplace_back(name), id);
    return id;
  }

  void erase(uint32_t id) {
    erased_.insert(id);
    if (id < first_) return;
    ids_.erase(added_[id - first_]);
    added_[id - first_].clear();
  }

  void apply() {
    for (const uint32_t id : erased_) dictionary_.erase(id);
    for (size_t i = 0; i < added_.size(); ++i) {
      const auto id = first_ + static_cast<uint32_t>(i);
      PERENNIAL_CHECK(dictionary_.load(id, added_[i]), "id {} or its name stands for another", id);
    }
  }

  void clear() {
    ids_.clear();
    added_.clear();
    erased_.clear();
    first_ = dictionary_.size();
  }

 private:
  Dictionary& dictionary_;
  uint32_t first_ = 0;
  std::deque<std::string> added_;  // stable addresses: the keys of ids_ point into it
  std::unordered_map<std::string_view, uint32_t> ids_;
  std::unordered_set<uint32_t> erased_;
};

}  // namespace perennial
