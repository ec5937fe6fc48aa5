#include "delivery/outbox.h"

#include <algorithm>

#include "base/json.h"

namespace perennial {
namespace {

std::string reason_in(const Delivery& delivery) {
  const Result<json::object> details = parse_json_object(delivery.details.empty() ? "{}" : delivery.details);
  const json::value* reason = details.ok() ? details->if_contains("reason") : nullptr;
  return reason != nullptr && reason->is_string() ? std::string(reason->get_string()) : "";
}

}  // namespace

void Outbox::apply(const StoredRecord& record, const ActionDetails& details) {
  if (const auto* action = std::get_if<Action>(&record.payload)) {
    if (!details.deliver || action->name == kNoAction) return;
    const auto [made, is_new] = waiting_.try_emplace(action->action_id);
    if (!is_new) return;
    made->second = {.action_id = action->action_id,
                    .user = record.user,
                    .name = action->name,
                    .channel = action->channel,
                    .decided = record.time,
                    .due = record.time};
    due_.emplace(record.time, action->action_id);
  } else if (const auto* delivery = std::get_if<Delivery>(&record.payload)) {
    if (delivery->outcome == kSentAgain) {
      const auto dead = std::ranges::find(dead_letters_, delivery->action_id,
                                          [](const DeadLetter& letter) { return letter.outgoing.action_id; });
      if (dead == dead_letters_.end()) return;
      Outgoing outgoing = std::move(dead->outgoing);
      dead_letters_.erase(dead);
      outgoing.attempts = 0;
      outgoing.trouble.clear();
      outgoing.outcome.clear();
      outgoing.body.clear();
      outgoing.decided = outgoing.due = record.time;
      due_.emplace(outgoing.due, outgoing.action_id);
      waiting_.insert_or_assign(outgoing.action_id, std::move(outgoing));
      return;
    }
    if (delivery->outcome == kDelivered)  // late, after it was given up
      std::erase_if(dead_letters_, [&](const DeadLetter& letter) {
        return letter.outgoing.action_id == delivery->action_id && is_of(letter.outgoing, record.user);
      });
    const auto found = waiting_.find(delivery->action_id);
    if (found == waiting_.end() || !is_of(found->second, record.user)) return;
    if (delivery->outcome == kDeliveryFailed) {
      found->second.under_way = false;
      dead_letters_.push_back({found->second, reason_in(*delivery), record.time});
      if (dead_letters_.size() > kMostDeadLetters) dead_letters_.pop_front();
    } else if (delivery->outcome != kDelivered) {
      return;
    }
    remove(found);
  } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
    identities_.merge(record.user, record.into);
  } else if (std::holds_alternative<Erasure>(record.payload)) {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      const auto next = std::next(at);
      if (is_of(at->second, record.user)) remove(at);
      at = next;
    }
    std::erase_if(dead_letters_, [&](const DeadLetter& letter) { return is_of(letter.outgoing, record.user); });
    identities_.forget(record.user);
  }
}

bool Outbox::is_of(const Outgoing& outgoing, UserId user) const {
  return identities_.resolve(outgoing.user) == identities_.resolve(user);
}

std::optional<Outgoing> Outbox::take(TimeMs now) {
  if (due_.empty() || due_.begin()->first > now) return std::nullopt;
  Outgoing& outgoing = waiting_.at(due_.begin()->second);
  due_.erase(due_.begin());
  outgoing.under_way = true;
  return outgoing;
}

void Outbox::put_back(Outgoing outgoing) {
  const auto found = waiting_.find(outgoing.action_id);
  if (found == waiting_.end() || !found->second.under_way) return;
  outgoing.attempts = found->second.attempts;
  outgoing.under_way = false;
  due_.emplace(outgoing.due, outgoing.action_id);
  found->second = std::move(outgoing);
}

int Outbox::count_attempt(const std::string& action_id) {
  const auto found = waiting_.find(action_id);
  return found == waiting_.end() ? 0 : ++found->second.attempts;
}

size_t Outbox::due(TimeMs now) const {
  const size_t under_way = waiting_.size() - due_.size();
  return under_way + static_cast<size_t>(std::distance(due_.begin(), due_.lower_bound({now + 1, ""})));
}

const Outgoing* Outbox::find(const std::string& action_id) const {
  const auto found = waiting_.find(action_id);
  return found == waiting_.end() ? nullptr : &found->second;
}

void Outbox::remove(std::unordered_map<std::string, Outgoing>::iterator outgoing) {
  due_.erase({outgoing->second.due, outgoing->first});
  waiting_.erase(outgoing);
}

}  // namespace perennial
