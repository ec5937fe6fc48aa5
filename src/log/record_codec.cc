#include "log/record_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "log/log_schema.h"
#include "log/raw_json.h"

namespace perennial {
namespace {

// The order of kRecordColumns.
enum Column {
  kOffset,
  kKind,
  kTime,
  kUser,
  kItem,
  kType,
  kValue,
  kAmount,
  kCurrency,
  kQuantity,
  kPrevious,
  kInto,
  kMessage,
  kBody,
  kColumns
};

void encode(ObjectWriter& out, const Event& event) {
  if (event.line != 0) out.add_raw("line", std::to_string(event.line));
  out.add_text("recommendation_id", event.recommendation_id);
  out.add_text("device", event.device);
  out.add_raw("properties", event.properties);
}

void encode(ObjectWriter& out, const ItemUpsert& upsert) { out.add_raw("fields", upsert.fields); }
void encode(ObjectWriter&, const ItemDelete&) {}
void encode(ObjectWriter& out, const UserTraits& traits) { out.add_raw("traits", traits.traits); }
void encode(ObjectWriter&, const IdentityMerge&) {}
void encode(ObjectWriter&, const Erasure&) {}

void encode(ObjectWriter& out, const Action& action) {
  out.add_text("action_id", action.action_id);
  out.add_text("name", action.name);
  out.add_text("channel", action.channel);
  out.add_number("propensity", action.propensity);
  out.add_raw("details", action.details);
}

void encode(ObjectWriter& out, const Delivery& delivery) {
  out.add_text("action_id", delivery.action_id);
  out.add_text("outcome", delivery.outcome);
  out.add_raw("details", delivery.details);
}

Status decode(std::string_view key, std::string_view raw, Event& event) {
  if (key == "recommendation_id") return read_raw(raw, event.recommendation_id);
  if (key == "device") return read_raw(raw, event.device);
  if (key == "line") {
    PERENNIAL_TRY_ASSIGN(const int64_t line, parse_integer(raw));
    event.line = static_cast<int32_t>(std::clamp<int64_t>(line, 0, std::numeric_limits<int32_t>::max()));
  }
  if (key == "properties") event.properties = raw;
  return {};
}

Status decode(std::string_view key, std::string_view raw, ItemUpsert& upsert) {
  if (key == "fields") upsert.fields = raw;
  return {};
}

Status decode(std::string_view key, std::string_view raw, UserTraits& traits) {
  if (key == "traits") traits.traits = raw;
  return {};
}

Status decode(std::string_view, std::string_view, ItemDelete&) { return {}; }
Status decode(std::string_view, std::string_view, IdentityMerge&) { return {}; }
Status decode(std::string_view, std::string_view, Erasure&) { return {}; }

Status decode(std::string_view key, std::string_view raw, Action& action) {
  if (key == "action_id") return read_raw(raw, action.action_id);
  if (key == "name") return read_raw(raw, action.name);
  if (key == "channel") return read_raw(raw, action.channel);
  if (key == "propensity") return read_raw(raw, action.propensity);
  if (key == "details") action.details = raw;
  return {};
}

Status decode(std::string_view key, std::string_view raw, Delivery& delivery) {
  if (key == "action_id") return read_raw(raw, delivery.action_id);
  if (key == "outcome") return read_raw(raw, delivery.outcome);
  if (key == "details") delivery.details = raw;
  return {};
}

Result<Payload> empty_payload(int64_t kind) {
  switch (kind) {
    case 1:
      return Payload(Event());
    case 2:
      return Payload(ItemUpsert());
    case 3:
      return Payload(ItemDelete());
    case 4:
      return Payload(UserTraits());
    case 5:
      return Payload(IdentityMerge());
    case 7:
      return Payload(Action());
    case 8:
      return Payload(Delivery());
    case 9:
      return Payload(Erasure());
    default:
      return failed_precondition("a record has kind {}, which this program does not know: use a newer version", kind);
  }
}

/// The id in a column; `none` when it is NULL; data_loss when it does not fit.
template <typename Id>
Status read_id(const Statement& row, int column, Id none, Id& id) {
  id = none;
  if (row.is_null(column)) return {};
  const int64_t value = row.integer(column);
  if (value < 0 || value >= static_cast<int64_t>(none))
    return data_loss("record {} holds the id {}: restore a backup", row.integer(kOffset), value);
  id = static_cast<Id>(value);
  return {};
}

void read_event_columns(const Statement& row, Event& event) {
  if (!row.is_null(kValue)) event.value = static_cast<float>(row.real(kValue));
  if (!row.is_null(kAmount)) event.amount = Money{row.integer(kAmount), std::string(row.bytes(kCurrency))};
  if (!row.is_null(kQuantity)) event.quantity = row.integer(kQuantity);
}

template <typename Id>
void bind_id(Statement& statement, int parameter, Id id, Id none) {
  if (id == none)
    statement.bind_null(parameter);
  else
    statement.bind(parameter, static_cast<int64_t>(id));
}

void bind_event_columns(Statement& statement, int first, const Event* event) {
  const bool valued = event != nullptr && !std::isnan(event->value);
  valued ? statement.bind(first + kValue, static_cast<double>(event->value)) : statement.bind_null(first + kValue);
  if (event != nullptr && event->amount.has_value()) {
    statement.bind(first + kAmount, event->amount->minor_units);
    statement.bind_text(first + kCurrency, event->amount->currency);
  } else {
    statement.bind_null(first + kAmount);
    statement.bind_null(first + kCurrency);
  }
  event != nullptr ? statement.bind(first + kQuantity, event->quantity) : statement.bind_null(first + kQuantity);
}

}  // namespace

std::string encode_body(const Payload& payload) {
  ObjectWriter out;
  std::visit([&](const auto& fields) { encode(out, fields); }, payload);
  return out.finish();
}

Status decode_body(std::string_view body, Payload& payload) {
  if (body.empty()) return {};
  return std::visit(
      [&](auto& fields) {
        return for_each_field(body,
                              [&](std::string_view key, std::string_view raw) { return decode(key, raw, fields); });
      },
      payload);
}

std::string insert_rows_sql(int rows) {
  const std::string row = fmt::format("({})", fmt::join(std::vector<std::string_view>(kColumns, "?"), ","));
  return fmt::format("INSERT INTO records({}) VALUES{}", kRecordColumns,
                     fmt::join(std::vector<std::string_view>(static_cast<size_t>(rows), row), ","));
}

void bind_record(Statement& insert, int row, const RowPlace& place, const Record& record, std::string_view message,
                 std::string_view body) {
  const int first = row * kColumns + 1;
  insert.bind(first + kOffset, place.offset);
  insert.bind(first + kKind, static_cast<int64_t>(kind_of(record.payload)));
  bind_id(insert, first + kTime, record.time, kNoTime);
  bind_id(insert, first + kUser, place.user, kNoId);
  bind_id(insert, first + kItem, place.item, kNoId);
  bind_id(insert, first + kType, place.type, kNoEventType);
  bind_event_columns(insert, first, std::get_if<Event>(&record.payload));
  bind_id(insert, first + kPrevious, place.previous, Offset{0});
  bind_id(insert, first + kInto, place.into, kNoId);
  insert.bind_blob(first + kMessage, message);
  if (body.empty())
    insert.bind_null(first + kBody);
  else
    insert.bind_text(first + kBody, body);
}

Status read_record(const Statement& row, StoredRecord& record) {
  record.offset = row.integer(kOffset);
  PERENNIAL_TRY_ASSIGN(record.payload, empty_payload(row.integer(kKind)));
  if (!row.is_null(kTime)) record.time = row.integer(kTime);
  PERENNIAL_TRY(read_id(row, kUser, kNoId, record.user));
  PERENNIAL_TRY(read_id(row, kInto, kNoId, record.into));
  PERENNIAL_TRY(read_id(row, kItem, kNoId, record.item));
  PERENNIAL_TRY(read_id(row, kType, kNoEventType, record.type));
  record.message_id = message_of_bytes(row.bytes(kMessage));
  if (auto* event = std::get_if<Event>(&record.payload)) read_event_columns(row, *event);
  const Status body = decode_body(row.bytes(kBody), record.payload);
  return body.ok() ? body : body.with_context(fmt::format("record {}", record.offset));
}

MessageBytes message_bytes(const MessageId& id) {
  MessageBytes bytes;
  std::memcpy(bytes.data(), &id.high, 8);
  std::memcpy(bytes.data() + 8, &id.low, 8);
  return bytes;
}

MessageId message_of_bytes(std::string_view bytes) {
  MessageId id;
  if (bytes.size() != 16) return id;
  std::memcpy(&id.high, bytes.data(), 8);
  std::memcpy(&id.low, bytes.data() + 8, 8);
  return id;
}

}  // namespace perennial
