// Which slate an event is feedback to: the recent slates in memory, and the kinds of feedback that are counted.
// Covered by server/feedback_test.cc.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "events/record.h"

namespace perennial {

enum class FeedbackKind { impression, click, order, other };
const char* feedback_kind_name(FeedbackKind kind);

/// By the event's type: Segment's commerce names and their plain kin ("impression", "click", "purchase").
FeedbackKind feedback_kind(std::string_view event_type);

/// A slate as it was served.
struct ServedSlate {
  std::string user;  // external id, or empty
  TimeMs time = 0;
  Slate slate;
  std::vector<UserId> feedback_users;  // who sent events that name it; usually the user itself
};

/// The newest slates by recommendation id; the oldest is dropped for a new one above `limit` slates, or above 1 KB a
/// slate of the limit.
/// Thread rule: any thread.
class RecentSlates {
 public:
  explicit RecentSlates(size_t limit) : limit_(limit) {}

  void add(ServedSlate slate);

  [[nodiscard]] std::optional<ServedSlate> find(const std::string& recommendation_id) const;

  /// Notes that `user` sent an event about `item` (maybe empty: the slate as a whole) and returns the source that put
  /// the item there: "slate" for the whole, "not_in_slate" for an item it did not hold, none when the slate is not
  /// known here.
  std::optional<std::string> credit(const std::string& recommendation_id, std::string_view item, UserId user);

  /// Drops every slate served to that external id.
  void forget_user(std::string_view user);

  [[nodiscard]] size_t size() const;

 private:
  void drop_oldest();

  size_t limit_;
  size_t bytes_ = 0;  // of those in by_id_, about
  mutable std::mutex mutex_;
  std::unordered_map<std::string, ServedSlate> by_id_;
  std::deque<std::string> oldest_first_;  // may hold ids that were dropped by forget_user
};

}  // namespace perennial
