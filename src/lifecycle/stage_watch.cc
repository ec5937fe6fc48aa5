#include "lifecycle/stage_watch.h"

#include <algorithm>

namespace perennial {
namespace {

constexpr TimeMs kMinuteMs = 60'000;

}  // namespace

StageWatch::StageWatch(const Lives& lives, TimeMs now)
    : lives_(lives), minute_(static_cast<uint32_t>(now / kMinuteMs)) {
  lives_.for_each([&](UserId user, const Life&) { look_at(user, now); });
  moves_ = {};
}

void StageWatch::touched(std::span<const UserId> users, TimeMs now) {
  for (const UserId user : users) look_at(user, now);
}

bool StageWatch::advance(TimeMs now, size_t most) {
  const auto until = static_cast<uint32_t>(now / kMinuteMs);
  size_t looked = 0;
  for (; minute_ <= until; enter_minute(minute_ + 1)) {
    std::vector<UserId>& due = minutes_[minute_ % kDayMinutes];
    for (; !due.empty() && looked < most; ++looked) {
      const auto from_the_end = [&](size_t i) { return due[due.size() - 1 - i]; };
      if (due.size() > kAhead) fetch(from_the_end(kAhead));
      lives_.look_ahead(0, due.size(), from_the_end);
      const UserId user = due.back();
      due.pop_back();
      ring(user, minute_, now);
    }
    if (!due.empty()) return true;
  }
  return false;
}

/// At the start of a day, those who are due on it are put at their minutes.
void StageWatch::enter_minute(uint32_t minute) {
  minute_ = minute;
  if (minute % kDayMinutes != 0) return;
  const auto node = days_.extract(minute / kDayMinutes);
  if (node.empty()) return;
  for (const UserId user : node.mapped())
    if (watched_[user].due_minute / kDayMinutes == node.key()) put_on_wheel(user, watched_[user].due_minute);
}

void StageWatch::ring(UserId user, uint32_t minute, TimeMs now) {
  Watched& watched = watched_[user];
  if (watched.due_minute > minute) return;  // stale
  watched.due_minute = kNever;
  if (watched.change_minute <= minute)
    look_at(user, now);
  else
    schedule(user, watched);
}

void StageWatch::look_at(UserId user, TimeMs now) {
  const Found<Life> life = lives_.root_of(user) == user ? lives_.find(user) : nullptr;  // not those merged into another
  if (user >= watched_.size()) {
    if (life == nullptr) return;
    watched_.resize(user + size_t{1});
  }
  Watched& watched = watched_[user];
  const Standing before = watched.standing;
  if (watched.known) --counts_.of(before);
  const bool was_known = std::exchange(watched.known, life != nullptr);
  if (life == nullptr) {
    watched = {};
    return;
  }
  watched.standing = standing_at(lives_.definition(), life->facts, now);
  ++counts_.of(watched.standing);
  // Whoever is new comes from acquisition: that is where everybody begins.
  const Stage from = was_known ? before.stage : Stage::acquisition;
  if (from != watched.standing.stage) ++moves_[static_cast<size_t>(from)][static_cast<size_t>(watched.standing.stage)];
  const TimeMs change = next_change(lives_.definition(), life->facts, now);
  watched.change_minute = change == kNeverChanges
                              ? kNever
                              : static_cast<uint32_t>(std::clamp<TimeMs>(change / kMinuteMs + 1, 0, kNever - 1));
  schedule(user, watched);
}

/// A user that is due earlier stays there, and is put back then: most changes are put off by the next event.
void StageWatch::schedule(UserId user, Watched& watched) {
  if (watched.change_minute >= watched.due_minute) return;
  watched.due_minute = watched.change_minute;
  put_on_wheel(user, watched.due_minute);
}

void StageWatch::put_on_wheel(UserId user, uint32_t minute) {
  minute = std::max(minute, minute_);
  if (minute / kDayMinutes == minute_ / kDayMinutes)
    minutes_[minute % kDayMinutes].push_back(user);
  else
    days_[minute / kDayMinutes].push_back(user);
}

}  // namespace perennial
