// What an event says of a slate, and who said it.
// Covered by server/feedback_test.cc.
#pragma once

#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "events/slate.h"

namespace perennial {

enum class FeedbackKind { impression, click, order, other };
const char* feedback_kind_name(FeedbackKind kind);

/// By the event's type: Segment's commerce names and their plain kin ("impression", "click", "purchase").
FeedbackKind feedback_kind(std::string_view event_type);

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
