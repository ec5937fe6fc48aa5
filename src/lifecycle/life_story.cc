#include "lifecycle/life_story.h"

#include <algorithm>

#include "base/text.h"

namespace perennial {
namespace {

json::value time_or_null(TimeMs time) {
  return time == kNoTime || time == kNeverChanges ? json::value() : json::value(format_iso8601(time));
}

json::object to_json(const StoryChange& change) {
  const Transition& transition = change.transition;
  return {{"time", format_iso8601(transition.time)},
          {"stage", stage_name(transition.to.stage)},
          {"overlay", overlay_name(transition.to.overlay)},
          {"from_stage", stage_name(transition.from.stage)},
          {"from_overlay", overlay_name(transition.from.overlay)},
          {"cause", change.cause},
          {"offset", transition.offset == 0 ? json::value() : json::value(transition.offset)},
          {"rule", change.rule.empty() ? json::value() : json::value(change.rule)}};
}

const char* cause_in_time(const Transition& transition) {
  if (transition.from.stage != transition.to.stage) return "events left the rule's window";
  return transition.to.overlay == Overlay::none ? "the time after the return is over" : "silence";
}

}  // namespace

LifeStory story_of(const Definition& definition, const Life& life, std::string user_id, TimeMs at) {
  LifeStory story{std::move(user_id), at, standing_at(definition, life.facts, at), life.first_seen};
  story.next_change = next_change(definition, life.facts, at);
  for (const Transition& transition : transitions(definition, life.facts, at)) {
    const bool moved = transition.from.stage != transition.to.stage;
    StoryChange& change = story.changes.emplace_back(StoryChange{transition, {}, {}});
    if (moved) change.rule = definition.rules[static_cast<size_t>(transition.to.stage)].text;
    if (transition.offset == 0) change.cause = cause_in_time(transition);
  }
  return story;
}

Status name_causes(LifeStory& story, LogReader& log) {
  for (StoryChange& change : story.changes) {
    const Offset offset = change.transition.offset;
    if (offset == 0) continue;
    PERENNIAL_TRY(log.replay(offset - 1, offset, [&](const StoredRecord& record) {
      change.cause = log.event_types().name(record.type);
      return Status();
    }));
  }
  return {};
}

std::string in_words(const Standing& standing) {
  std::string words = stage_name(standing.stage);
  if (standing.overlay != Overlay::none) words.append(", ").append(overlay_name(standing.overlay));
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

json::object to_json(const LifeStory& story) {
  json::array changes;
  for (const StoryChange& change : story.changes) changes.push_back(to_json(change));
  return {{"user_id", story.user_id},
          {"at", format_iso8601(story.at)},
          {"stage", stage_name(story.standing.stage)},
          {"overlay", overlay_name(story.standing.overlay)},
          {"since", time_or_null(story.changes.empty() ? story.first_seen : story.changes.back().transition.time)},
          {"next_change", time_or_null(story.next_change)},
          {"transitions", std::move(changes)}};
}

}  // namespace perennial
