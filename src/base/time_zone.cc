#include "base/time_zone.h"

#include <unicode/timezone.h>

#include <map>
#include <memory>

namespace perennial {
namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kMinutesOfDay = int64_t{24} * 60;

/// Null for a zone that ICU does not know. Zones are few and never change while the process runs.
const icu::TimeZone* find_zone(std::string_view name) {
  thread_local std::map<std::string, std::unique_ptr<icu::TimeZone>, std::less<>> zones;
  constexpr size_t kMostZones = 2'000;  // names come from outside
  auto found = zones.find(name);
  if (found == zones.end()) {
    if (zones.size() >= kMostZones) zones.clear();
    const auto text = icu::UnicodeString::fromUTF8(icu::StringPiece(name.data(), static_cast<int32_t>(name.size())));
    std::unique_ptr<icu::TimeZone> zone(icu::TimeZone::createTimeZone(text));
    if (*zone == icu::TimeZone::getUnknown()) zone = nullptr;
    found = zones.emplace(name, std::move(zone)).first;
  }
  return found->second.get();
}

}  // namespace

bool is_time_zone(std::string_view name) { return find_zone(name) != nullptr; }

int minute_of_day(std::string_view zone, TimeMs time) {
  int32_t standard = 0, summer = 0;
  if (const icu::TimeZone* found = find_zone(zone)) {
    UErrorCode error = U_ZERO_ERROR;
    found->getOffset(static_cast<UDate>(time), false, standard, summer, error);
    if (U_FAILURE(error)) standard = summer = 0;
  }
  const int64_t minutes = (time + standard + summer) / kMinuteMs;
  return static_cast<int>(((minutes % kMinutesOfDay) + kMinutesOfDay) % kMinutesOfDay);
}

}  // namespace perennial
