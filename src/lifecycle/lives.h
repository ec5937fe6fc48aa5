// The facts of every user, as a fold over the log: the same whatever the batches, with late events, merges and
// erasures. Covered by lifecycle/lives_test.cc. Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>

#include "base/files.h"
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

  /// Writes them atomically: `lives.snapshot` in the data directory.
  static Status save(const fs::path& data_folder, std::string_view snapshot);

  /// Loads it, and checks that it is of this log. failed_precondition when it was made with other signals or from
  /// another log; data_loss when its bytes are not whole; not_found when there is none. In each case this is empty and
  /// a replay from 0 gives the same.
  Status load(const fs::path& data_folder, LogReader& log);

  /// Replaces all; errors as load().
  Status parse(std::string_view bytes);

 private:
  /// The earliest event of a user that says who invited it.
  struct Referral {
    std::string inviter;  // its name
    TimeMs time = 0;
    Offset offset = 0;
    UserId credited = kNoId;  // perhaps merged since; kNoId: nobody of that name is known, or it is the user itself
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
  MessageId applied_message_;
  std::vector<UserId> touched_;
};

/// The time of the newest fact of all; kNoTime when there is none. Looks at everybody.
TimeMs newest_fact(const Lives& lives);

}  // namespace perennial
