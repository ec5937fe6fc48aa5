// What the engine answers, with external names instead of the log's ids.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "lifecycle/standing.h"
#include "log/event_log.h"
#include "server/kept_lists.h"
#include "server/stage_objectives.h"

namespace perennial {

struct ServedRecommendation {
  MessageId id;  // new_recommendation_id()
  std::shared_ptr<const ServedList> list;
  ChosenObjective objective;
  Standing standing;  // the user's; that of a stranger when nothing is known
  double seconds = 0;

  [[nodiscard]] const Recommendation& recommendation() const { return list->recommendation; }
};

struct UserEvent {
  std::string type;
  std::string item_id;
  std::string item_title;
  TimeMs time = kNoTime;
  std::optional<double> value;
  std::string device;
};

struct UserView {
  std::string user_id;                // the identity that the asked one was merged into; itself when never merged
  std::vector<UserEvent> history;     // newest first
  size_t history_size = 0;            // tokens kept, shown or not
  std::vector<std::string> rejected;  // item ids, not shown to this user
  json::object traits;
  std::map<std::string, int64_t> event_counts;
  std::map<std::string, int64_t> value_by_currency;  // minor units
  TimeMs first_seen = kNoTime;
  TimeMs last_seen = kNoTime;
};

struct ItemView {
  std::string item_id;
  json::object fields;
  bool available = true;
};

struct SlateFeedback {
  std::string kind;  // feedback_kind_name
  std::string type;
  std::string item_id;
  std::string user_id;
  TimeMs time = kNoTime;
};

struct SlateView {
  Slate slate;
  std::vector<std::string> items;       // the slate's, by name
  std::vector<SlateFeedback> feedback;  // in the log's order
};

struct EngineStatus {
  Offset log_offset = 0;
  Offset snapshot_offset = 0;
  size_t users = 0;
  size_t users_in_memory = 0;  // the others lie in a file
  size_t items = 0;
  std::string model;  // its id, or "none"
};

}  // namespace perennial
