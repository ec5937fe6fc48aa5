#include "server/feedback.h"

#include <algorithm>
#include <array>

#include "events/roles.h"

namespace perennial {
namespace {

constexpr size_t kMaxFeedbackUsers = 16;
constexpr size_t kBytesOfASlate = 1024;

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

/// Of the parts that requests decide.
size_t bytes_of(const ServedSlate& served) {
  size_t bytes = sizeof(ServedSlate) + served.slate.context.size();
  for (const SlateItem& item : served.slate.items) bytes += sizeof(SlateItem) + item.item.size();
  return bytes;
}

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

void RecentSlates::add(ServedSlate slate) {
  const std::lock_guard lock(mutex_);
  const std::string id = slate.slate.recommendation_id;
  const auto [place, is_new] = by_id_.try_emplace(id);
  if (is_new)
    oldest_first_.push_back(id);
  else
    bytes_ -= bytes_of(place->second);
  bytes_ += bytes_of(slate);
  place->second = std::move(slate);
  while (oldest_first_.size() > limit_ || bytes_ > limit_ * kBytesOfASlate) drop_oldest();
}

void RecentSlates::drop_oldest() {
  if (const auto oldest = by_id_.find(oldest_first_.front()); oldest != by_id_.end()) {
    bytes_ -= bytes_of(oldest->second);
    by_id_.erase(oldest);
  }
  oldest_first_.pop_front();
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
  std::erase_if(by_id_, [&](const auto& entry) {
    if (entry.second.user != user) return false;
    bytes_ -= bytes_of(entry.second);
    return true;
  });
}

size_t RecentSlates::size() const {
  const std::lock_guard lock(mutex_);
  return by_id_.size();
}

}  // namespace perennial
