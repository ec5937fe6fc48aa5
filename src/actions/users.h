// Users as the arbiter sees them, put together from what is known of them: stage, traits, forecasts, contacts.
// Covered by actions/users_test.cc. Thread rule: reads only; what it borrows must not change meanwhile.
#pragma once

#include "actions/planner.h"
#include "forecast/forecasts.h"
#include "lifecycle/lives.h"
#include "profiles/profiles.h"

namespace perennial {

/// The JSON text of a trait, or null.
const std::string* trait_of(const Profile& profile, std::string_view trait);

class ActionUsers {
 public:
  /// `forecasts` may be null: then no user has any. All outlive it.
  ActionUsers(const Lives& lives, const Profiles& profiles, const Forecasts* forecasts, const Contacts& contacts,
              const Dictionary& names, TimeMs now)
      : lives_(lives), profiles_(profiles), forecasts_(forecasts), contacts_(contacts), names_(names), now_(now) {}

  /// Everybody with an id in [first, end) who was there at the moment, by rising id; what is given is good during the
  /// call.
  void each(UserId first, UserId end, const std::function<void(const PlannedUser&)>& visit) const;

  /// Through merges; false, and no call, for a user who was not there.
  bool one(UserId user, const std::function<void(const PlannedUser&)>& visit) const;

 private:
  void visit_life(UserId user, const Life& life, const std::function<void(const PlannedUser&)>& visit) const;

  const Lives& lives_;
  const Profiles& profiles_;
  const Forecasts* forecasts_;
  const Contacts& contacts_;
  const Dictionary& names_;
  TimeMs now_;
};

}  // namespace perennial
