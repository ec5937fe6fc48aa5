#include "delivery/deliverer.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "events/action_words.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr auto kLooks = std::chrono::milliseconds(200);  // at the clock, which may be a test's

}  // namespace

TimeMs pause_after(int attempts, const DelivererOptions& options, std::string_view action_id) {
  const double doubled = static_cast<double>(options.first_pause_ms) * std::exp2(std::clamp(attempts - 1, 0, 40));
  const double pause = std::min(doubled, static_cast<double>(options.longest_pause_ms));
  const double drawn = share_of("delivery.pause", fmt::format("{} {}", action_id, attempts));
  return static_cast<TimeMs>(pause * (0.8 + 0.4 * drawn));
}

Deliverer::Deliverer(DelivererOptions options, Dependencies dependencies)
    : options_(options), dependencies_(std::move(dependencies)) {}

void Deliverer::apply(const StoredRecord& record) {
  {
    const std::lock_guard lock(mutex_);
    outbox_.apply(record);
  }
  changed_.notify_one();
}

void Deliverer::start() {
  for (int i = 0; i < options_.at_once; ++i)
    threads_.emplace_back([this](const std::stop_token& stopped) { work(stopped); });
}

void Deliverer::stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  changed_.notify_all();
  threads_.clear();
}

void Deliverer::work(const std::stop_token& stopped) {
  while (!stopped.stop_requested()) {
    if (deliver_one()) continue;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stopped, kLooks, [this] {
      return outbox_.next_due() != kNoTime && outbox_.next_due() <= dependencies_.clock->now_ms();
    });
  }
}

bool Deliverer::deliver_one() {
  const TimeMs now = dependencies_.clock->now_ms();
  std::optional<Outgoing> taken;
  {
    const std::lock_guard lock(mutex_);
    taken = outbox_.take(now);
  }
  if (!taken) return false;
  Outgoing& outgoing = *taken;
  if (!outgoing.outcome.empty()) {
    finish(outgoing, outgoing.outcome.c_str(), outgoing.trouble, now);
    return true;
  }
  if (now >= outgoing.decided + options_.give_up_after_ms) {
    finish(outgoing, kDeliveryFailed, outgoing.trouble.empty() ? "too old" : "too old: " + outgoing.trouble, now);
    return true;
  }
  const Clearance clearance = dependencies_.may_send(outgoing, now);
  if (clearance.may == Clearance::May::never) {
    finish(outgoing, kDeliveryFailed, clearance.reason, now);
  } else if (clearance.may == Clearance::May::wait) {
    put_back(outgoing.action_id, std::max(clearance.until, now + 1), outgoing.trouble);
  } else {
    {
      const std::lock_guard lock(mutex_);
      outgoing.attempts = outbox_.count_attempt(outgoing.action_id);
      if (outgoing.attempts == 0) return true;  // erased meanwhile
    }
    settle(outgoing, dependencies_.transport->hand_over(outgoing.action_id, dependencies_.body_of(outgoing)),
           dependencies_.clock->now_ms());
  }
  return true;
}

void Deliverer::settle(const Outgoing& outgoing, const HandoverResult& result, TimeMs now) {
  switch (result.handover) {
    case Handover::delivered:
      return finish(outgoing, kDelivered, "", now);
    case Handover::refused:
      return finish(outgoing, kDeliveryFailed, result.reason, now);
    case Handover::again:
      break;
  }
  const TimeMs pause =
      std::max(pause_after(outgoing.attempts, options_, outgoing.action_id), result.retry_after_ms.value_or(0));
  put_back(outgoing.action_id, now + pause, result.reason);
}

/// What the log does not take is tried again; what was said is not asked again.
void Deliverer::finish(const Outgoing& outgoing, const char* outcome, const std::string& reason, TimeMs now) {
  json::object details = {{"attempts", outgoing.attempts}};
  if (!reason.empty()) details["reason"] = reason;
  const Status logged =
      dependencies_.log(outgoing, Delivery{outgoing.action_id, outcome, json::serialize(details)}, now);
  if (!logged.ok())
    put_back(outgoing.action_id, now + pause_after(outgoing.attempts, options_, outgoing.action_id), reason, outcome);
}

void Deliverer::put_back(const std::string& action_id, TimeMs due, const std::string& trouble,
                         const std::string& outcome) {
  const std::lock_guard lock(mutex_);
  outbox_.put_back(action_id, due, trouble, outcome);
}

size_t Deliverer::waiting() const {
  const std::lock_guard lock(mutex_);
  return outbox_.size();
}

std::vector<DeadLetter> Deliverer::dead_letters() const {
  const std::lock_guard lock(mutex_);
  return {outbox_.dead_letters().begin(), outbox_.dead_letters().end()};
}

}  // namespace perennial
