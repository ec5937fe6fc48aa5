// What a clock on the wall shows in a user's time zone, by the zones of ICU. Covered by base/time_zone_test.cc.
// Thread rule: any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace perennial {

/// Whether ICU knows the zone: "Europe/Berlin", "UTC".
bool is_time_zone(std::string_view name);

/// Minutes since midnight, 0 to 1,439, in the zone, summer time counted; of an unknown zone in UTC.
int minute_of_day(std::string_view zone, TimeMs time);

}  // namespace perennial
