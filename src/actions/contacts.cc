#include "actions/contacts.h"

#include <algorithm>

#include "base/json.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr TimeMs kMinuteMs = 60'000;
constexpr uint32_t kAll = 0;

uint64_t hash_of(std::string_view action_id) { return stable_hash("action", action_id); }

/// "cost" of the details.
float cost_of(const Action& action) {
  if (action.details.empty()) return 0;
  const Result<json::object> details = parse_json_object(action.details);
  if (!details.ok()) return 0;
  const json::value* cost = details->if_contains("cost");
  return cost != nullptr && cost->is_number() ? static_cast<float>(cost->to_number<double>()) : 0;
}

}  // namespace

void Contacts::apply(const StoredRecord& record) {
  if (const auto* action = std::get_if<Action>(&record.payload)) {
    if (action->name == kNoAction || record.time == kNoTime) return;
    const Contact contact{record.time, hash_of(action->action_id), add_name(action->name), add_name(action->channel),
                          cost_of(*action)};
    std::vector<Contact>& contacts = contacts_[identities_.shorten(record.user)];
    contacts.insert(std::ranges::upper_bound(contacts, contact.time, {}, &Contact::time), contact);
    newest_ = std::max(newest_, contact.time);
    forget_old(contacts);
    count(contact, 1);
  } else if (const auto* delivery = std::get_if<Delivery>(&record.payload)) {
    if (delivery->outcome != kDeliveryFailed) return;
    const auto found = contacts_.find(identities_.shorten(record.user));
    if (found == contacts_.end()) return;
    const auto contact = std::ranges::find(found->second, hash_of(delivery->action_id), &Contact::action_id);
    if (contact == found->second.end()) return;
    count(*contact, -1);
    found->second.erase(contact);
  } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
    const auto joined = identities_.merge(record.user, record.into);
    if (!joined) return;
    const auto from = contacts_.extract(joined->from);
    if (from.empty()) return;
    std::vector<Contact>& into = contacts_[joined->into];
    into.insert(into.end(), from.mapped().begin(), from.mapped().end());
    std::ranges::stable_sort(into, {}, &Contact::time);
  } else if (std::holds_alternative<Erasure>(record.payload)) {
    contacts_.erase(identities_.resolve(record.user));  // what was spent stays spent
    identities_.forget(record.user);
  }
}

std::span<const Contact> Contacts::of(UserId user) const {
  const auto found = contacts_.find(identities_.resolve(user));
  return found == contacts_.end() ? std::span<const Contact>() : std::span(found->second);
}

Given Contacts::given(std::string_view scope, TimeMs since, TimeMs until) const {
  Given sum;
  const auto minutes = by_name_.find(scope.empty() ? kAll : name_id(scope));
  if (minutes == by_name_.end()) return sum;
  for (auto minute = minutes->second.lower_bound(since / kMinuteMs);
       minute != minutes->second.end() && minute->first * kMinuteMs <= until; ++minute) {
    sum.actions += minute->second.actions;
    sum.cost += minute->second.cost;
  }
  return sum;
}

uint32_t Contacts::name_id(std::string_view name) const {
  const auto found = names_.find(std::string(name));
  return found == names_.end() ? UINT32_MAX : found->second;
}

uint32_t Contacts::add_name(std::string_view name) {
  return names_.emplace(name, static_cast<uint32_t>(names_.size() + 1)).first->second;
}

void Contacts::count(const Contact& contact, int sign) {
  for (const uint32_t name : {kAll, contact.name, contact.channel}) {
    Minutes& minutes = by_name_[name];
    Given& given = minutes[contact.time / kMinuteMs];
    given.actions += sign;
    given.cost += sign * static_cast<double>(contact.cost);
    minutes.erase(minutes.begin(), minutes.lower_bound((newest_ - keep_ms_) / kMinuteMs));
  }
}

void Contacts::forget_old(std::vector<Contact>& contacts) const {
  contacts.erase(contacts.begin(), std::ranges::lower_bound(contacts, newest_ - keep_ms_, {}, &Contact::time));
}

}  // namespace perennial
