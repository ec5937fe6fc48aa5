#include "server/feedback.h"

#include <algorithm>

namespace perennial {
namespace {

constexpr size_t kMostUsers = 16;  // of a slate

}  // namespace

void FeedbackUsers::note(const MessageId& slate, UserId user) {
  const std::lock_guard lock(mutex_);
  std::vector<UserId>& users = users_[slate];
  if (users.size() < kMostUsers && std::ranges::find(users, user) == users.end()) users.push_back(user);
  if (users_.size() > limit_) users_.erase(users_.begin());
}

std::vector<UserId> FeedbackUsers::of(const MessageId& slate) const {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(slate);
  return found == users_.end() ? std::vector<UserId>() : found->second;
}

}  // namespace perennial
