// All users as a fold over the log. The same records in the same order give the same state to the bit, whatever the
// batches, and through a snapshot. Covered by profiles/profiles_test.cc against a simple model.
// Thread rule: many readers or one writer; the owner locks.
#pragma once

#include <functional>

#include "events/roles.h"
#include "log/dictionary.h"
#include "profiles/identities.h"
#include "profiles/profile.h"

namespace perennial {

/// What a record did to the history of its user.
enum class HistoryChange { none, appended, rewritten };

class Profiles {
 public:
  static constexpr size_t kUnlimited = SIZE_MAX;

  /// `event_types` names the type ids of the records; it must know a type before a record of it is applied, and outlive
  /// this.
  Profiles(EventRoles roles, const Dictionary& event_types, size_t history_limit);

  /// Applies the next record of the log. Records that concern no user are ignored. What it tells is of the history of
  /// the user that the record's resolves to afterwards; an erasure rewrites it, and a merge that brings tokens.
  HistoryChange apply(const StoredRecord& record);

  /// The user's profile, through merges; null for a user without one (never seen, or erased).
  [[nodiscard]] Found<Profile> find(UserId user) const { return profiles_.find(resolve(user)); }

  /// Whether find() finds one, without reading it.
  [[nodiscard]] bool contains(UserId user) const { return profiles_.contains(resolve(user)); }

  /// The identity that `user` was merged into, at the end of the chain; itself when never merged.
  [[nodiscard]] UserId resolve(UserId user) const { return identities_.resolve(user); }

  /// The user that `user` was merged into, and all that were merged into it.
  [[nodiscard]] std::vector<UserId> identities_of(UserId user) const { return identities_.all_of(user); }

  /// Every profile, in rising order of user id: the same order whatever the history of this object.
  void for_each(const std::function<void(UserId, const Profile&)>& visit) const { profiles_.for_each(visit); }

  /// The same in steps, each within `still`: UserStore::for_each.
  void for_each(const WhileStill& still, const std::function<void(UserId, const Profile&)>& visit) const {
    profiles_.for_each(still, visit);
  }

  /// The same, and each is taken out for its visit: who turns them into something else needs no room for both.
  void drain(const std::function<void(UserId, const Profile&)>& visit);

  /// Where they are kept: how much memory they may take, what is put away, snapshots.
  [[nodiscard]] UserStore<Profile>& store() { return profiles_; }
  [[nodiscard]] const UserStore<Profile>& store() const { return profiles_; }
  [[nodiscard]] const Identities& identities() const { return identities_; }
  [[nodiscard]] Identities& identities() { return identities_; }

  [[nodiscard]] size_t size() const { return profiles_.size(); }
  [[nodiscard]] size_t history_limit() const { return history_limit_; }

  void clear();

 private:
  EventRole role_of(EventTypeId type);
  bool speaks_for(const Profile& profile, ItemId item, const Rejection& rejection);
  void reject(Profile& profile, ItemId item, const Rejection& rejection);
  HistoryChange apply_event(const StoredRecord& record, const Event& event);
  HistoryChange merge(UserId from, UserId into);
  void erase(UserId user);

  EventRoles roles_;
  const Dictionary& event_types_;
  size_t history_limit_;
  UserStore<Profile> profiles_;
  Identities identities_;
  std::vector<EventRole> role_by_type_;  // of the types applied so far
};

}  // namespace perennial
