// What was decided and is not delivered yet, as a fold over the log: after a crash it is all there again, and each goes
// out under the key that it had before. Covered by delivery/deliverer_test.cc. Thread rule: the owner locks.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "events/action_details.h"
#include "profiles/identities.h"

namespace perennial {

/// An action on its way.
struct Outgoing {
  std::string action_id;
  UserId user = kNoId;
  std::string name;
  std::string channel;
  TimeMs decided = 0;
  TimeMs due = 0;          // not before
  int attempts = 0;        // since the start of this process
  bool under_way = false;  // somebody is at it
  std::string trouble;     // why the last attempt came to nothing
  std::string body;        // of the handover, when one was tried
  std::string outcome;     // what became of it, when the log did not take it: it is not handed over again
};

/// One that failed for good.
struct DeadLetter {
  Outgoing outgoing;
  std::string reason;
  TimeMs failed = 0;
};

class Outbox {
 public:
  static constexpr size_t kMostDeadLetters = 1'000;  // the newest are kept

  /// Applies the next record of the log: actions to be delivered by us (kDeliverable in their details), what became of
  /// them, erasures.
  void apply(const StoredRecord& record) { apply(record, action_details(record)); }
  void apply(const StoredRecord& record, const ActionDetails& details);

  /// The one that has been due longest and that nobody is at, marked as under way; nullopt when there is none at `now`.
  std::optional<Outgoing> take(TimeMs now);

  /// One that was taken, back among those that wait, with what was learned of it. Nothing when it has left meanwhile.
  void put_back(Outgoing outgoing);

  /// One attempt more; how many there are now. 0 when it has left the outbox.
  int count_attempt(const std::string& action_id);

  [[nodiscard]] const Outgoing* find(const std::string& action_id) const;
  [[nodiscard]] size_t size() const { return waiting_.size(); }
  [[nodiscard]] const std::deque<DeadLetter>& dead_letters() const { return dead_letters_; }

  /// How many could go at `now`, or are under way.
  [[nodiscard]] size_t due(TimeMs now) const;

  /// When the next one is due that nobody is at; kNoTime when there is none.
  [[nodiscard]] TimeMs next_due() const { return due_.empty() ? kNoTime : due_.begin()->first; }

 private:
  [[nodiscard]] bool is_of(const Outgoing& outgoing, UserId user) const;
  void remove(std::unordered_map<std::string, Outgoing>::iterator outgoing);

  Identities identities_;
  std::unordered_map<std::string, Outgoing> waiting_;  // by action id
  std::set<std::pair<TimeMs, std::string>> due_;       // of those that nobody is at
  std::deque<DeadLetter> dead_letters_;                // rising
};

}  // namespace perennial
