// Which actions users were given, as a fold over the log: what caps, repeats and budgets count. An action counts from
// the moment it was decided, whatever became of it: one that could not be handed over may have been received.
// Covered by actions/contacts_test.cc.
// Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "events/action_details.h"
#include "log/dictionary.h"
#include "profiles/identities.h"

namespace perennial {

struct Contact {
  TimeMs time = 0;
  uint32_t name = 0;     // Contacts::name_id of the action's name
  uint32_t channel = 0;  // and of its channel
  float cost = 0;        // expected, in major units

  bool operator==(const Contact&) const = default;
};

/// What was given to all users together.
struct Given {
  int64_t actions = 0;
  double cost = 0;
};

class Contacts {
 public:
  /// Contacts older than this before the newest are forgotten: as long as the longest window of the rules.
  explicit Contacts(TimeMs keep_ms) : keep_ms_(keep_ms + kMostAhead) {}

  /// Applies the next record of the log; all but actions, merges and erasures change nothing.
  void apply(const StoredRecord& record) { apply(record, action_details(record)); }
  void apply(const StoredRecord& record, const ActionDetails& details);

  /// Of all the user's identities, by time; good until the next change.
  [[nodiscard]] std::span<const Contact> of(UserId user) const;

  /// When something, be it nothing, was last drawn for the user; kNoTime: never.
  [[nodiscard]] TimeMs last_draw(UserId user) const;

  /// Of that action name or channel, or of all when it is empty, in (since, until]. Ten minutes are counted whole:
  /// those that begin before `since` and end after it count.
  [[nodiscard]] Given given(std::string_view scope, TimeMs since, TimeMs until) const;

  /// Of a name that was never seen: one that no contact has.
  [[nodiscard]] uint32_t name_id(std::string_view name) const;

 private:
  using Slots = std::map<int64_t, Given>;                       // of ten minutes
  static constexpr TimeMs kMostAhead = TimeMs{24} * 3'600'000;  // of now that a record may be dated

  uint32_t add_name(std::string_view name);
  void count(const Contact& contact);
  void forget_old(std::vector<Contact>& contacts) const;

  TimeMs keep_ms_;
  TimeMs newest_ = 0;
  Identities identities_;
  std::unordered_map<UserId, std::vector<Contact>> contacts_;
  std::unordered_map<std::string, uint32_t> names_;
  std::unordered_map<UserId, TimeMs> last_draws_;
  std::unordered_map<uint32_t, Slots> by_name_;  // of actions and of channels; 0: of all
};

}  // namespace perennial
