#include "events/segment.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "events/action_details.h"
#include "events/json_text.h"
#include "events/roles.h"

namespace perennial {
namespace {

constexpr size_t kLongestShared = 256;
constexpr size_t kMostProducts = 10'000;
constexpr double kLargestQuantity = 1e15;
constexpr TimeMs kDayMs = 86'400'000;

constexpr std::string_view kActionGiven = "Action Given";
constexpr std::string_view kActionDelivered = "Action Delivered";
constexpr std::string_view kActionFailed = "Action Failed";
constexpr std::array<std::string_view, 6> kCalls = {"track", "identify", "page", "screen", "group", "alias"};

constexpr std::array<std::string_view, 18> kItemFields = {
    "product_id",        "productId",      "sku",        "item_id",   "itemId",   "content_asset_id",
    "content_asset_ids", "contentAssetId", "asset_id",   "assetId",   "video_id", "videoId",
    "content_id",        "contentId",      "article_id", "articleId", "movie_id", "movieId"};

/// Short ids of what a product was part of; they go with each product. A long one stays with the order, so that a
/// message does not grow by as many copies as it has products.
constexpr std::array<std::string_view, 5> kSharedFields = {"order_id", "checkout_id", "cart_id", "wishlist_id",
                                                           "list_id"};

const json::object& empty_object() {
  static const json::object empty;
  return empty;
}

Result<const json::object*> object_field(const json::object& object, std::string_view name) {
  const json::value* value = find_field(object, name);
  if (value == nullptr) return &empty_object();
  if (!value->is_object()) return invalid_argument("'{}' must be an object", name);
  return &value->get_object();
}

Result<std::string> first_string(const json::object& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    PERENNIAL_TRY_ASSIGN(std::string text, string_field(object, name));
    if (!text.empty()) return text;
  }
  return std::string();
}

Result<std::optional<TimeMs>> time_field(const json::object& message, std::string_view name) {
  const json::value* value = find_field(message, name);
  if (value == nullptr) return std::optional<TimeMs>();
  std::string text;
  if (value->is_string())
    text = value->get_string();
  else if (value->is_int64() || value->is_uint64())
    text = json::serialize(*value);
  else if (value->is_double())
    text = fmt::format("{}", value->get_double());
  else
    return invalid_argument("'{}' must be a time: ISO 8601, or seconds or milliseconds since 1970", name);
  if (trim(text).empty()) return std::optional<TimeMs>();
  const Result<TimeMs> time = parse_timestamp(text);
  if (!time.ok()) return time.status().with_context(fmt::format("'{}'", name));
  return std::optional<TimeMs>(*time);
}

Result<TimeMs> time_of(const json::object& message, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const auto timestamp, time_field(message, "timestamp"));
  PERENNIAL_TRY_ASSIGN(const auto original, time_field(message, "originalTimestamp"));
  PERENNIAL_TRY_ASSIGN(const auto sent, time_field(message, "sentAt"));
  PERENNIAL_TRY_ASSIGN(const auto received, time_field(message, "receivedAt"));
  if (received && timestamp) return *timestamp;
  const auto said = timestamp ? timestamp : original;
  const TimeMs arrival = received.value_or(now);
  if (!said) return arrival;
  return sent ? *said + (arrival - *sent) : *said;  // parsed times are far from overflow
}

/// The text of an item's id in one field: a string, a number, or the first of a list.
Result<std::string> item_in_field(const json::object& properties, std::string_view name) {
  const json::value* value = find_field(properties, name);
  if (value == nullptr || !value->is_array()) return string_field(properties, name);
  if (value->get_array().empty()) return std::string();
  const json::value& first = value->get_array().front();
  if (first.is_string()) return std::string(first.get_string());
  if (first.is_int64() || first.is_uint64()) return json::serialize(first);
  return invalid_argument("'{}' must hold strings", name);
}

Result<std::string> item_of(const json::object& properties) {
  for (const std::string_view name : kItemFields) {
    PERENNIAL_TRY_ASSIGN(std::string item, item_in_field(properties, name));
    if (!item.empty()) return item;
  }
  return std::string();
}

bool is_shared_field(std::string_view name, const json::value& value) {
  const bool brief = value.is_number() || (value.is_string() && value.get_string().size() <= kLongestShared);
  return brief && std::find(kSharedFields.begin(), kSharedFields.end(), name) != kSharedFields.end();
}

Result<std::optional<double>> optional_number(const json::object& object, std::string_view name) {
  const json::value* value = find_field(object, name);
  if (value == nullptr || (value->is_string() && value->get_string().empty())) return std::optional<double>();
  PERENNIAL_TRY_ASSIGN(const double number, number_field(object, name, 0));
  return std::optional<double>(number);
}

/// What all records of a message have in common.
struct Envelope {
  MessageId id;
  TimeMs time = kNoTime;
  std::string user;
  std::string anonymous;  // only beside a known user
  std::string device;
};

class Translator {
 public:
  Translator(const json::object& message, TimeMs now, std::string_view currency)
      : message_(message), now_(now), currency_(currency) {}

  Result<std::vector<Record>> run(std::string_view call) {
    PERENNIAL_TRY(check_finite(message_).with_context("message"));
    PERENNIAL_TRY(read_envelope(call));
    if (call == "alias") PERENNIAL_TRY(add_alias());
    if (call == "identify") PERENNIAL_TRY(add_identify());
    if (call == "group") PERENNIAL_TRY(add_group());
    if (call == "track") PERENNIAL_TRY(add_track());
    if (call == "page" || call == "screen") PERENNIAL_TRY(add_view(call == "page" ? "Page Viewed" : "Screen Viewed"));
    // Behind what the user did: a retry of that is a repeat, and must not name an erased user again (log/appender.cc).
    if (call != "alias") PERENNIAL_TRY(add_anonymous_merge());
    for (const Record& record : records_) PERENNIAL_TRY(validate(record, now_));
    return std::move(records_);
  }

 private:
  Status read_envelope(std::string_view call) {
    PERENNIAL_TRY_ASSIGN(const std::string message_id, string_field(message_, "messageId"));
    envelope_.id = message_id.empty() ? random_message_id() : message_id_of(message_id);
    PERENNIAL_TRY_ASSIGN(envelope_.user, first_string(message_, {"userId", "user_id"}));
    PERENNIAL_TRY_ASSIGN(envelope_.anonymous, first_string(message_, {"anonymousId", "anonymous_id"}));
    if (envelope_.user.empty() && call != "alias") envelope_.user = std::exchange(envelope_.anonymous, {});
    if (envelope_.user.empty() && call != "alias") return invalid_argument("'userId' or 'anonymousId' is missing");
    PERENNIAL_TRY_ASSIGN(envelope_.time, time_of(message_, now_));
    PERENNIAL_TRY_ASSIGN(const json::object* context, object_field(message_, "context"));
    return read_device(*context);
  }

  Status read_device(const json::object& context) {
    const json::value* device = find_field(context, "device");
    if (device == nullptr || !device->is_object()) return {};
    Result<std::string> type = string_field(device->get_object(), "type");
    if (!type.ok()) return invalid_argument("'context.device.type' must be a string");
    envelope_.device = *std::move(type);
    return {};
  }

  Record& add_record() {
    Record& record = records_.emplace_back();
    record.message_id = envelope_.id;
    record.time = envelope_.time;
    record.user = envelope_.user;
    return record;
  }

  Status add_anonymous_merge() {
    if (envelope_.anonymous.empty() || envelope_.anonymous == envelope_.user) return {};
    Record& record = add_record();
    record.user = envelope_.anonymous;
    record.message_id =
        message_id_of(fmt::format("merge\n{}\n{}\n{}", envelope_.anonymous, envelope_.user, envelope_.time / kDayMs));
    record.payload = IdentityMerge{envelope_.user};
    return {};
  }

  Status add_alias() {
    PERENNIAL_TRY_ASSIGN(const std::string previous, first_string(message_, {"previousId", "previous_id"}));
    if (envelope_.user.empty()) return invalid_argument("'userId' is missing: an alias needs userId and previousId");
    if (previous.empty()) return invalid_argument("'previousId' is missing: an alias needs userId and previousId");
    Record& record = add_record();
    record.user = previous;
    record.payload = IdentityMerge{envelope_.user};
    return {};
  }

  Status add_identify() {
    PERENNIAL_TRY_ASSIGN(const json::object* traits, object_field(message_, "traits"));
    add_record().payload = UserTraits{json::serialize(*traits)};
    return {};
  }

  Status add_group() {
    PERENNIAL_TRY_ASSIGN(const std::string group, first_string(message_, {"groupId", "group_id"}));
    if (group.empty()) return invalid_argument("'groupId' is missing");
    PERENNIAL_TRY_ASSIGN(const json::object* traits, object_field(message_, "traits"));
    json::object kept = {{"group_id", group}};
    if (!traits->empty()) kept["group"] = *traits;
    add_record().payload = UserTraits{json::serialize(kept)};
    return {};
  }

  Status add_track() {
    PERENNIAL_TRY_ASSIGN(const std::string name, string_field(message_, "event"));
    if (name.empty()) return invalid_argument("'event' is missing: a track needs the event's name");
    PERENNIAL_TRY_ASSIGN(const json::object* properties, object_field(message_, "properties"));
    if (name == kActionGiven) return add_action(*properties);
    if (name == kActionDelivered) return add_delivery(*properties, kDelivered);
    if (name == kActionFailed) return add_delivery(*properties, kDeliveryFailed);
    const json::value* products = find_field(*properties, "products");
    if (products == nullptr) return add_event(name, *properties, empty_object());
    if (!products->is_array()) return invalid_argument("'properties.products' must be a list");
    return add_products(name, *properties, products->get_array());
  }

  Status add_action(const json::object& properties) {
    Action action;
    PERENNIAL_TRY_ASSIGN(action.name, string_field(properties, "action"));
    if (action.name.empty()) return invalid_argument("'properties.action' is missing: the action's name, or 'nothing'");
    PERENNIAL_TRY_ASSIGN(action.action_id, string_field(properties, "action_id"));
    if (action.action_id.empty()) action.action_id = to_hex(envelope_.id);
    PERENNIAL_TRY_ASSIGN(action.channel, string_field(properties, "channel"));
    PERENNIAL_TRY_ASSIGN(const double propensity, number_field(properties, "propensity", 1));
    action.propensity = static_cast<float>(propensity);
    PERENNIAL_TRY_ASSIGN(const double cost, number_field(properties, "cost", 0));
    if (!(cost >= 0 && cost <= 1e9))
      return invalid_argument("'properties.cost' must be from 0 to 1000000000, not {}", cost);
    json::object details = properties;
    for (const char* taken : {"action", "action_id", "channel", "propensity", kDeliverable}) details.erase(taken);
    if (const json::value* chances = details.if_contains(kChances)) PERENNIAL_TRY(check_chances(*chances, action.name));
    if (!details.empty()) action.details = json::serialize(details);
    add_record().payload = std::move(action);
    return {};
  }

  /// Of all that could have been drawn, by name.
  static Status check_chances(const json::value& chances, const std::string& drawn) {
    if (!chances.is_object()) return invalid_argument("'properties.chances' must be an object of names and numbers");
    double sum = 0;
    for (const auto& [name, chance] : chances.get_object()) {
      if (!chance.is_number() || !(chance.to_number<double>() >= 0))
        return invalid_argument("'properties.chances.{}' must be a number of at least 0", std::string(name));
      sum += chance.to_number<double>();
    }
    if (!(std::abs(sum - 1) <= 1e-3)) return invalid_argument("'properties.chances' sum to {}, want 1", sum);
    const json::value* given = chances.get_object().if_contains(drawn);
    if (given == nullptr || given->to_number<double>() <= 0)
      return invalid_argument("'properties.chances' hold none for '{}', the action that was given", drawn);
    return {};
  }

  Status add_delivery(const json::object& properties, const char* outcome) {
    Delivery delivery;
    PERENNIAL_TRY_ASSIGN(delivery.action_id, string_field(properties, "action_id"));
    if (delivery.action_id.empty()) return invalid_argument("'properties.action_id' is missing: which action it was");
    delivery.outcome = outcome;
    json::object details = properties;
    details.erase("action_id");
    if (!details.empty()) delivery.details = json::serialize(details);
    add_record().payload = std::move(delivery);
    return {};
  }

  Status add_view(std::string_view name) {
    PERENNIAL_TRY_ASSIGN(const json::object* properties, object_field(message_, "properties"));
    json::object named;
    for (const char* field : {"name", "category"}) {
      const json::value* value = find_field(message_, field);
      if (value != nullptr && !properties->contains(field)) named[field] = *value;
    }
    return add_event(name, *properties, named);
  }

  /// Sums exactly to the order's amount.
  static void share(const Money& amount, std::vector<Record>::iterator first, std::vector<Record>::iterator last) {
    const auto count = static_cast<int64_t>(last - first);
    for (int64_t i = 0; i < count; ++i) {
      Money part = amount;
      part.minor_units = amount.minor_units / count + (i == 0 ? amount.minor_units % count : 0);
      std::get<Event>((first + i)->payload).amount = std::move(part);
    }
  }

  Status add_products(std::string_view name, const json::object& properties, const json::array& products) {
    if (products.size() > kMostProducts)
      return invalid_argument("'properties.products' has {} entries, at most {} are allowed", products.size(),
                              kMostProducts);
    json::object shared;
    json::object order;
    for (const auto& [key, value] : properties)
      if (is_shared_field(key, value))
        shared[key] = value;
      else if (key != std::string_view("products"))
        order[key] = value;
    if (products.empty()) return order.insert(shared.begin(), shared.end()), add_event(name, order, empty_object());
    PERENNIAL_TRY_ASSIGN(const std::string currency, string_field(properties, "currency"));
    PERENNIAL_TRY_ASSIGN(const std::string slate, first_string(properties, {"recommendation_id", "recommendationId"}));
    const auto first = static_cast<ptrdiff_t>(records_.size());
    for (size_t i = 0; i < products.size(); ++i)
      PERENNIAL_TRY(
          add_product(name, products[i], i, shared, currency, slate).with_context(fmt::format("product {}", i + 1)));
    return finish_order(order, records_.begin() + first, currency);
  }

  Status add_product(std::string_view name, const json::value& product, size_t index, const json::object& shared,
                     const std::string& currency, const std::string& slate) {
    json::object fields;
    if (product.is_object())
      fields = product.get_object();
    else if (product.is_string() || product.is_int64() || product.is_uint64())
      fields["product_id"] = product;
    else
      return invalid_argument("must be an object");
    PERENNIAL_TRY_ASSIGN(const std::string item, item_of(fields));
    if (item.empty()) return invalid_argument("'product_id' is missing");
    if (!currency.empty() && find_field(fields, "currency") == nullptr) fields["currency"] = currency;
    PERENNIAL_TRY(add_event(name, fields, shared));
    records_.back().message_id = derive_message_id(envelope_.id, index);
    std::get<Event>(records_.back().payload).line = static_cast<int32_t>(index);
    auto& event = std::get<Event>(records_.back().payload);
    if (event.recommendation_id.empty()) event.recommendation_id = slate;
    return validate(records_.back(), now_);  // now, before thousands more are made of the same
  }

  /// What belongs to the order as a whole: its other properties, and its amount when no product has a price.
  Status finish_order(const json::object& order, std::vector<Record>::iterator first, const std::string& currency) {
    const auto has_amount = [](const Record& record) { return std::get<Event>(record.payload).amount.has_value(); };
    if (std::none_of(first, records_.end(), has_amount)) {
      Event whole;
      PERENNIAL_TRY(read_order_amount(order, currency.empty() ? currency_ : currency, first->type, whole));
      if (whole.amount) share(*whole.amount, first, records_.end());
    }
    auto& event = std::get<Event>(first->payload);
    json::object properties;
    if (!event.properties.empty()) {
      PERENNIAL_TRY_ASSIGN(properties, parse_json_object(event.properties));
    }
    properties.insert(order.begin(), order.end());  // keeps the product's own
    for (const char* taken : {"recommendation_id", "recommendationId"}) properties.erase(taken);
    event.properties = properties.empty() ? std::string() : json::serialize(properties);
    return {};
  }

  Status read_order_amount(const json::object& properties, const std::string& currency, std::string_view type,
                           Event& event) const {
    PERENNIAL_TRY_ASSIGN(auto amount, optional_number(properties, "revenue"));
    if (!amount) {
      PERENNIAL_TRY_ASSIGN(amount, optional_number(properties, "total"));
    }
    if (!amount) return {};
    PERENNIAL_TRY_ASSIGN(event.amount,
                         money_from_major(is_refund_type(type) ? -std::fabs(*amount) : *amount, currency));
    return {};
  }

  Status read_money(const json::object& properties, std::string_view type, Event& event, bool& whole_quantity) const {
    PERENNIAL_TRY_ASSIGN(std::string currency, string_field(properties, "currency"));
    if (currency.empty()) currency = currency_;
    PERENNIAL_TRY_ASSIGN(const auto given, optional_number(properties, "quantity"));
    const double quantity = given.value_or(1);
    if (!(std::fabs(quantity) <= kLargestQuantity)) return invalid_argument("'quantity' is too large: {}", quantity);
    event.quantity = std::llround(quantity);
    whole_quantity = static_cast<double>(event.quantity) == quantity;
    if (!whole_quantity && event.quantity == 0) event.quantity = quantity < 0 ? -1 : 1;
    PERENNIAL_TRY_ASSIGN(const auto price, optional_number(properties, "price"));
    if (price) {
      const double amount = *price * quantity;
      PERENNIAL_TRY_ASSIGN(event.amount,
                           money_from_major(is_refund_type(type) ? -std::fabs(amount) : amount, currency));
    } else {
      PERENNIAL_TRY(read_order_amount(properties, currency, type, event));
    }
    if (is_refund_type(type)) event.quantity = -std::abs(event.quantity);
    PERENNIAL_TRY_ASSIGN(auto value, optional_number(properties, "rating"));
    if (!value && !price) {
      const json::value* field = find_field(properties, "value");
      if (field != nullptr && field->is_number()) value = field->to_number<double>();
    }
    if (value) event.value = static_cast<float>(*value);
    return {};
  }

  /// An event of these properties and those in `more`, which are not looked into.
  Status add_event(std::string_view name, const json::object& properties, const json::object& more) {
    Record& record = add_record();
    record.type = name;
    PERENNIAL_TRY_ASSIGN(record.item, item_of(properties));
    auto& event = record.payload.emplace<Event>();
    event.device = envelope_.device;
    PERENNIAL_TRY_ASSIGN(event.recommendation_id, first_string(properties, {"recommendation_id", "recommendationId"}));
    bool whole_quantity = true;
    PERENNIAL_TRY(read_money(properties, name, event, whole_quantity));
    json::object kept;
    const auto is_taken = [&](std::string_view key) {
      return key == "recommendation_id" || key == "recommendationId" || key == "rating" ||
             (key == "quantity" && whole_quantity) || (key == "product_id" && !record.item.empty());
    };
    for (const auto& [key, value] : properties)
      if (!is_taken(key)) kept[key] = value;
    kept.insert(more.begin(), more.end());
    if (!kept.empty()) event.properties = json::serialize(kept);
    return {};
  }

  const json::object& message_;
  TimeMs now_;
  std::string currency_;  // of amounts that name none
  Envelope envelope_;
  std::vector<Record> records_;
};

}  // namespace

bool is_segment_call(std::string_view type) { return std::find(kCalls.begin(), kCalls.end(), type) != kCalls.end(); }

Result<std::vector<Record>> records_of_segment_message(const json::object& message, std::string_view type, TimeMs now,
                                                       std::string_view currency) {
  std::string own;
  if (type.empty()) {
    PERENNIAL_TRY_ASSIGN(own, string_field(message, "type"));
    if (own.empty()) return invalid_argument("'type' is missing: want track, identify, page, screen, group or alias");
    type = own;
  }
  if (!is_segment_call(type))
    return invalid_argument("'type' is '{:.40}': want track, identify, page, screen, group or alias", type);
  return Translator(message, now, currency).run(type);
}

}  // namespace perennial
