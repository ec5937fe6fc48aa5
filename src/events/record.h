// The records of the log: a versioned union of everything that can be remembered. Record carries external names, as the
// world sends it; StoredRecord carries the log's dense ids, as every fold over the log reads it.
// On disk: docs/formats/log.md. Kinds are never renumbered; a new field is optional and absent means what it meant
// before.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "events/ids.h"
#include "events/money.h"

namespace perennial {

/// Something a user did. With an item it may become a token of the history; the role of its type decides
/// (events/roles.h).
struct Event {
  float value = std::numeric_limits<float>::quiet_NaN();  // a rating or another strength; NaN when there is none
  std::optional<Money> amount;                            // of the whole line: price x quantity; negative for refunds
  int64_t quantity = 1;                                   // negative for returns
  std::string recommendation_id;                          // of the slate that led here, or empty
  std::string device;                                     // context.device.type or the like, or empty
  std::string properties;                                 // all other properties, a JSON object, or empty
  int32_t line = 0;                                       // of an event of several items, such as an order: from 0
};

/// An item's fields, a JSON object; replaces the fields it names and keeps the others. Known names: title, description,
/// category (list), brand, price, currency, image_url, available, created_at, lat, lon; others are kept as they are.
struct ItemUpsert {
  std::string fields;
};

struct ItemDelete {};

/// Traits of a user, a JSON object; each key is kept with the time at which it was said, the latest wins.
struct UserTraits {
  std::string traits;
};

/// The record's user (usually anonymous) turns out to be `into`: from here on they are one user.
struct IdentityMerge {
  std::string into;
};

/// An outbound action chosen for the user: a message, an offer.
struct Action {
  std::string action_id;
  std::string name;
  std::string channel;
  float propensity = 1;
  std::string details;  // a JSON object, or empty
};

/// What became of an action: delivered, opened, bounced.
struct Delivery {
  std::string action_id;
  std::string outcome;
  std::string details;  // a JSON object, or empty
};

/// Forget the record's user. The log deletes all that it holds of the user and keeps this record without the name.
struct Erasure {};

using Payload = std::variant<Event, ItemUpsert, ItemDelete, UserTraits, IdentityMerge, Action, Delivery, Erasure>;

/// Bytes of the payload's JSON texts and lists: what makes a record large.
size_t json_bytes(const Payload& payload);

/// The number that stands for the kind on disk. Never renumbered; 6 were slates, which have a log of their own now.
enum class RecordKind : uint8_t {
  event = 1,
  item_upsert = 2,
  item_delete = 3,
  user_traits = 4,
  identity_merge = 5,
  action = 7,
  delivery = 8,
  erasure = 9,
};
RecordKind kind_of(const Payload& payload);
const char* kind_name(RecordKind kind);

struct Record {
  MessageId message_id;   // equal ids are the same message: the log keeps the first
  TimeMs time = kNoTime;  // when it happened, not when it came
  std::string user;       // external ids; empty where the kind has none
  std::string item;
  std::string type;  // of an event: "Order Completed", "rating"
  Payload payload;
  bool of_known_user = false;  // of nobody else: the log drops it, and brings no name back that was erased meanwhile
};

/// invalid_argument, naming the field and what is wrong, unless: the ids that the kind needs are there; every id is 1
/// to 256 bytes of UTF-8 without control characters; time is kNoTime or from 1970 to `now` plus one day; JSON fields
/// are objects; propensities are in (0, 1]; the value is NaN or finite. The record is not changed.
Status validate(const Record& record, TimeMs now);

/// A record as the log holds it.
struct StoredRecord {
  Offset offset = 0;
  MessageId message_id;
  TimeMs time = kNoTime;
  UserId user = kNoId;
  UserId into = kNoId;  // identity_merge only: the user it becomes
  ItemId item = kNoId;
  EventTypeId type = kNoEventType;
  Payload payload;
};

}  // namespace perennial
