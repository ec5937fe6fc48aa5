#include "server/recommend_question.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "lifecycle/definition.h"
#include "server/api_fields.h"
#include "server/http.h"

namespace perennial {
namespace {

constexpr size_t kMaxSurfaceBytes = 100;

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
Status read_exclude_seen(const json::object& fields, RecommendQuestion& question) {
  const json::value* value = find_field(fields, "exclude_seen");
  if (value == nullptr || !value->is_string()) {
    PERENNIAL_TRY_ASSIGN(question.request.exclude_seen, bool_field(fields, "exclude_seen", true));
    return {};
  }
  const Result<TimeMs> period = parse_period(value->get_string());
  if (!period.ok()) return period.status().with_context("'exclude_seen'");
  question.request.seen_within = *period;
  return {};
}

Status read_user_id(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(question.request.user_id, string_field(fields, "user_id"));
  return check_id_field("user_id", question.request.user_id);
}

Status read_anonymous_id(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(question.asker.anonymous_id, string_field(fields, "anonymous_id"));
  if (question.asker.anonymous_id.empty()) {
    PERENNIAL_TRY_ASSIGN(question.asker.anonymous_id, string_field(fields, "session"));
  }
  return check_id_field("anonymous_id", question.asker.anonymous_id);
}

Status read_surface(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(std::string surface, string_field(fields, "surface"));
  if (surface.size() > kMaxSurfaceBytes) return invalid_argument("'surface' is over {} bytes", kMaxSurfaceBytes);
  if (!surface.empty()) question.request.surface = std::move(surface);
  return {};
}

Status read_count(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(const int64_t count, integer_field(fields, "count", question.request.count, 1, kMostListed));
  question.request.count = static_cast<int>(count);
  return {};
}

Status read_session_items(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(question.request.session_items, read_ids(fields, "session_items"));
  if (question.request.session_items.size() <= kMostSessionItems) return {};
  return invalid_argument("'session_items' holds over {} ids: send the newest", kMostSessionItems);
}

Status read_similar_to(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(question.request.similar_to, string_field(fields, "similar_to"));
  return check_id_field("similar_to", question.request.similar_to);
}

Status read_after(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(const std::string after, string_field(fields, "after"));
  if (after.empty()) return {};
  const Result<MessageId> id = message_id_from_hex(after);
  if (!id.ok()) return invalid_argument("'after' must be the recommendation_id of the page before");
  question.asker.after = *id;
  return {};
}

Status read_explain(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(question.request.explain, bool_field(fields, "explain", false));
  return {};
}

Status read_attention(const json::object& fields, RecommendQuestion& question) {
  PERENNIAL_TRY_ASSIGN(question.request.attention, bool_field(fields, "attention", false));
  return {};
}

Status read_context_of(const json::object& fields, RecommendQuestion& question) {
  const json::value* context = find_field(fields, "context");
  if (context == nullptr) return {};
  if (!context->is_object()) return invalid_argument("'context' must be an object");
  PERENNIAL_TRY_ASSIGN(question.request.context, read_context(context->get_object()));
  question.asker.context = json::serialize(*context);
  return {};
}

struct RequestField {
  std::string_view name;
  Status (*read)(const json::object& fields, RecommendQuestion& question);  // null: one of the controls
};
constexpr std::array<RequestField, 20> kRequestFields = {{{"user_id", read_user_id},
                                                          {"anonymous_id", read_anonymous_id},
                                                          {"session", read_anonymous_id},
                                                          {"surface", read_surface},
                                                          {"count", read_count},
                                                          {"context", read_context_of},
                                                          {"exclude_seen", read_exclude_seen},
                                                          {"explain", read_explain},
                                                          {"attention", read_attention},
                                                          {"session_items", read_session_items},
                                                          {"similar_to", read_similar_to},
                                                          {"after", read_after},
                                                          {"filter", nullptr},
                                                          {"include", nullptr},
                                                          {"exclude", nullptr},
                                                          {"pin", nullptr},
                                                          {"boost", nullptr},
                                                          {"diversity", nullptr},
                                                          {"max_per_category", nullptr},
                                                          {"explore", nullptr}}};

Status unknown_field(std::string_view name) {
  std::array<std::string_view, kRequestFields.size()> known;
  std::ranges::transform(kRequestFields, known.begin(), &RequestField::name);
  return check_field(name, known, "the request");
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
  const auto is_control = [](const auto& member) {
    const auto field = std::ranges::find(kRequestFields, std::string_view(member.key()), &RequestField::name);
    return field != kRequestFields.end() && field->read == nullptr;
  };
  if (std::ranges::none_of(fields, is_control)) return controls;
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
  RecommendQuestion question;
  for (const auto& member : fields) {
    const std::string_view name(member.key().data(), member.key().size());
    const auto field = std::ranges::find(kRequestFields, name, &RequestField::name);
    if (field == kRequestFields.end()) return unknown_field(name);
    if (field->read != nullptr) PERENNIAL_TRY(field->read(fields, question));
  }
  PERENNIAL_TRY_ASSIGN(question.request.controls, read_controls(fields));
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
