// A list of recommendations as it was shown, with what is needed to judge it later.
#pragma once

#include <string>
#include <vector>

#include "base/digest.h"
#include "base/random.h"
#include "events/ids.h"

namespace perennial {

/// What put an item into a list. On disk: never renumbered.
enum class ItemSource : uint8_t { transformer = 1, popular = 2, pinned = 3, exploration = 4, similar = 5 };

/// "transformer", "popular", "pinned", "exploration", "similar"; "unknown" for a number that a newer program wrote.
constexpr const char* source_name(ItemSource source) {
  switch (source) {
    case ItemSource::transformer:
      return "transformer";
    case ItemSource::popular:
      return "popular";
    case ItemSource::pinned:
      return "pinned";
    case ItemSource::exploration:
      return "exploration";
    case ItemSource::similar:
      return "similar";
  }
  return "unknown";
}

struct SlateItem {
  ItemId item = kNoId;
  float score = 0;
  float propensity = 1;  // probability with which the policy puts this item at this position
  ItemSource source = ItemSource::transformer;

  bool operator==(const SlateItem&) const = default;
};

struct Slate {
  MessageId id;  // new_slate_id(): the recommendation id, in hex
  TimeMs time = 0;
  MessageId after;   // the list whose next page this is; zero for none
  std::string user;  // the external id that was asked with, or empty
  std::string surface;
  std::string model;
  std::string policy;
  std::string stage;    // of the user's life, when it was shown
  std::string context;  // a JSON object, or empty
  std::vector<SlateItem> items;

  bool operator==(const Slate&) const = default;
};

/// Begins with the time, so that a slate is found by its id alone; then 80 random bits.
inline MessageId new_slate_id(TimeMs now, Random& random) {
  return {static_cast<uint64_t>(now) << 16 | random.next() >> 48, random.next()};
}

inline TimeMs time_of_slate(const MessageId& id) { return static_cast<TimeMs>(id.high >> 16); }

}  // namespace perennial
