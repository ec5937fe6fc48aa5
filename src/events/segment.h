// Segment's tracking spec: a message (identify, track, page, screen, group, alias) as records of the log.
// Source: Segment's spec for calls, commerce, video and B2B events.
#pragma once

#include <vector>

#include "base/json.h"
#include "events/record.h"

namespace perennial {

/// `type` is the call ("track"), taken from the message's own `type` when empty. The records are valid;
/// invalid_argument names the field that is wrong and what is wanted.
///
/// User: userId, or anonymousId when there is none; both in one identify, track, page, screen or group message also
/// make a merge record of the anonymous user into the known one, whose message id is the same for the same pair on the
/// same day, so that the log keeps one of them. alias merges previousId into userId. Events: track by its name, page as
/// "Page Viewed", screen as "Screen Viewed" (name and category as properties). identify and group make traits; a
/// group's are {"group_id": ..., "group": {traits}}. Item: properties.product_id, sku, item_id, content_asset_id(s),
/// asset_id, video_id, content_id, article_id, movie_id, the first that is there; productId and the like too. Products:
/// `products` makes one event a product, each with an id derived from the message's. Product fields go with their
/// product, as do order_id, checkout_id, cart_id, wishlist_id and list_id; the other properties stay with the first.
/// Money: price x quantity of the product; of messages without priced products revenue, else total, shared evenly among
/// the products; `currency` unless given. Negative, as are quantities, for refunds (is_refund_type).
/// Value: rating, else `value` when there is no price (Segment sends the price's worth as value).
/// Actions that were decided elsewhere: "Action Given" {action, or "nothing"; action_id, channel, cost, propensity, and
/// when it was drawn `chances` of all that could have been, by name} makes an action record, "Action Delivered" and
/// "Action Failed" {action_id} one of its delivery; these are no events.
/// Taken out of the properties: product_id, quantity, rating, recommendation_id. context.device.type is the device; the
/// rest of the context is not kept. Time: timestamp (else originalTimestamp) moved by now - sentAt, as Segment corrects
/// a wrong clock; receivedAt, when there, tells that timestamp is corrected already. Without any time the event
/// happened now. Message id: messageId's hash, or random when absent.
Result<std::vector<Record>> records_of_segment_message(const json::object& message, std::string_view type, TimeMs now,
                                                       std::string_view currency = "USD");

/// True when `type` is one of the spec's calls.
bool is_segment_call(std::string_view type);

}  // namespace perennial
