#include "events/record.h"

#include <boost/json/basic_parser_impl.hpp>

#include <cmath>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "events/json_text.h"

namespace perennial {
namespace {

constexpr size_t kLongestId = 256;
constexpr TimeMs kDayMs = 86'400'000;

/// Takes part in parsing and keeps nothing but the kind of the outermost value: checking costs no memory.
struct ShapeHandler {
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;

  bool object = false;
  bool finite = true;  // of all numbers

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(size_t, json::error_code&) { return object = true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(size_t, json::error_code&) { return object = false, true; }
  bool on_key_part(json::string_view, size_t, json::error_code&) { return true; }
  bool on_key(json::string_view, size_t, json::error_code&) { return true; }
  bool on_string_part(json::string_view, size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, size_t, json::error_code&) { return object = false, true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(int64_t, json::string_view, json::error_code&) { return object = false, true; }
  bool on_uint64(uint64_t, json::string_view, json::error_code&) { return object = false, true; }
  bool on_double(double number, json::string_view, json::error_code&) {
    finite = finite && std::isfinite(number);
    return object = false, true;
  }
  bool on_bool(bool, json::error_code&) { return object = false, true; }
  bool on_null(json::error_code&) { return object = false, true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

bool is_json_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = 32;
  json::basic_parser<ShapeHandler> parser(options);
  json::error_code error;
  const size_t read = parser.write_some(false, text.data(), text.size(), error);
  return !error && read == text.size() && parser.handler().object && parser.handler().finite;
}

Status check_json(std::string_view field, const std::string& text, bool may_be_empty) {
  if (text.empty() && may_be_empty) return {};
  if (is_json_object(text)) return {};
  // The slow parser says where and why.
  const Result<json::object> object = parse_json_object(text);
  if (object.ok()) return check_finite(*object).with_context(fmt::format("'{}'", field));
  return object.status().with_context(fmt::format("'{}' must be a JSON object", field));
}

bool has_control_character(std::string_view text) {
  for (const char c : text)
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) return true;
  return false;
}

Status check_optional_id(std::string_view field, std::string_view id) {
  if (id.empty()) return {};
  if (id.size() > kLongestId)
    return invalid_argument("'{}' is {} bytes long, at most {} are allowed", field, id.size(), kLongestId);
  if (has_control_character(id)) return invalid_argument("'{}' holds control characters", field);
  if (!is_utf8(id)) return invalid_argument("'{}' is not UTF-8", field);
  return {};
}

Status check_id(std::string_view field, std::string_view id) {
  if (id.empty()) return invalid_argument("'{}' is missing or empty", field);
  return check_optional_id(field, id);
}

Status check_propensity(float propensity) {
  if (propensity > 0 && propensity <= 1) return {};
  return invalid_argument("'propensity' must be above 0 and at most 1, got {}", propensity);
}

Status check_money(const Money& money) {
  for (const char c : money.currency)
    if (c < 'A' || c > 'Z')
      return invalid_argument("'currency' must be three capital letters, got '{:.40}'", money.currency);
  if (money.currency.size() != 3)
    return invalid_argument("'currency' must be three capital letters, got '{:.40}'", money.currency);
  return {};
}

Status check_time(TimeMs time, TimeMs now) {
  if (time == kNoTime || (time >= 0 && time <= now + kDayMs)) return {};
  if (time < 0) return invalid_argument("'timestamp' is before 1970: {} ms", time);
  constexpr TimeMs kYear10000 = 253'402'300'800'000;
  if (time >= kYear10000)
    return invalid_argument("'timestamp' is in the far future: {} ms; want seconds or milliseconds since 1970", time);
  return invalid_argument("'timestamp' is in the future: {}, and it is {} now", format_iso8601(time),
                          format_iso8601(now));
}

/// What each kind needs, besides what all records need.
struct PayloadCheck {
  const Record& record;

  Status operator()(const Event& event) const {
    PERENNIAL_TRY(check_id("user_id", record.user));
    PERENNIAL_TRY(check_id("event", record.type));
    if (std::isinf(event.value)) return invalid_argument("'value' must be a finite number");
    if (event.amount) PERENNIAL_TRY(check_money(*event.amount));
    PERENNIAL_TRY(check_optional_id("recommendation_id", event.recommendation_id));
    PERENNIAL_TRY(check_optional_id("device", event.device));
    return check_json("properties", event.properties, true);
  }
  Status operator()(const ItemUpsert& upsert) const {
    PERENNIAL_TRY(check_id("item_id", record.item));
    return check_json("fields", upsert.fields, false);
  }
  Status operator()(const ItemDelete&) const { return check_id("item_id", record.item); }
  Status operator()(const UserTraits& traits) const {
    PERENNIAL_TRY(check_id("user_id", record.user));
    return check_json("traits", traits.traits, false);
  }
  Status operator()(const IdentityMerge& merge) const {
    PERENNIAL_TRY(check_id("user_id", record.user));
    PERENNIAL_TRY(check_id("into", merge.into));
    if (merge.into == record.user) return invalid_argument("a user cannot be merged into itself: '{}'", merge.into);
    return {};
  }
  Status operator()(const Action& action) const {
    PERENNIAL_TRY(check_id("user_id", record.user));
    PERENNIAL_TRY(check_id("action_id", action.action_id));
    PERENNIAL_TRY(check_id("name", action.name));
    PERENNIAL_TRY(check_optional_id("channel", action.channel));
    PERENNIAL_TRY(check_propensity(action.propensity));
    return check_json("details", action.details, true);
  }
  Status operator()(const Delivery& delivery) const {
    PERENNIAL_TRY(check_id("user_id", record.user));
    PERENNIAL_TRY(check_id("action_id", delivery.action_id));
    PERENNIAL_TRY(check_id("outcome", delivery.outcome));
    return check_json("details", delivery.details, true);
  }
  Status operator()(const Erasure&) const { return check_id("user_id", record.user); }
};

}  // namespace

RecordKind kind_of(const Payload& payload) {
  struct {
    RecordKind operator()(const Event&) const { return RecordKind::event; }
    RecordKind operator()(const ItemUpsert&) const { return RecordKind::item_upsert; }
    RecordKind operator()(const ItemDelete&) const { return RecordKind::item_delete; }
    RecordKind operator()(const UserTraits&) const { return RecordKind::user_traits; }
    RecordKind operator()(const IdentityMerge&) const { return RecordKind::identity_merge; }
    RecordKind operator()(const Action&) const { return RecordKind::action; }
    RecordKind operator()(const Delivery&) const { return RecordKind::delivery; }
    RecordKind operator()(const Erasure&) const { return RecordKind::erasure; }
  } kind;
  return std::visit(kind, payload);
}

const char* kind_name(RecordKind kind) {
  switch (kind) {
    case RecordKind::event:
      return "event";
    case RecordKind::item_upsert:
      return "item_upsert";
    case RecordKind::item_delete:
      return "item_delete";
    case RecordKind::user_traits:
      return "user_traits";
    case RecordKind::identity_merge:
      return "identity_merge";
    case RecordKind::action:
      return "action";
    case RecordKind::delivery:
      return "delivery";
    case RecordKind::erasure:
      return "erasure";
  }
  return "unknown";
}

Status validate(const Record& record, TimeMs now) {
  PERENNIAL_TRY(check_time(record.time, now));
  PERENNIAL_TRY(check_optional_id("user_id", record.user));
  PERENNIAL_TRY(check_optional_id("item_id", record.item));
  PERENNIAL_TRY(check_optional_id("event", record.type));
  return std::visit(PayloadCheck{record}, record.payload);
}

size_t json_bytes(const Payload& payload) {
  struct {
    size_t operator()(const Event& event) const { return event.properties.size(); }
    size_t operator()(const ItemUpsert& item) const { return item.fields.size(); }
    size_t operator()(const UserTraits& user) const { return user.traits.size(); }
    size_t operator()(const Action& action) const { return action.details.size(); }
    size_t operator()(const Delivery& delivery) const { return delivery.details.size(); }
    size_t operator()(const ItemDelete&) const { return 0; }
    size_t operator()(const IdentityMerge&) const { return 0; }
    size_t operator()(const Erasure&) const { return 0; }
  } bytes;
  return std::visit(bytes, payload);
}

}  // namespace perennial
