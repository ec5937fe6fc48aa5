#include "server/feedback.h"

#include <algorithm>
#include <array>

#include "events/roles.h"

namespace perennial {
namespace {

constexpr size_t kMostUsers = 16;  // of a slate

struct NamedKind {
  std::string_view type;  // as comparable_type writes it
  FeedbackKind kind;
};

constexpr std::array kKinds = {
    NamedKind{"impression", FeedbackKind::impression},
    NamedKind{"product impression", FeedbackKind::impression},
    NamedKind{"product list viewed", FeedbackKind::impression},
    NamedKind{"promotion viewed", FeedbackKind::impression},
    NamedKind{"recommendation viewed", FeedbackKind::impression},
    NamedKind{"impressions", FeedbackKind::impression},
    NamedKind{"view item list", FeedbackKind::impression},
    NamedKind{"view", FeedbackKind::click},
    NamedKind{"view item", FeedbackKind::click},
    NamedKind{"select item", FeedbackKind::click},
    NamedKind{"click", FeedbackKind::click},
    NamedKind{"product clicked", FeedbackKind::click},
    NamedKind{"product viewed", FeedbackKind::click},
    NamedKind{"promotion clicked", FeedbackKind::click},
    NamedKind{"recommendation clicked", FeedbackKind::click},
    NamedKind{"video content started", FeedbackKind::click},
    NamedKind{"video playback started", FeedbackKind::click},
    NamedKind{"order", FeedbackKind::order},
    NamedKind{"order completed", FeedbackKind::order},
    NamedKind{"purchase", FeedbackKind::order},
    NamedKind{"buy", FeedbackKind::order},
    NamedKind{"transaction", FeedbackKind::order},
};

}  // namespace

const char* feedback_kind_name(FeedbackKind kind) {
  switch (kind) {
    case FeedbackKind::impression:
      return "impression";
    case FeedbackKind::click:
      return "click";
    case FeedbackKind::order:
      return "order";
    case FeedbackKind::other:
      return "other";
  }
  return "other";
}

FeedbackKind feedback_kind(std::string_view event_type) {
  const std::string name = comparable_type(event_type);
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const NamedKind& named) { return named.type == name; });
  return found == kKinds.end() ? FeedbackKind::other : found->kind;
}

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
