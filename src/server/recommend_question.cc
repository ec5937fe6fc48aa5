#include "server/recommend_question.h"

#include <array>

#include "base/text.h"
#include "lifecycle/definition.h"
#include "server/api_fields.h"
#include "server/http.h"

namespace perennial {
namespace {

constexpr size_t kMaxSurfaceBytes = 100;

constexpr std::array<std::string_view, 20> kRequestFields = {
    "attention", "session_items", "similar_to", "after",        "user_id",          "anonymous_id", "session",
    "surface",   "count",         "context",    "exclude_seen", "explain",          "filter",       "include",
    "exclude",   "pin",           "boost",      "diversity",    "max_per_category", "explore"};
constexpr std::array<std::string_view, 2> kBoostFields = {"filter", "by"};
constexpr size_t kMostIds = 1000;
constexpr size_t kMostSessionItems = 100;
constexpr size_t kMostBoosts = 16;
constexpr double kMostBoost = 10;      // in logits
constexpr double kMostDiversity = 10;  // in logits
constexpr std::array<std::string_view, 6> kContextFields = {"time",    "timezone", "place",
                                                            "weather", "device",   "activity"};
constexpr std::array<std::string_view, 9> kQueryFields = {"user_id",      "anonymous_id", "session", "surface", "count",
                                                          "exclude_seen", "explain",      "device",  "time"};

Result<RequestContext> read_context(const json::object& context) {
  PERENNIAL_TRY(only_fields(context, kContextFields, "context"));
  RequestContext read;
  PERENNIAL_TRY_ASSIGN(read.device, string_field(context, "device"));
  PERENNIAL_TRY_ASSIGN(const std::string time, string_field(context, "time"));
  if (!time.empty()) {
    const Result<TimeMs> parsed = parse_iso8601(time);
    if (!parsed.ok()) return parsed.status().with_context("'context.time'");
    read.time = *parsed;
  }
  for (const char* name : {"place", "weather"}) {
    const json::value* value = find_field(context, name);
    if (value != nullptr && !value->is_object()) return invalid_argument("'context.{}' must be an object", name);
  }
  for (const char* name : {"timezone", "activity"}) {
    PERENNIAL_TRY(string_field(context, name).status());
  }
  return read;
}

/// Of the object's field "filter", if it has one.
Result<ItemFilter> read_filter(const json::object& fields) {
  const json::value* filter = find_field(fields, "filter");
  if (filter == nullptr) return ItemFilter();
  if (!filter->is_object()) return invalid_argument("'filter' must be an object: {{\"category\": [\"shoes\"], ...}}");
  Result<ItemFilter> read = parse_item_filter(filter->get_object());
  if (!read.ok()) return read.status().with_context("'filter'");
  return read;
}

Result<double> read_real(const json::object& fields, std::string_view name, double highest) {
  PERENNIAL_TRY_ASSIGN(const double number, number_field(fields, name, 0));
  if (number < 0 || number > highest) return invalid_argument("'{}' must be from 0 to {}", name, highest);
  return number;
}

Result<std::vector<Boost>> read_boosts(const json::object& fields) {
  std::vector<Boost> boosts;
  const json::value* list = find_field(fields, "boost");
  if (list == nullptr) return boosts;
  if (!list->is_array() || list->get_array().size() > kMostBoosts)
    return invalid_argument("'boost' must be a list of at most {} of {{\"filter\", \"by\"}}", kMostBoosts);
  for (const json::value& element : list->get_array()) {
    if (!element.is_object()) return invalid_argument("'boost' holds something that is no object");
    PERENNIAL_TRY(only_fields(element.get_object(), kBoostFields, "'boost'"));
    Boost& boost = boosts.emplace_back();
    PERENNIAL_TRY_ASSIGN(boost.filter, read_filter(element.get_object()));
    PERENNIAL_TRY_ASSIGN(boost.by, number_field(element.get_object(), "by", 0));
    if (!boost.filter.any() || boost.by == 0 || std::abs(boost.by) > kMostBoost)
      return invalid_argument("a boost wants a 'filter' and 'by', from {} to {} and not 0", -kMostBoost, kMostBoost);
  }
  return boosts;
}

/// true, false, or how long ago: "30d".
Status read_exclude_seen(const json::object& fields, RecommendRequest& request) {
  const json::value* value = find_field(fields, "exclude_seen");
  if (value == nullptr || !value->is_string()) {
    PERENNIAL_TRY_ASSIGN(request.exclude_seen, bool_field(fields, "exclude_seen", true));
    return {};
  }
  PERENNIAL_TRY_ASSIGN(request.seen_within, parse_period(value->get_string()));
  return {};
}

}  // namespace

Result<std::vector<std::string>> read_ids(const json::object& fields, std::string_view name) {
  std::vector<std::string> ids;
  const json::value* list = find_field(fields, name);
  if (list == nullptr) return ids;
  if (!list->is_array()) return invalid_argument("'{}' must be a list of item ids", name);
  if (list->get_array().size() > kMostIds) return invalid_argument("'{}' holds over {} ids", name, kMostIds);
  for (const json::value& id : list->get_array()) {
    PERENNIAL_TRY_ASSIGN(ids.emplace_back(), string_field(json::object{{"id", id}}, "id"));
    PERENNIAL_TRY(check_id_field(name, ids.back()));
  }
  return ids;
}

Result<Controls> read_controls(const json::object& fields) {
  Controls controls;
  PERENNIAL_TRY_ASSIGN(controls.filter, read_filter(fields));
  if (find_field(fields, "include") != nullptr) {
    PERENNIAL_TRY_ASSIGN(controls.include.emplace(), read_ids(fields, "include"));
  }
  PERENNIAL_TRY_ASSIGN(controls.exclude, read_ids(fields, "exclude"));
  PERENNIAL_TRY_ASSIGN(controls.pin, read_ids(fields, "pin"));
  PERENNIAL_TRY_ASSIGN(controls.boosts, read_boosts(fields));
  size_t conditions = controls.filter.conditions();
  for (const Boost& boost : controls.boosts) conditions += boost.filter.conditions();
  if (conditions > kMostConditions)
    return invalid_argument("'filter' and 'boost' hold {} conditions, at most {} are allowed", conditions,
                            kMostConditions);
  PERENNIAL_TRY_ASSIGN(controls.diversity, read_real(fields, "diversity", kMostDiversity));
  PERENNIAL_TRY_ASSIGN(const int64_t most, integer_field(fields, "max_per_category", 0, 1, kMostListed));
  controls.most_a_category = static_cast<int>(most);
  PERENNIAL_TRY_ASSIGN(controls.exploration, read_real(fields, "explore", 1));
  return controls;
}

Result<RecommendQuestion> read_question(const json::object& fields) {
  PERENNIAL_TRY(only_fields(fields, kRequestFields, "the request"));
  RecommendQuestion question;
  RecommendRequest& request = question.request;
  PERENNIAL_TRY_ASSIGN(request.user_id, string_field(fields, "user_id"));
  PERENNIAL_TRY_ASSIGN(question.asker.anonymous_id, string_field(fields, "anonymous_id"));
  if (question.asker.anonymous_id.empty()) {
    PERENNIAL_TRY_ASSIGN(question.asker.anonymous_id, string_field(fields, "session"));
  }
  PERENNIAL_TRY(check_id_field("user_id", request.user_id));
  PERENNIAL_TRY(check_id_field("anonymous_id", question.asker.anonymous_id));
  PERENNIAL_TRY_ASSIGN(const std::string surface, string_field(fields, "surface"));
  if (surface.size() > kMaxSurfaceBytes) return invalid_argument("'surface' is over {} bytes", kMaxSurfaceBytes);
  if (!surface.empty()) request.surface = surface;
  PERENNIAL_TRY_ASSIGN(const int64_t count, integer_field(fields, "count", request.count, 1, kMostListed));
  request.count = static_cast<int>(count);
  PERENNIAL_TRY(read_exclude_seen(fields, request).with_context("'exclude_seen'"));
  PERENNIAL_TRY_ASSIGN(request.controls, read_controls(fields));
  PERENNIAL_TRY_ASSIGN(request.session_items, read_ids(fields, "session_items"));
  if (request.session_items.size() > kMostSessionItems)
    return invalid_argument("'session_items' holds over {} ids: send the newest", kMostSessionItems);
  PERENNIAL_TRY_ASSIGN(request.similar_to, string_field(fields, "similar_to"));
  PERENNIAL_TRY(check_id_field("similar_to", request.similar_to));
  PERENNIAL_TRY_ASSIGN(const std::string after, string_field(fields, "after"));
  if (!after.empty()) {
    const Result<MessageId> id = message_id_from_hex(after);
    if (!id.ok()) return invalid_argument("'after' must be the recommendation_id of the page before");
    question.asker.after = *id;
  }
  PERENNIAL_TRY_ASSIGN(request.explain, bool_field(fields, "explain", false));
  PERENNIAL_TRY_ASSIGN(request.attention, bool_field(fields, "attention", false));
  if (const json::value* context = find_field(fields, "context")) {
    if (!context->is_object()) return invalid_argument("'context' must be an object");
    PERENNIAL_TRY_ASSIGN(request.context, read_context(context->get_object()));
    question.asker.context = json::serialize(*context);
  }
  return question;
}

Result<json::object> fields_of_query(std::string_view query, const json::storage_ptr& memory) {
  PERENNIAL_TRY_ASSIGN(const auto parameters, parse_query(query));
  json::object fields(memory);
  json::object context(memory);
  for (const auto& [name, value] : parameters) {
    PERENNIAL_TRY(check_field(name, kQueryFields, "the query"));
    if ((name == "exclude_seen" || name == "explain") && (value == "true" || value == "false")) {
      fields[name] = value == "true";
    } else if (name == "device" || name == "time") {
      context[name] = value;
    } else {
      fields[name] = value;
    }
  }
  if (!context.empty()) fields["context"] = std::move(context);
  return fields;
}

}  // namespace perennial
