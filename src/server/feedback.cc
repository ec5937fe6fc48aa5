#include "server/feedback.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace perennial {
namespace {

constexpr size_t kMaxFeedbackUsers = 16;

struct NamedKind {
  std::string_view type;  // lower case
  FeedbackKind kind;
};

constexpr std::array kKinds = {
    NamedKind{"impression", FeedbackKind::impression},
    NamedKind{"product impression", FeedbackKind::impression},
    NamedKind{"product list viewed", FeedbackKind::impression},
    NamedKind{"promotion viewed", FeedbackKind::impression},
    NamedKind{"recommendation viewed", FeedbackKind::impression},
    NamedKind{"view", FeedbackKind::click},
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
  std::string lower(event_type);
  for (char& letter : lower) {
    letter = letter == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const NamedKind& named) { return named.type == lower; });
  return found == kKinds.end() ? FeedbackKind::other : found->kind;
}

void RecentSlates::add(ServedSlate slate) {
  const std::lock_guard lock(mutex_);
  const std::string id = slate.slate.recommendation_id;
  if (!by_id_.insert_or_assign(id, std::move(slate)).second) return;
  oldest_first_.push_back(id);
  while (oldest_first_.size() > limit_) {
    by_id_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
}

std::optional<ServedSlate> RecentSlates::find(const std::string& recommendation_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(recommendation_id);
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> RecentSlates::credit(const std::string& recommendation_id, std::string_view item,
                                                UserId user) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(recommendation_id);
  if (found == by_id_.end()) return std::nullopt;
  std::vector<UserId>& users = found->second.feedback_users;
  if (users.size() < kMaxFeedbackUsers && std::find(users.begin(), users.end(), user) == users.end())
    users.push_back(user);
  if (item.empty()) return "slate";
  for (const SlateItem& shown : found->second.slate.items) {
    if (shown.item == item) return shown.source;
  }
  return "not_in_slate";
}

void RecentSlates::forget_user(std::string_view user) {
  const std::lock_guard lock(mutex_);
  std::erase_if(by_id_, [&](const auto& entry) { return entry.second.user == user; });
}

size_t RecentSlates::size() const {
  const std::lock_guard lock(mutex_);
  return by_id_.size();
}

}  // namespace perennial
