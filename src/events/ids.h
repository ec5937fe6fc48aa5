// Dense integers for what has an external name. The log gives them, in the order in which it first sees each name; an
// id is never given twice.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace perennial {

using UserId = uint32_t;
using ItemId = uint32_t;
using EventTypeId = uint16_t;
using Offset = int64_t;  // a record's place in the log, from 1, rising; gaps are allowed (erased records leave them)

inline constexpr uint32_t kNoId = 0xFFFFFFFF;
inline constexpr EventTypeId kNoEventType = 0xFFFF;

/// An event whose time is not known (sequence files have none): it stands before all events with a time, in log order.
inline constexpr TimeMs kNoTime = INT64_MIN;

}  // namespace perennial
