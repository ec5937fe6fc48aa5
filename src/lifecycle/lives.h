// The facts of every user, as a fold over the log: the same whatever the batches, with late events, merges and
// erasures. Covered by lifecycle/lives_test.cc. Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <functional>
#include <unordered_map>

#include "lifecycle/standing.h"
#include "log/dictionary.h"
#include "profiles/identities.h"

namespace perennial {

struct Life {
  TimeMs first_seen = kNoTime;  // of events and traits with a time
  UserFacts facts;
};

class Lives {
 public:
  /// `event_types` names the type ids of the records; it must know a type before a record of it is applied, and outlive
  /// this.
  Lives(Definition definition, const Dictionary& event_types);

  /// Applies the next record of the log. Amounts of money count in minor units whatever their currency is.
  void apply(const StoredRecord& record);

  [[nodiscard]] const Definition& definition() const { return definition_; }

  /// Through merges; null for a user of whom nothing is known, or that was erased.
  [[nodiscard]] const Life* find(UserId user) const;

  void for_each(const std::function<void(UserId, const Life&)>& visit) const;
  [[nodiscard]] size_t size() const { return lives_.size(); }

 private:
  [[nodiscard]] uint32_t signals_of(EventTypeId type);
  Life& life_of(const StoredRecord& record);

  Definition definition_;
  const Dictionary& event_types_;
  std::vector<std::vector<std::string>> types_of_signal_;  // as comparable_type writes them
  std::vector<uint32_t> signals_by_type_;                  // a bit a signal, of the types applied so far
  Identities identities_;
  std::unordered_map<UserId, Life> lives_;
};

/// How many users stand where.
struct StageCounts {
  std::array<std::array<int64_t, kOverlays>, kStages> users{};

  [[nodiscard]] int64_t in(Stage stage) const;
  [[nodiscard]] int64_t all() const;
};

/// Of the users first seen at or before `now`.
StageCounts count_stages(const Lives& lives, TimeMs now);

}  // namespace perennial
