// Segment's tracking spec: a message (identify, track, page, screen, group, alias) as records of the log.
// Source: Segment's spec for calls, commerce, video and B2B events.
#pragma once

#include <vector>

#include "base/json.h"
#include "events/record.h"

namespace perennial {

/// `type` is the call ("track"), taken from the message's own `type` when empty. The user is userId, or anonymousId
/// when there is none; both in one identify, track, page, screen or group message also make a merge record of the
/// anonymous user into the known one; alias merges previousId into userId. An order becomes one event a product, each with an id derived
/// from the message's. properties.recommendation_id and context.device.type are taken out; product fields in an event
/// (name, category, brand, price) stay in its properties. `timestamp` is corrected by sentAt against `now` as Segment does;
/// without any time the event happened now. The message id is messageId's hash, or random when absent.
/// invalid_argument names the field that is wrong and what is wanted.
Result<std::vector<Record>> records_of_segment_message(const json::object& message, std::string_view type, TimeMs now);

}  // namespace perennial
