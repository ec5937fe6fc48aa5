// Names that records of actions and deliveries use.
#pragma once

namespace perennial {

inline constexpr const char* kNoAction = "nothing";       // of an action: what was drawn is to do nothing
inline constexpr const char* kDelivered = "delivered";    // of a delivery
inline constexpr const char* kDeliveryFailed = "failed";  // of a delivery: it will not be tried again
inline constexpr const char* kSentAgain = "sent_again";   // of a delivery: somebody wants it tried again after all
inline constexpr const char* kDeliverable =
    "deliver";  // in an action's details: true when the server is to hand it over

}  // namespace perennial
