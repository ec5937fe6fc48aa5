// A user, as a fold over the log sees them: bounded history in event-time order, traits, counts.
#pragma once

#include <array>
#include <bit>
#include <boost/container/flat_map.hpp>
#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "events/record.h"
#include "profiles/user_store.h"

namespace perennial {

/// Classes of devices. What clients send is free text, which could name one person's machine; only the class is kept.
inline constexpr std::array<const char*, 6> kDeviceClasses = {"", "desktop", "mobile", "tablet", "tv", "other"};

/// The index in kDeviceClasses of a client's word ("iPhone", "android", "Desktop"); 0 for an empty one, "other" for one
/// not known.
uint16_t device_class(std::string_view device);

/// One event of the history, 24 bytes. Order: (time, offset); events without a time stand before all others.
struct HistoryToken {
  TimeMs time = kNoTime;
  uint64_t offset : 48 = 0;
  uint64_t type : 16 = kNoEventType;
  ItemId item = kNoId;
  uint16_t value_bf16 = kNoValue;  // NaN when the event has none
  uint16_t device = 0;             // index in kDeviceClasses

  static constexpr uint16_t kNoValue = 0x7FC0;
  static uint16_t to_bf16(float value) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16); }
  [[nodiscard]] float value() const { return std::bit_cast<float>(static_cast<uint32_t>(value_bf16) << 16); }

  [[nodiscard]] bool before(const HistoryToken& other) const {
    return time != other.time ? time < other.time : offset < other.offset;
  }
  bool operator==(const HistoryToken& other) const {
    return time == other.time && offset == other.offset && type == other.type && item == other.item &&
           value_bf16 == other.value_bf16 && device == other.device;
  }
};
static_assert(sizeof(HistoryToken) == 24);

/// A trait's value as JSON text and when it was said; of two the later (time, offset) stands.
struct Trait {
  std::string value;
  TimeMs time = kNoTime;
  Offset offset = 0;

  bool operator==(const Trait&) const = default;
};

/// When a user spoke against an item; of two the later stands.
struct Rejection {
  TimeMs time = kNoTime;
  Offset offset = 0;

  auto operator<=>(const Rejection&) const = default;
};

/// There is one of every visitor: its maps are sorted vectors.
template <typename Key, typename Value>
using SmallMap = boost::container::flat_map<Key, Value>;

struct Profile {
  std::vector<HistoryToken> history;     // the newest Profiles::history_limit() tokens, rising
  SmallMap<ItemId, Rejection> rejected;  // by negative events; the newest Profiles::history_limit(), no later token
  SmallMap<std::string, Trait> traits;
  SmallMap<EventTypeId, uint32_t> event_counts;      // all events, tokens or not
  SmallMap<std::string, int64_t> value_by_currency;  // minor units over value events; refunds subtract
  TimeMs first_seen = kNoTime;                       // of events with a time
  TimeMs last_seen = kNoTime;

  bool operator==(const Profile&) const = default;
};

template <>
struct UserCodec<Profile> {
  static void encode(const Profile& profile, std::string& out);
  static bool decode(ByteReader& in, Profile& profile);
  static size_t bytes(const Profile& profile);
};

}  // namespace perennial
