#include "profiles/profiles.h"

#include <algorithm>

#include "base/bytes.h"
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

std::vector<UserId> sorted_keys(const auto& map) {
  std::vector<UserId> keys;
  keys.reserve(map.size());
  for (const auto& [key, value] : map) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

void serialize_profile(std::string& out, const Profile& profile) {
  put(out, static_cast<uint64_t>(profile.history.size()));
  for (const HistoryToken& token : profile.history) put(out, token);
  put(out, static_cast<uint64_t>(profile.rejected.size()));
  for (const auto& [item, rejection] : profile.rejected) {
    put(out, item);
    put(out, rejection.time);
    put(out, rejection.offset);
  }
  put(out, static_cast<uint64_t>(profile.traits.size()));
  for (const auto& [key, trait] : profile.traits) {
    put_text(out, key);
    put_text(out, trait.value);
    put(out, trait.time);
    put(out, trait.offset);
  }
  put(out, static_cast<uint64_t>(profile.event_counts.size()));
  for (const auto& [type, count] : profile.event_counts) {
    put(out, type);
    put(out, count);
  }
  put(out, static_cast<uint64_t>(profile.value_by_currency.size()));
  for (const auto& [currency, value] : profile.value_by_currency) {
    put_text(out, currency);
    put(out, value);
  }
  put(out, profile.first_seen);
  put(out, profile.last_seen);
}

Profile parse_profile(ByteReader& in) {
  Profile profile;
  const uint64_t tokens = in.get_count(sizeof(HistoryToken));
  profile.history.reserve(tokens);
  for (uint64_t i = 0; i < tokens; ++i) profile.history.push_back(in.get<HistoryToken>());
  for (uint64_t i = in.get_count(20); i > 0 && in.ok(); --i) {
    const auto item = in.get<ItemId>();
    Rejection& rejection = profile.rejected[item];
    rejection.time = in.get<TimeMs>();
    rejection.offset = in.get<Offset>();
  }
  for (uint64_t i = in.get_count(16); i > 0 && in.ok(); --i) {
    std::string key(in.get_text());
    Trait trait{.value = std::string(in.get_text())};
    trait.time = in.get<TimeMs>();
    trait.offset = in.get<Offset>();
    profile.traits.emplace(std::move(key), std::move(trait));
  }
  for (uint64_t i = in.get_count(6); i > 0 && in.ok(); --i) {
    const auto type = in.get<EventTypeId>();
    profile.event_counts[type] = in.get<uint32_t>();
  }
  for (uint64_t i = in.get_count(16); i > 0 && in.ok(); --i) {
    std::string currency(in.get_text());
    profile.value_by_currency[std::move(currency)] = in.get<int64_t>();
  }
  profile.first_seen = in.get<TimeMs>();
  profile.last_seen = in.get<TimeMs>();
  return profile;
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
    Profile& profile = profiles_[identities_.shorten(record.user)];
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
  Profile& profile = profiles_[identities_.shorten(record.user)];
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
  auto node = profiles_.extract(joined->from);
  if (node.empty()) return HistoryChange::none;
  const Profile& other = node.mapped();
  Profile& profile = profiles_[joined->into];
  std::vector<HistoryToken> both(profile.history.size() + other.history.size());
  std::merge(profile.history.begin(), profile.history.end(), other.history.begin(), other.history.end(), both.begin(),
             [](const HistoryToken& a, const HistoryToken& b) { return a.before(b); });
  if (both.size() > history_limit_) both.erase(both.begin(), both.end() - static_cast<ptrdiff_t>(history_limit_));
  profile.history = std::move(both);
  std::erase_if(profile.rejected, [&](const auto& known) { return speaks_for(profile, known.first, known.second); });
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

const Profile* Profiles::find(UserId user) const {
  const auto found = profiles_.find(resolve(user));
  return found == profiles_.end() ? nullptr : &found->second;
}

void Profiles::for_each(const std::function<void(UserId, const Profile&)>& visit) const {
  for (const UserId user : sorted_keys(profiles_)) visit(user, profiles_.at(user));
}

void Profiles::drain(const std::function<void(UserId, const Profile&)>& visit) {
  for (const UserId user : sorted_keys(profiles_)) visit(user, profiles_.extract(user).mapped());
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

void Profiles::serialize(std::string& out) const {
  identities_.serialize(out);
  put(out, static_cast<uint64_t>(profiles_.size()));
  for_each([&](UserId user, const Profile& profile) {
    put(out, user);
    serialize_profile(out, profile);
  });
}

Status Profiles::parse(std::string_view bytes) {
  ByteReader in(bytes);
  clear();
  identities_.parse(in);
  for (uint64_t i = in.get_count(60); i > 0 && in.ok(); --i) {
    const auto user = in.get<UserId>();
    profiles_[user] = parse_profile(in);
  }
  if (in.ok() && in.at_end()) return {};
  clear();
  return data_loss("the profiles in the snapshot are cut short or not of this format");
}

}  // namespace perennial
