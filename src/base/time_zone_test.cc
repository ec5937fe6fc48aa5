#include "base/time_zone.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace perennial {
namespace {

int minute(const char* zone, const char* time) { return minute_of_day(zone, parse_iso8601(time).value()); }

TEST(TimeZone, ShowsWhatTheWallClockShows) {
  EXPECT_EQ(minute("UTC", "2026-11-29T19:30:59Z"), 19 * 60 + 30);
  EXPECT_EQ(minute("Europe/Berlin", "2026-01-10T23:30:00Z"), 30);  // winter, an hour ahead
  EXPECT_EQ(minute("Europe/Berlin", "2026-07-10T22:30:00Z"), 30);  // summer, two
  EXPECT_EQ(minute("America/New_York", "2026-01-10T02:00:00Z"), 21 * 60);
  EXPECT_EQ(minute("Asia/Kolkata", "2026-01-10T00:00:00Z"), 5 * 60 + 30);
  EXPECT_EQ(minute("Europe/Berlin", "2026-03-29T01:00:00Z"), 3 * 60);  // the hour that is left out
}

TEST(TimeZone, AnUnknownZoneIsUtc) {
  EXPECT_TRUE(is_time_zone("Asia/Tokyo"));
  EXPECT_FALSE(is_time_zone("Mars/Olympus"));
  EXPECT_FALSE(is_time_zone(""));
  EXPECT_FALSE(is_time_zone(std::string(300, 'x')));
  EXPECT_EQ(minute("Mars/Olympus", "2026-01-10T02:00:00Z"), 120);
}

TEST(TimeZone, TimesBefore1970AreWithinTheDay) { EXPECT_EQ(minute_of_day("UTC", -60'000), 23 * 60 + 59); }

}  // namespace
}  // namespace perennial
