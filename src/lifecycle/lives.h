// The facts of every user, as a fold over the log: the same whatever the batches, with late events, merges and
// erasures. Covered by lifecycle/lives_test.cc. Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>

#include "lifecycle/standing.h"
#include "log/event_log.h"
#include "profiles/identities.h"

namespace perennial {

struct Life {
  TimeMs first_seen = kNoTime;  // of events and traits with a time
  UserFacts facts;
  bool known = false;  // something has been said of the user
};

class Lives {
 public:
  /// The dictionaries name the ids of the records and of inviters; they must know a name before a record of it is
  /// applied, and outlive this.
  Lives(Definition definition, const Dictionary& event_types, const Dictionary& users);

  /// Applies the next record of the log. Amounts of money count in minor units whatever their currency is.
  void apply(const StoredRecord& record);

  /// Applies the log's records after applied() up to `up_to`.
  Status catch_up(LogReader& log, Offset up_to);

  /// Whose lives the last apply() changed, ended or joined to another.
  [[nodiscard]] std::span<const UserId> touched() const { return touched_; }

  [[nodiscard]] const Definition& definition() const { return definition_; }
  [[nodiscard]] Offset applied() const { return applied_; }

  /// Through merges; null for a user of whom nothing is known, or that was erased.
  [[nodiscard]] const Life* find(UserId user) const;

  /// The identity that the user was merged into; itself when never merged.
  [[nodiscard]] UserId root_of(UserId user) const { return identities_.resolve(user); }

  /// By rising id, without those that were merged into another.
  void for_each(const std::function<void(UserId, const Life&)>& visit) const;
  [[nodiscard]] size_t size() const { return known_; }

  /// The snapshot's bytes, a function of the records applied.
  [[nodiscard]] std::string serialize() const;

  /// Replaces all. failed_precondition when the bytes were made with other signals, data_loss when they are not whole;
  /// then this is empty.
  Status parse(std::string_view bytes);

 private:
  /// The earliest event of a user that says who invited it.
  struct Referral {
    std::string inviter;  // its name
    TimeMs time = 0;
    Offset offset = 0;
    UserId credited = kNoId;  // kNoId: nobody of that name is known, or it is the user itself
  };

  [[nodiscard]] uint32_t signals_of(EventTypeId type);
  [[nodiscard]] std::optional<std::string> inviter_of(const Event& event) const;
  [[nodiscard]] std::string fingerprint() const;
  Life& life_of(UserId user);
  Life& seen(const StoredRecord& record);
  void apply_event(const StoredRecord& record, const Event& event);
  void merge(UserId from, UserId into);
  void erase(UserId user);
  void refer(UserId invited, Referral referral);
  void credit(UserId invited, Referral& referral);
  void withdraw(UserId invited);
  void credit_waiting(UserId user);
  Status parse_lives(ByteReader& in);
  void clear();

  Definition definition_;
  const Dictionary& event_types_;
  const Dictionary& users_;
  std::optional<uint8_t> referral_;                        // the signal that credits inviters
  std::vector<std::vector<std::string>> types_of_signal_;  // as comparable_type writes them
  std::vector<uint32_t> signals_by_type_;                  // a bit a signal, of the types applied so far

  Identities identities_;
  std::deque<Life> lives_;  // by user id
  size_t known_ = 0;
  std::unordered_map<UserId, Referral> referrals_;        // by who was invited
  std::unordered_multimap<std::string, UserId> waiting_;  // inviter's name to who was invited: not credited
  Offset applied_ = 0;
  std::vector<UserId> touched_;
};

/// How many users stand where.
struct StageCounts {
  std::array<std::array<int64_t, kOverlays>, kStages> users{};

  [[nodiscard]] int64_t& of(const Standing& standing) {
    return users[static_cast<size_t>(standing.stage)][static_cast<size_t>(standing.overlay)];
  }
  [[nodiscard]] int64_t in(Stage stage) const;
  [[nodiscard]] int64_t all() const;
};

/// Of the users first seen at or before `now`.
StageCounts count_stages(const Lives& lives, TimeMs now);

}  // namespace perennial
