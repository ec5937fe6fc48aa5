#include "profiles/profiles.h"

#include <algorithm>

#include "base/json.h"

namespace perennial {
namespace {

void widen_seen(Profile& profile, TimeMs time) {
  if (time == kNoTime) return;
  profile.first_seen = profile.first_seen == kNoTime ? time : std::min(profile.first_seen, time);
  profile.last_seen = std::max(profile.last_seen, time);
}

HistoryChange insert_token(std::vector<HistoryToken>& history, const HistoryToken& token, size_t limit) {
  const auto place = std::upper_bound(history.begin(), history.end(), token,
                                      [](const HistoryToken& a, const HistoryToken& b) { return a.before(b); });
  if (history.size() == limit && place == history.begin()) return HistoryChange::none;  // older than all that is kept
  const bool last = place == history.end();
  history.insert(place, token);
  if (history.size() > limit) history.erase(history.begin());
  return last ? HistoryChange::appended : HistoryChange::rewritten;
}

/// Money out of range stays at the end of the range.
void add_value(Profile& profile, const std::string& currency, int64_t minor_units) {
  int64_t& sum = profile.value_by_currency[currency];
  if (__builtin_add_overflow(sum, minor_units, &sum)) sum = minor_units < 0 ? INT64_MIN : INT64_MAX;
}

void set_trait(Profile& profile, const std::string& key, Trait trait) {
  Trait& kept = profile.traits[key];
  if (std::pair(trait.time, trait.offset) >= std::pair(kept.time, kept.offset)) kept = std::move(trait);
}

}  // namespace

Profiles::Profiles(EventRoles roles, const Dictionary& event_types, size_t history_limit)
    : roles_(std::move(roles)), event_types_(event_types), history_limit_(history_limit) {
  PERENNIAL_CHECK(history_limit > 0, "a history holds at least one token");
}

HistoryChange Profiles::apply(const StoredRecord& record) {
  if (record.user == kNoId) return HistoryChange::none;
  if (const auto* event = std::get_if<Event>(&record.payload)) return apply_event(record, *event);
  if (const auto* said = std::get_if<UserTraits>(&record.payload)) {
    const Result<json::object> traits = parse_json_object(said->traits);
    if (!traits.ok()) return HistoryChange::none;  // validate() keeps such records out of the log
    Profile& profile = profiles_.edit(identities_.shorten(record.user));
    widen_seen(profile, record.time);
    for (const auto& [key, value] : *traits)
      set_trait(profile, std::string(key), {json::serialize(value), record.time, record.offset});
  } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
    return merge(record.user, record.into);
  } else if (std::holds_alternative<Erasure>(record.payload)) {
    erase(record.user);
    return HistoryChange::rewritten;
  }
  return HistoryChange::none;
}

HistoryChange Profiles::apply_event(const StoredRecord& record, const Event& event) {
  Profile& profile = profiles_.edit(identities_.shorten(record.user));
  const EventRole role = role_of(record.type);
  widen_seen(profile, record.time);
  ++profile.event_counts[record.type];
  if (role.value && event.amount) add_value(profile, event.amount->currency, event.amount->minor_units);
  if (record.item == kNoId) return HistoryChange::none;
  if (role.negative) reject(profile, record.item, {record.time, record.offset});
  if (!role.token) return HistoryChange::none;
  HistoryToken token;
  token.time = record.time;
  token.offset = static_cast<uint64_t>(record.offset);
  token.type = record.type;
  token.item = record.item;
  token.value_bf16 = HistoryToken::to_bf16(event.value);
  token.device = device_class(event.device);
  const HistoryChange change = insert_token(profile.history, token, history_limit_);
  const auto rejection = profile.rejected.find(record.item);
  if (rejection != profile.rejected.end() && !role.negative &&
      Rejection{record.time, record.offset} > rejection->second)
    profile.rejected.erase(rejection);
  return change;
}

/// Whether the history has a token for the item that came later.
bool Profiles::speaks_for(const Profile& profile, ItemId item, const Rejection& rejection) {
  return std::any_of(profile.history.begin(), profile.history.end(), [&](const HistoryToken& token) {
    return token.item == item && !role_of(token.type).negative &&
           Rejection{token.time, static_cast<Offset>(token.offset)} > rejection;
  });
}

void Profiles::reject(Profile& profile, ItemId item, const Rejection& rejection) {
  if (speaks_for(profile, item, rejection)) return;
  Rejection& kept = profile.rejected[item];
  kept = std::max(kept, rejection);
  if (profile.rejected.size() <= history_limit_) return;
  profile.rejected.erase(std::min_element(profile.rejected.begin(), profile.rejected.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; }));
}

HistoryChange Profiles::merge(UserId from, UserId into) {
  const auto joined = identities_.merge(from, into);
  if (!joined) return HistoryChange::none;
  const std::optional<Profile> taken = profiles_.extract(joined->from);
  if (!taken) return HistoryChange::none;
  const Profile& other = *taken;
  Profile& profile = profiles_.edit(joined->into);
  std::vector<HistoryToken> both(profile.history.size() + other.history.size());
  std::merge(profile.history.begin(), profile.history.end(), other.history.begin(), other.history.end(), both.begin(),
             [](const HistoryToken& a, const HistoryToken& b) { return a.before(b); });
  if (both.size() > history_limit_) both.erase(both.begin(), both.end() - static_cast<ptrdiff_t>(history_limit_));
  profile.history = std::move(both);
  for (auto known = profile.rejected.begin(); known != profile.rejected.end();)
    known = speaks_for(profile, known->first, known->second) ? profile.rejected.erase(known) : known + 1;
  for (const auto& [item, rejection] : other.rejected) reject(profile, item, rejection);
  for (const auto& [key, trait] : other.traits) set_trait(profile, key, trait);
  for (const auto& [type, count] : other.event_counts) profile.event_counts[type] += count;
  for (const auto& [currency, value] : other.value_by_currency) add_value(profile, currency, value);
  widen_seen(profile, other.first_seen);
  widen_seen(profile, other.last_seen);
  return other.history.empty() ? HistoryChange::none : HistoryChange::rewritten;
}

void Profiles::erase(UserId user) {
  profiles_.erase(resolve(user));
  identities_.forget(user);
}

void Profiles::drain(const std::function<void(UserId, const Profile&)>& visit) {
  for (UserId user = 0; user < profiles_.end(); ++user)
    if (const std::optional<Profile> profile = profiles_.extract(user)) visit(user, *profile);
  clear();
}

EventRole Profiles::role_of(EventTypeId type) {
  while (role_by_type_.size() <= type) {
    const auto next = static_cast<EventTypeId>(role_by_type_.size());
    role_by_type_.push_back(roles_.role_of(event_types_.name(next)));
  }
  return role_by_type_[type];
}

void Profiles::clear() {
  identities_.clear();
  profiles_.clear();
}

}  // namespace perennial
