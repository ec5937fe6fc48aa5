// Names that records of actions and deliveries use.
#pragma once

namespace perennial {

inline constexpr const char* kNoAction = "nothing";        // of an action: what was drawn is to do nothing
inline constexpr const char* kDelivered = "delivered";     // of a delivery
inline constexpr const char* kDeliveryFailed = "failed";   // of a delivery: it will not be tried again

}  // namespace perennial
