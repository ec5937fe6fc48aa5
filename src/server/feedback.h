// Who said something of a slate.
// Covered by server/feedback_test.cc.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "events/slate.h"

namespace perennial {

/// Who sent events that name a slate, of the newest slates that have any: usually the user that it was served to, but
/// not when that was nobody. Thread rule: any thread.
class FeedbackUsers {
 public:
  explicit FeedbackUsers(size_t slates) : limit_(slates) {}

  void note(const MessageId& slate, UserId user);
  [[nodiscard]] std::vector<UserId> of(const MessageId& slate) const;

 private:
  size_t limit_;
  mutable std::mutex mutex_;
  std::map<MessageId, std::vector<UserId>> users_;  // by slate, the oldest first: its id begins with its time
};

}  // namespace perennial
