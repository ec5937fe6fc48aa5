// Users' history vectors, kept: a request for somebody to whom nothing happened since the last one computes nothing. Of
// users who ask and act again keys and values are kept too, so that one more event costs one token and not the history.
// All of it can be dropped at any time and is made again from the profile. Covered by recommend/user_vectors_test.cc.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "profiles/profiles.h"
#include "recommend/serving_model.h"

namespace perennial {

/// Thread rule: any thread, while the state does not move but by the caller of changed().
class UserVectors {
 public:
  /// What is kept stays within the bytes, but for what the calls under way are working on. Below 16 times a cache of
  /// the model no keys and values are kept.
  explicit UserVectors(size_t budget_bytes) { set_budget(budget_bytes); }

  /// From the next change of what is kept on.
  void set_budget(size_t bytes) { shard_budget_ = bytes / kShards; }

  /// Drops what is over the budget.
  void make_room();

  /// To be told of each record's effect on the history of a user, the one that identities resolve to, before the next
  /// read.
  void changed(UserId user, HistoryChange change);

  /// h (vector_width()) of the profile's history under the model; zeros for an empty one. Whatever was kept, within
  /// 1e-4 of reading the whole history, where h's numbers are about 1: the last digits depend on it.
  std::vector<float> history_vector(const std::shared_ptr<const ServingModel>& model, UserId user,
                                    const Profile& profile);

  /// After events: appends them where that is cheap and nobody reads the user now, so that the next read has nothing to
  /// do. How many tokens, at most 16.
  size_t catch_up(const std::shared_ptr<const ServingModel>& model, UserId user, const Profile& profile);

  struct Counts {
    int64_t vectors = 0;  // kept
    int64_t caches = 0;   // of them with keys and values
    int64_t bytes = 0;
    int64_t reads = 0;     // since the start, as are:
    int64_t appended = 0;  // tokens
    int64_t whole = 0;     // histories read from their beginning
  };
  [[nodiscard]] Counts counts() const;

 private:
  static constexpr size_t kShards = 16;

  struct Entry {
    std::mutex mutex;                         // guards what follows
    std::weak_ptr<const ServingModel> model;  // whose they are
    std::vector<float> h;                     // empty: nothing stands
    std::optional<Ensemble::Cache> cache;
    size_t cache_bytes = 0;
    size_t behind = 0;  // of the history's last tokens, those that were not read yet
    bool acts = false;  // something happened since the user first asked
  };
  using Order = std::list<UserId>;  // the last used first
  struct Kept {
    std::shared_ptr<Entry> entry;
    Order::iterator place;
    size_t bytes = 0;
    bool cached = false;  // it stands in `cached`, not in `plain`
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<UserId, Kept> users;
    Order cached, plain;
    Counts counts;
  };

  Shard& shard_of(UserId user) { return shards_[mix64(user) % kShards]; }
  std::shared_ptr<Entry> find(UserId user, bool asks);
  static bool is_current(const Entry& entry, const std::shared_ptr<const ServingModel>& model);
  static size_t append(Entry& entry, const ServingModel& model, const Profile& profile);
  static size_t bytes_of(const Entry& entry);
  void account(UserId user, const std::shared_ptr<Entry>& entry, const Counts& done);
  static void book(Shard& shard, Kept& kept);
  void make_room(Shard& shard) const;

  std::atomic<size_t> shard_budget_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace perennial
