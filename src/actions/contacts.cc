#include "actions/contacts.h"

#include <algorithm>

namespace perennial {
namespace {

constexpr TimeMs kSlotMs = 600'000;
constexpr uint32_t kAll = 0;

}  // namespace

void Contacts::apply(const StoredRecord& record, const ActionDetails& details) {
  if (const auto* action = std::get_if<Action>(&record.payload)) {
    if (record.time == kNoTime) return;
    const UserId user = identities_.shorten(record.user);
    if (!details.chances.empty()) {
      TimeMs& last = last_draws_.try_emplace(user, record.time).first->second;
      last = std::max(last, record.time);
    }
    if (action->name == kNoAction) return;
    const Contact contact{record.time, add_name(action->name), add_name(action->channel), details.cost};
    std::vector<Contact>& contacts = contacts_[user];
    contacts.insert(std::ranges::upper_bound(contacts, contact.time, {}, &Contact::time), contact);
    newest_ = std::max(newest_, contact.time);
    forget_old(contacts);
    count(contact);
  } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
    const auto joined = identities_.merge(record.user, record.into);
    if (!joined) return;
    if (const auto draw = last_draws_.extract(joined->from); !draw.empty()) {
      TimeMs& last = last_draws_.try_emplace(joined->into, draw.mapped()).first->second;
      last = std::max(last, draw.mapped());
    }
    const auto from = contacts_.extract(joined->from);
    if (from.empty()) return;
    std::vector<Contact>& into = contacts_[joined->into];
    into.insert(into.end(), from.mapped().begin(), from.mapped().end());
    std::ranges::stable_sort(into, {}, &Contact::time);
  } else if (std::holds_alternative<Erasure>(record.payload)) {
    contacts_.erase(identities_.resolve(record.user));  // what was spent stays spent
    last_draws_.erase(identities_.resolve(record.user));
    identities_.forget(record.user);
  }
}

std::span<const Contact> Contacts::of(UserId user) const {
  const auto found = contacts_.find(identities_.resolve(user));
  return found == contacts_.end() ? std::span<const Contact>() : std::span(found->second);
}

Given Contacts::given(std::string_view scope, TimeMs since, TimeMs until) const {
  Given sum;
  const auto slots = by_name_.find(scope.empty() ? kAll : name_id(scope));
  if (slots == by_name_.end()) return sum;
  for (auto slot = slots->second.lower_bound(since / kSlotMs);
       slot != slots->second.end() && slot->first * kSlotMs <= until; ++slot) {
    sum.actions += slot->second.actions;
    sum.cost += slot->second.cost;
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

TimeMs Contacts::last_draw(UserId user) const {
  const auto found = last_draws_.find(identities_.resolve(user));
  return found == last_draws_.end() ? kNoTime : found->second;
}

void Contacts::count(const Contact& contact) {
  for (const uint32_t name : {kAll, contact.name, contact.channel}) {
    Slots& slots = by_name_[name];
    Given& given = slots[contact.time / kSlotMs];
    ++given.actions;
    given.cost += static_cast<double>(contact.cost);
    slots.erase(slots.begin(), slots.lower_bound((newest_ - keep_ms_) / kSlotMs));
  }
}

void Contacts::forget_old(std::vector<Contact>& contacts) const {
  contacts.erase(contacts.begin(), std::ranges::lower_bound(contacts, newest_ - keep_ms_, {}, &Contact::time));
}

}  // namespace perennial
