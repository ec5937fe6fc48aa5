#include "delivery/deliverer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/json.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr auto kLooks = std::chrono::milliseconds(200);  // at the clock, which may be a test's

Settled settle(const Outgoing& outgoing, const std::string& outcome, const std::string& reason) {
  json::object details = {{"attempts", outgoing.attempts}};
  if (!reason.empty()) details["reason"] = reason;
  return {outgoing, Delivery{outgoing.action_id, outcome, json::serialize(details)}, reason};
}

}  // namespace

TimeMs pause_after(int attempts, const DelivererOptions& options, std::string_view action_id) {
  const double doubled = static_cast<double>(options.first_pause_ms) * std::exp2(std::clamp(attempts - 1, 0, 40));
  const double pause = std::min(doubled, static_cast<double>(options.longest_pause_ms));
  const double drawn = share_of("delivery.pause", fmt::format("{} {}", action_id, attempts));
  return static_cast<TimeMs>(pause * (0.8 + 0.4 * drawn));
}

Deliverer::Deliverer(DelivererOptions options, Dependencies dependencies)
    : options_(options), dependencies_(std::move(dependencies)) {}

void Deliverer::apply(const StoredRecord& record, const ActionDetails& details) {
  {
    const std::lock_guard lock(mutex_);
    outbox_.apply(record, details);
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
    if (deliver_some()) continue;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stopped, kLooks, [this] {
      return outbox_.next_due() != kNoTime && outbox_.next_due() <= dependencies_.clock->now_ms();
    });
  }
}

bool Deliverer::deliver_some() {
  const TimeMs now = dependencies_.clock->now_ms();
  std::vector<Outgoing> going = take(now);
  if (going.empty()) return false;
  std::vector<Settled> settled;
  going = unsettled(std::move(going), now, settled);
  if (!going.empty()) going = cleared(std::move(going), now, settled);
  going = with_bodies(std::move(going), settled);
  if (!going.empty()) hand_over(std::move(going), settled);
  if (!settled.empty()) log(settled);
  return true;
}

std::vector<Outgoing> Deliverer::take(TimeMs now) {
  std::vector<Outgoing> taken;
  const std::lock_guard lock(mutex_);
  while (taken.size() < dependencies_.transport->most_at_once()) {
    std::optional<Outgoing> next = outbox_.take(now);
    if (!next) break;
    taken.push_back(*std::move(next));
  }
  return taken;
}

std::vector<Outgoing> Deliverer::unsettled(std::vector<Outgoing> taken, TimeMs now, std::vector<Settled>& settled) {
  std::vector<Outgoing> left;
  for (Outgoing& outgoing : taken) {
    if (!outgoing.outcome.empty())
      settled.push_back(settle(outgoing, outgoing.outcome, outgoing.trouble));
    else if (now >= outgoing.decided + options_.give_up_after_ms)
      settled.push_back(
          settle(outgoing, kDeliveryFailed, outgoing.trouble.empty() ? "too old" : "too old: " + outgoing.trouble));
    else
      left.push_back(std::move(outgoing));
  }
  return left;
}

/// Those that may go now; the others are settled, or put back.
std::vector<Outgoing> Deliverer::cleared(std::vector<Outgoing> asked, TimeMs now, std::vector<Settled>& settled) {
  const std::vector<Clearance> clearances = dependencies_.may_send(asked, now);
  PERENNIAL_CHECK(clearances.size() == asked.size(), "{} clearances of {}", clearances.size(), asked.size());
  std::vector<Outgoing> cleared;
  for (size_t i = 0; i < asked.size(); ++i) {
    Outgoing& outgoing = asked[i];
    const Clearance& clearance = clearances[i];
    if (clearance.may == Clearance::May::never) {
      settled.push_back(settle(outgoing, kDeliveryFailed, clearance.reason));
    } else if (clearance.may == Clearance::May::wait) {
      outgoing.due = std::max(clearance.until, now + 1);
      put_back(std::move(outgoing));
    } else {
      cleared.push_back(std::move(outgoing));
    }
  }
  return cleared;
}

/// An attempt is counted for each; who was erased since it was taken is left out.
std::vector<Outgoing> Deliverer::with_bodies(std::vector<Outgoing> cleared, std::vector<Settled>& settled) {
  std::vector<Outgoing> going;
  for (Outgoing& outgoing : cleared) {
    if (outgoing.body.empty()) {
      Result<std::string> body = dependencies_.body_of(outgoing);
      if (!body.ok()) {
        settled.push_back(settle(outgoing, kDeliveryFailed, body.status().message()));
        continue;
      }
      outgoing.body = *std::move(body);
    }
    going.push_back(std::move(outgoing));
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(going, [this](Outgoing& outgoing) {
    outgoing.attempts = outbox_.count_attempt(outgoing.action_id);
    return outgoing.attempts == 0;
  });
  return going;
}

void Deliverer::hand_over(std::vector<Outgoing> going, std::vector<Settled>& settled) {
  std::vector<Letter> letters;
  for (const Outgoing& outgoing : going) letters.push_back({outgoing.action_id, outgoing.body});
  const std::vector<HandoverResult> results = dependencies_.transport->hand_over(letters);
  PERENNIAL_CHECK(results.size() == going.size(), "{} results of {}", results.size(), going.size());
  const TimeMs now = dependencies_.clock->now_ms();
  for (size_t i = 0; i < going.size(); ++i) {
    Outgoing& outgoing = going[i];
    const HandoverResult& result = results[i];
    if (result.handover == Handover::again) {
      outgoing.due = now + std::max(pause_after(outgoing.attempts, options_, outgoing.action_id),
                                    result.retry_after_ms.value_or(0));
      outgoing.trouble = result.reason;
      put_back(std::move(outgoing));
    } else {
      settled.push_back(
          settle(outgoing, result.handover == Handover::delivered ? kDelivered : kDeliveryFailed, result.reason));
    }
  }
}

/// What the log does not take is tried again; what was said is not asked again.
void Deliverer::log(const std::vector<Settled>& settled) {
  const TimeMs now = dependencies_.clock->now_ms();
  if (dependencies_.log(settled, now).ok()) return;
  for (const auto& [settled_one, delivery, reason] : settled) {
    Outgoing outgoing = settled_one;
    outgoing.due = now + pause_after(outgoing.attempts, options_, outgoing.action_id);
    outgoing.trouble = reason;
    outgoing.outcome = delivery.outcome;
    put_back(std::move(outgoing));
  }
}

void Deliverer::put_back(Outgoing outgoing) {
  const std::lock_guard lock(mutex_);
  outbox_.put_back(std::move(outgoing));
}

size_t Deliverer::waiting() const {
  const std::lock_guard lock(mutex_);
  return outbox_.size();
}

size_t Deliverer::due() const {
  const TimeMs now = dependencies_.clock->now_ms();
  const std::lock_guard lock(mutex_);
  return outbox_.due(now);
}

std::vector<DeadLetter> Deliverer::dead_letters() const {
  const std::lock_guard lock(mutex_);
  return {outbox_.dead_letters().begin(), outbox_.dead_letters().end()};
}

}  // namespace perennial
