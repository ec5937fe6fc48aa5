// One user's stage at an instant and every change that led there, for people: with the rule of each and the event that
// caused it. Covered by server/http_lifecycle_test.cc and tests/journey_test.py.
#pragma once

#include "base/json.h"
#include "lifecycle/lives.h"

namespace perennial {

struct StoryChange {
  Transition transition;
  std::string cause;  // the event's type; or the silence, or the window that time alone ended
  std::string rule;   // of the stage that was reached; empty when the stage stayed
};

struct LifeStory {
  std::string user_id;
  TimeMs at = 0;
  Standing standing;
  TimeMs first_seen = kNoTime;
  TimeMs next_change = kNeverChanges;  // without another event nothing changes before
  std::vector<StoryChange> changes;    // rising in time
};

/// `causes` of events are left empty: name_causes() reads them from the log.
LifeStory story_of(const Definition& definition, const Life& life, std::string user_id, TimeMs at);

Status name_causes(LifeStory& story, LogReader& log);

/// "retention, at risk".
std::string in_words(const Standing& standing);

json::object to_json(const LifeStory& story);

}  // namespace perennial
