// The facts of every user, as a fold over the log: the same whatever the batches, with late events, merges and
// erasures. Covered by lifecycle/lives_test.cc. Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "base/files.h"
#include "lifecycle/standing.h"
#include "log/event_log.h"
#include "profiles/identities.h"
#include "profiles/snapshot.h"

namespace perennial {

struct Life {
  TimeMs first_seen = kNoTime;  // of events and traits with a time
  UserFacts facts;

  [[gnu::always_inline]] void fetch() const { facts.fetch(); }
};

template <>
struct UserCodec<Life> {
  static void encode(const Life& life, std::string& out);
  static bool decode(ByteReader& in, Life& life);
  static size_t bytes(const Life& life);
};

class Lives {
 public:
  /// The dictionaries name the ids of the records and of inviters; they must know a name before a record of it is
  /// applied, and outlive this.
  Lives(Definition definition, const Dictionary& event_types, const Dictionary& users);

  /// Applies the next record of the log. Amounts of money count in minor units whatever their currency is.
  void apply(const StoredRecord& record);

  /// Of lives that are looked for one after the other, user_at(i) for i < count: from where the caller stands, `at`,
  /// brings near those of the next dozen. Each lies elsewhere, and waiting for it is most of what looking for it costs.
  template <class UserAt>
  [[gnu::always_inline]] void look_ahead(size_t at, size_t count, UserAt user_at) const {
    constexpr size_t kSlots = 12;
    constexpr size_t kFacts = 6;
    if (at + kSlots < count) lives_.fetch_slot(user_at(at + kSlots));
    if (at + kFacts < count) lives_.fetch_value(user_at(at + kFacts));
  }

  /// The same of records that are applied in order.
  [[gnu::always_inline]] void look_ahead(size_t at, std::span<const StoredRecord> records) const {
    look_ahead(at, records.size(), [&](size_t i) { return records[i].user; });
  }

  /// Applies the log's records after applied() up to `up_to`.
  Status catch_up(LogReader& log, Offset up_to);

  /// Whose lives the last apply() changed, ended or joined to another.
  [[nodiscard]] std::span<const UserId> touched() const { return touched_; }

  [[nodiscard]] const Definition& definition() const { return definition_; }
  [[nodiscard]] Offset applied() const { return applied_; }

  /// Through merges; null for a user of whom nothing is known, or that was erased.
  [[nodiscard]] Found<Life> find(UserId user) const { return lives_.find(identities_.resolve(user)); }

  /// The identity that the user was merged into; itself when never merged.
  [[nodiscard]] UserId root_of(UserId user) const { return identities_.resolve(user); }

  /// By rising id, without those that were merged into another; of ids in [first, end) only.
  void for_each(const std::function<void(UserId, const Life&)>& visit) const { lives_.for_each(visit); }
  void for_each(UserId first, UserId end, const std::function<void(UserId, const Life&)>& visit) const {
    lives_.for_each(first, end, visit);
  }
  [[nodiscard]] size_t size() const { return lives_.size(); }
  [[nodiscard]] UserId end() const { return lives_.end(); }  // one past the highest id

  /// From now on lives that do not fit into the budget go to a file in the folder: UserStore.
  Status spill_to(const fs::path& folder) { return lives_.spill_to(folder); }
  void set_budget(size_t bytes) { lives_.set_budget(bytes); }
  [[nodiscard]] UserStore<Life>& users() { return lives_; }

  /// Writes `lives.snapshot` in the data directory, as State::save does.
  Status save(const fs::path& data_folder, const WhileStill& still);

  /// Loads it. failed_precondition when it was made with other signals; data_loss when its bytes are not whole;
  /// not_found when there is none. In each case this is empty and a replay from 0 gives the same.
  Status load(const fs::path& data_folder);

  /// failed_precondition when the last record applied is not in the log: the lives are of another one, and are emptied.
  Status check_log(LogReader& log);

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
  Status read(BlockReader& blocks);
  Status read_referrals(std::string_view block);
  [[nodiscard]] std::string encoded_referrals() const;
  void clear();

  Definition definition_;
  const Dictionary& event_types_;
  const Dictionary& users_;
  std::optional<uint8_t> referral_;                        // the signal that credits inviters
  std::vector<std::vector<std::string>> types_of_signal_;  // as comparable_type writes them
  std::vector<uint32_t> signals_by_type_;                  // a bit a signal, of the types applied so far

  Identities identities_;
  UserStore<Life> lives_;
  std::unordered_map<UserId, Referral> referrals_;        // by who was invited
  std::unordered_multimap<std::string, UserId> waiting_;  // inviter's name to who was invited: not credited
  Offset applied_ = 0;
  MessageId applied_message_;
  std::vector<UserId> touched_;
};

/// The time of the newest fact of all; kNoTime when there is none. Looks at everybody.
TimeMs newest_fact(const Lives& lives);

}  // namespace perennial
