// What the details of an action's record say, and the words that records of actions and deliveries use. Covered by
// events/action_details_test.cc.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "events/record.h"

namespace perennial {

inline constexpr const char* kNoAction = "nothing";       // of an action: what was drawn is to do nothing
inline constexpr const char* kDelivered = "delivered";    // of a delivery
inline constexpr const char* kDeliveryFailed = "failed";  // of a delivery: it will not be tried again
inline constexpr const char* kSentAgain = "sent_again";   // of a delivery: somebody wants it tried again after all
inline constexpr const char* kDeliverable = "deliver";    // in an action's details, like the next two
inline constexpr const char* kCost = "cost";
inline constexpr const char* kChances = "chances";

/// The records that say what was done for whom, and what became of it and of them.
inline constexpr std::array kActionRecords = {RecordKind::identity_merge, RecordKind::action, RecordKind::delivery,
                                              RecordKind::erasure};

struct ActionDetails {
  float cost = 0;                                      // expected, in major units; bounded
  bool deliver = false;                                // the server is to hand it over
  std::vector<std::pair<std::string, float>> chances;  // of all that could be drawn, by name; empty: it was chosen
};

/// Of an action's record; of what is not there, or not as it should be, the default. Empty for every other record.
ActionDetails action_details(const StoredRecord& record);

}  // namespace perennial
