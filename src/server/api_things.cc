// Items and users: told, asked for, forgotten.
#include "base/text.h"
#include "server/api.h"
#include "server/api_fields.h"

namespace perennial {
namespace {

constexpr int kMaxHistory = 1000;
constexpr size_t kMostItems = 50'000;
constexpr int kDefaultHistory = 100;

Result<Record> item_record(const json::value& value, TimeMs now) {
  if (!value.is_object()) return invalid_argument("an item must be a JSON object");
  json::object fields = value.get_object();
  PERENNIAL_TRY_ASSIGN(std::string id, string_field(fields, "item_id"));
  fields.erase("item_id");
  Record record{random_message_id(), now, {}, std::move(id), {}, ItemUpsert{json::serialize(fields)}};
  PERENNIAL_TRY(validate(record, now));
  return record;
}

/// One item, a list of them, or {"items": [...]}.
Result<json::array> items_of_body(std::string_view body) {
  PERENNIAL_TRY_ASSIGN(json::value value, parse_json(body));
  if (value.is_object()) {
    json::value* items = value.get_object().if_contains("items");
    if (items == nullptr || value.get_object().contains("item_id")) return json::array{std::move(value)};
    value = json::value(std::move(*items));
  }
  if (!value.is_array() || value.get_array().empty()) {
    return invalid_argument("the body must be an item, a list of items, or {{\"items\": [...]}} with at least one");
  }
  return std::move(value.get_array());
}

json::object user_value(const UserView& view) {
  json::array history;
  for (const UserEvent& event : view.history) {
    json::object entry{{"event", event.type}, {"item_id", event.item_id}, {"time", time_value(event.time)}};
    if (!event.item_title.empty()) entry["title"] = event.item_title;
    if (event.value) entry["value"] = *event.value;
    if (!event.device.empty()) entry["device"] = event.device;
    history.push_back(std::move(entry));
  }
  json::object counts;
  for (const auto& [type, count] : view.event_counts) counts[type] = count;
  json::array value;
  for (const auto& [currency, minor_units] : view.value_by_currency) {
    value.push_back(json::object{
        {"currency", currency}, {"minor_units", minor_units}, {"text", format_money({minor_units, currency})}});
  }
  return {{"user_id", view.user_id},
          {"first_seen", time_value(view.first_seen)},
          {"last_seen", time_value(view.last_seen)},
          {"traits", view.traits},
          {"event_counts", std::move(counts)},
          {"value", std::move(value)},
          {"rejected", json::value_from(view.rejected)},
          {"history_size", view.history_size},
          {"history", std::move(history)}};
}

Result<int64_t> history_limit(std::string_view query) {
  PERENNIAL_TRY_ASSIGN(const auto fields, parse_query(query));
  json::object object;
  for (const auto& [name, value] : fields) object[name] = value;
  return integer_field(object, "limit", kDefaultHistory, 0, kMaxHistory);
}

}  // namespace

void Api::post_items(const Call& call, Reply reply) {
  const Result<json::array> items = items_of_body(call.request.body);
  if (!items.ok()) return reply(problem(items.status()));
  if (items->size() > kMostItems)
    return reply(problem(413, "too_large",
                         fmt::format("{} items are over the limit of {} a request", items->size(), kMostItems)));
  const TimeMs now = engine_.clock().now_ms();
  std::vector<Record> records;
  PartsReport report;
  for (size_t i = 0; i < items->size(); ++i) {
    Result<Record> record = item_record((*items)[i], now);
    if (record.ok()) {
      records.push_back(std::move(record).value());
    } else {
      engine_.metrics().event_rejected("invalid_item");
      report.reject(i, record.status(), code_name(record.status().code()));
    }
  }
  const size_t accepted = records.size();
  if (accepted == 0 && items->size() == 1) return reply(problem(item_record((*items)[0], now).status()));
  json::object told = report.take(accepted);
  if (accepted == 0) {
    return reply(
        problem(400, code_name(Code::invalid_argument), "no item could be taken: see 'rejected'", std::move(told)));
  }
  engine_.post(std::move(records),
               [told = std::move(told), reply = std::move(reply)](const Result<AppendOutcome>& outcome) {
                 reply(outcome.ok() ? json_response(told) : problem(outcome.status()));
               });
}

void Api::get_item(const Call& call, Reply reply) {
  const Result<ItemView> item = engine_.item(call.parameters[0]);
  if (!item.ok()) return reply(problem(item.status()));
  json::object value{{"item_id", item->item_id}};
  for (const auto& member : item->fields) value[member.key()] = member.value();
  value["available"] = item->available;
  reply(json_response(value));
}

void Api::delete_item(const Call& call, Reply reply) {
  const std::string& id = call.parameters[0];
  if (!engine_.knows_item(id)) return reply(problem(not_found("no item '{}' is known", id)));
  Record record{random_message_id(), engine_.clock().now_ms(), {}, id, {}, ItemDelete{}};
  engine_.post({std::move(record)}, [id, reply = std::move(reply)](const Result<AppendOutcome>& outcome) {
    reply(outcome.ok() ? json_response(json::object{{"item_id", id}, {"deleted", true}}) : problem(outcome.status()));
  });
}

void Api::get_user(const Call& call, Reply reply) {
  const Result<int64_t> limit = history_limit(call.request.query);
  if (!limit.ok()) return reply(problem(limit.status()));
  const Result<UserView> view = engine_.user(call.parameters[0], static_cast<size_t>(*limit));
  reply(view.ok() ? json_response(user_value(*view)) : problem(view.status()));
}

void Api::delete_user(const Call& call, Reply reply) {
  run_in_background(reply, [this, reply, id = call.parameters[0]] {
    engine_.erase_user(id, [id, reply](const Result<AppendOutcome>& outcome) {
      if (!outcome.ok()) return reply(problem(outcome.status()));
      reply(json_response(json::object{{"user_id", id}, {"erased", true}, {"identities", outcome->appended}}));
    });
  });
}

}  // namespace perennial
