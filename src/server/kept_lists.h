// Lists that were made, kept as long as nothing that they depend on has changed: a user who looks again a minute later,
// and strangers, who all see the same, cost no ranking. Covered by server/kept_lists_test.cc and, against lists made
// anew, by server/engine_test.cc.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lifecycle/standing.h"
#include "recommend/recommender.h"

namespace perennial {

/// A list, ready for a reply and for the log.
struct ServedList {
  Recommendation recommendation;
  std::vector<SlateItem> slate_items;
  std::string members;  // list_members()
};

/// What a list and what its reply says of it depend on.
struct ListKey {
  ListBasis basis;             // its controls are the request's own
  uint64_t rules_version = 0;  // rules may add to them, by surface and stage
  std::string surface;
  Standing standing;
  ObjectiveWeights weights_told;  // that the stage asks for, applied or not
  std::string variant;

  bool operator==(const ListKey&) const = default;
};

/// Thread rule: any thread.
class KeptLists {
 public:
  static constexpr size_t kShareOfVectors = 8;  // their budget is this part of what users' vectors may take

  /// Those that were first kept longest ago go when there are more bytes than that, about.
  explicit KeptLists(size_t budget_bytes) : shard_budget_(budget_bytes / kShards) {}

  void set_budget(size_t bytes);

  /// The list that was kept with an equal key; null for none.
  [[nodiscard]] std::shared_ptr<const ServedList> find(const ListKey& key) const;

  void keep(ListKey key, std::shared_ptr<const ServedList> list);

  /// Forgets the user's, which can never be asked for again.
  void forget(UserId user);

  [[nodiscard]] size_t bytes() const;

 private:
  static constexpr size_t kShards = 16;

  struct Kept {
    ListKey key;
    std::shared_ptr<const ServedList> list;
    size_t bytes = 0;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<uint64_t, Kept> lists;  // by place_of: of two with one place that kept last
    std::deque<uint64_t> oldest_first;         // the places; may name forgotten ones
    size_t bytes = 0;
  };

  static uint64_t place_of(const ListKey& key);
  static void make_room(Shard& shard, size_t budget);

  std::atomic<size_t> shard_budget_;
  std::array<Shard, kShards> shards_;
};

}  // namespace perennial
