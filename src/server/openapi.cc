#include "server/openapi.h"

#include <optional>
#include <string_view>

#include "base/json.h"
#include "server/openapi_schemas.h"

namespace perennial {
namespace {

struct Operation {
  const char* method;  // lower case, as OpenAPI has it
  const char* path;
  const char* id;
  const char* summary;
  const char* role;          // of the key; null: none is needed
  const char* body_schema;   // null: no body
  const char* reply_schema;  // null: an object, or the text of /metrics
  const char* errors;        // statuses beyond those that every route has
  const char* parameters = "[]";
};

constexpr const char* kEvent = "Message";
constexpr const char* kEventErrors = "400 413 415 429";
constexpr const char* kRecommendParameters = R"json([
  {"name": "user_id", "in": "query", "schema": {"type": "string"}},
  {"name": "anonymous_id", "in": "query", "schema": {"type": "string"}},
  {"name": "session", "in": "query", "schema": {"type": "string"}},
  {"name": "surface", "in": "query", "schema": {"type": "string", "default": "default"}},
  {"name": "count", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 10}},
  {"name": "exclude_seen", "in": "query", "description": "true, false, or how long ago at most: 30d.", "schema": {"type": "string", "default": "true"}},
  {"name": "explain", "in": "query", "schema": {"type": "boolean", "default": false}},
  {"name": "device", "in": "query", "schema": {"type": "string"}},
  {"name": "time", "in": "query", "schema": {"type": "string"}}])json";
constexpr const char* kFeedbackOptions = R"json([
  {"name": "by", "in": "query", "schema": {"type": "string", "enum": ["position", "source", "model", "variant", "surface", "stage", "score", "day", "all"], "default": "position"}},
  {"name": "from", "in": "query", "description": "A date or a time; 28 days before 'to' when left out.", "schema": {"type": "string"}},
  {"name": "to", "in": "query", "description": "A date or a time; now when left out.", "schema": {"type": "string"}},
  {"name": "format", "in": "query", "schema": {"type": "string", "enum": ["json", "csv"], "default": "json"}}])json";
constexpr const char* kLimit =
    R"json([{"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 100}}])json";
constexpr const char* kOneUser =
    R"json([{"name": "user_id", "in": "query", "required": true, "example": "u00001", "schema": {"type": "string"}}])json";
constexpr const char* kAt =
    R"json([{"name": "at", "in": "query", "description": "A date or a time; now when left out.", "schema": {"type": "string"}}])json";
constexpr const char* kReportOptions = R"json([
  {"name": "at", "in": "query", "description": "A date or a time; now when left out.", "schema": {"type": "string"}},
  {"name": "format", "in": "query", "schema": {"type": "string", "enum": ["json", "csv"], "default": "json"}},
  {"name": "by", "in": "query", "schema": {"type": "string", "enum": ["week", "month"], "default": "month"}},
  {"name": "last", "in": "query", "description": "How many of them.", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 12}},
  {"name": "signal", "in": "query", "schema": {"type": "string"}},
  {"name": "since", "in": "query", "schema": {"type": "string"}},
  {"name": "window", "in": "query", "schema": {"type": "string"}},
  {"name": "variant", "in": "query", "schema": {"type": "string", "enum": ["on", "on-or-after"]}},
  {"name": "cohort", "in": "query", "schema": {"type": "string", "enum": ["first-event", "activation"]}},
  {"name": "stage", "in": "query", "schema": {"$ref": "#/components/schemas/Stage"}},
  {"name": "overlay", "in": "query", "schema": {"$ref": "#/components/schemas/Overlay"}},
  {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "default": 20}}])json";

constexpr Operation kOperations[] = {
    {"post", "/v1/track", "track", "Something a user did", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/identify", "identify", "Who a user is, and traits", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/page", "page", "A web page was seen", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/screen", "screen", "An app's screen was seen", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/group", "group", "A user belongs to a group", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/alias", "alias", "Two identities are one user", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/batch", "batch", "Many messages: good ones are kept whatever the others are", "write", "Batch",
     "Accepted", kEventErrors},
    {"post", "/v1/import", "importBatch", "The same as /v1/batch", "write", "Batch", "Accepted", kEventErrors},
    {"post", "/v1/t", "browserTrack", "/v1/track for the browser SDK", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/i", "browserIdentify", "/v1/identify for the browser SDK", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/p", "browserPage", "/v1/page for the browser SDK", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/s", "browserScreen", "/v1/screen for the browser SDK", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/g", "browserGroup", "/v1/group for the browser SDK", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/a", "browserAlias", "/v1/alias for the browser SDK", "write", kEvent, "Accepted", kEventErrors},
    {"post", "/v1/b", "browserBatch", "/v1/batch for the browser SDK", "write", "Batch", "Accepted", kEventErrors},
    {"get", "/v1/projects/{write_key}/settings", "browserSettings", "What the browser SDK asks first", nullptr, nullptr,
     "BrowserSettings", "400 404"},
    {"get", "/v1/recommend", "getRecommendation", "What to show a user now", "read", nullptr, "Recommendation", "400",
     kRecommendParameters},
    {"post", "/v1/recommend", "recommend", "What to show a user now; unknown fields are errors", "read",
     "RecommendRequest", "Recommendation", "400 404 413 415 429"},
    {"post", "/v1/rerank", "rerank",
     "A list of the caller's in the order for a user; what may not be shown is left out", "read", "RerankRequest",
     "Recommendation", "400 413 415"},
    {"get", "/v1/recommendations/{recommendation_id}", "servedRecommendation",
     "A slate that was served and its feedback", "read", nullptr, "ServedRecommendation", "400 404 429"},
    {"get", "/v1/feedback", "feedback", "What became of the lists that were served, as a report", "read", nullptr,
     "Report", "400 429", kFeedbackOptions},
    {"post", "/v1/items", "upsertItems", "Describes one item or many", "admin", "Items", "Accepted", "400 413 415 429"},
    {"get", "/v1/items/{item_id}", "getItem", "An item's fields", "read", nullptr, "Item", "400 404"},
    {"get", "/v1/items/{item_id}/similar", "similarItems", "Items like this one", "read", nullptr, "Recommendation",
     "400 404", kRecommendParameters},
    {"delete", "/v1/items/{item_id}", "deleteItem", "The item is recommended no more", "admin", nullptr, "Deleted",
     "400 404 429"},
    {"get", "/v1/users/{user_id}", "getUser", "A user's profile", "read", nullptr, "User", "400 404", kLimit},
    {"get", "/v1/users/{user_id}/lifecycle", "userLifecycle",
     "A user's stage at a time, and every change that led there", "read", nullptr, "UserLifecycle", "400 404 429", kAt},
    {"get", "/v1/users/{user_id}/forecasts", "userForecasts",
     "What a user will do next, with the measured quality of each forecast", "read", nullptr, "UserForecasts",
     "400 404 409"},
    {"get", "/v1/lifecycle/reports/{report}", "lifecycleReport",
     "A report over users' lives: today, stages, flows, activity, stickiness, rfm, activation, revenue, "
     "revenue-by-cohort, cohorts or users",
     "read", nullptr, "Report", "400 404 429", kReportOptions},
    {"get", "/v1/lifecycle/stages", "lifecycleStages", "Users by stage at a time", "read", nullptr, "Stages", "400 429",
     kAt},
    {"get", "/v1/next-best-action", "nextBestAction", "What to do for a user now, the best first", "read", nullptr,
     "NextBestActions", "400 404 409 503", kOneUser},
    {"get", "/v1/actions/dead-letters", "deadLetters", "Actions that could not be handed over", "read", nullptr,
     "DeadLetters", ""},
    {"post", "/v1/actions/{action_id}/send-again", "sendAgain", "Tries a dead letter again", "admin", nullptr,
     "SentAgain", "400 404 429"},
    {"delete", "/v1/users/{user_id}", "eraseUser", "Forgets the user and every identity merged into it", "admin",
     nullptr, "Erased", "400 404 429"},
    {"get", "/healthz", "health", "The process answers", nullptr, nullptr, "Health", ""},
    {"get", "/readyz", "ready", "It may be sent traffic", nullptr, nullptr, "Readiness", "503"},
    {"get", "/metrics", "metrics", "Prometheus text", "read", nullptr, nullptr, ""},
    {"get", "/openapi.json", "openapi", "This document", nullptr, nullptr, nullptr, ""},
};

json::value parsed(std::string_view text) {
  Result<json::value> value = parse_json(text);
  PERENNIAL_CHECK(value.ok(), "the API's own description: {}", value.status().message());
  return std::move(value).value();
}

json::value reference(const char* schema) {
  return schema == nullptr ? json::value{{"type", "object"}}
                           : json::value{{"$ref", fmt::format("#/components/schemas/{}", schema)}};
}

json::object content(const char* type, json::value schema) {
  return {{"content", json::object{{type, json::object{{"schema", std::move(schema)}}}}}};
}

json::object responses_of(const Operation& operation) {
  const bool text = std::string_view(operation.path) == "/metrics";
  json::object good = text ? content("text/plain", {{"type", "string"}})
                           : content("application/json", reference(operation.reply_schema));
  good["description"] = operation.summary;
  if (operation.reply_schema != nullptr && std::string_view(operation.reply_schema) == "Report")  // format=csv
    good["content"].as_object()["text/csv"] = json::object{{"schema", json::object{{"type", "string"}}}};
  json::object responses{{"200", std::move(good)}};
  std::string statuses = operation.errors;
  if (operation.role != nullptr) statuses += " 401 403";
  for (size_t start = 0; start < statuses.size();) {
    const size_t end = std::min(statuses.find(' ', start), statuses.size());
    const std::string status = statuses.substr(start, end - start);
    if (!status.empty()) responses[status] = json::object{{"$ref", "#/components/responses/Problem"}};
    start = end + 1;
  }
  return responses;
}

/// The query's parameters, and one for each {name} in the path.
json::array parameters_of(const Operation& operation) {
  json::array parameters = parsed(operation.parameters).as_array();
  const std::string_view path = operation.path;
  for (size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
    const std::string_view name = path.substr(open + 1, path.find('}', open) - open - 1);
    parameters.push_back(
        json::object{{"name", name}, {"in", "path"}, {"required", true}, {"schema", json::object{{"type", "string"}}}});
  }
  return parameters;
}

json::object described(const Operation& operation) {
  json::object described{{"operationId", operation.id},
                         {"summary", operation.summary},
                         {"parameters", parameters_of(operation)},
                         {"responses", responses_of(operation)}};
  if (operation.body_schema != nullptr) {
    json::object body = content("application/json", reference(operation.body_schema));
    body["required"] = true;
    described["requestBody"] = std::move(body);
  }
  if (operation.role == nullptr) {
    described["security"] = json::array();
  } else {
    described["description"] = fmt::format("Needs a key of role {} or admin.", operation.role);
  }
  return described;
}

std::string make_document() {
  json::object paths;
  for (const Operation& operation : kOperations) {
    json::value& path = paths[operation.path];
    if (path.is_null()) path.emplace_object();
    path.get_object()[operation.method] = described(operation);
  }
  json::object problem = content("application/problem+json", reference("Problem"));
  problem["description"] = "What went wrong";
  return json::serialize(
      json::object{{"openapi", "3.1.0"},
                   {"info", parsed(R"json({"title": "Perennial", "version": ")json" PERENNIAL_VERSION R"json(",
        "description": "Events in (Segment's spec), recommendations out. Every reply carries X-Request-Id; errors are RFC 9457."})json")},
                   {"security", parsed(R"json([{"basic": []}, {"bearer": []}])json")},
                   {"paths", std::move(paths)},
                   {"components", json::object{{"securitySchemes", parsed(R"json({
          "basic": {"type": "http", "scheme": "basic", "description": "The key as user name, no password: Segment's way."},
          "bearer": {"type": "http", "scheme": "bearer"}})json")},
                                               {"responses", json::object{{"Problem", std::move(problem)}}},
                                               {"schemas", parsed(kOpenapiSchemas)}}}});
}

}  // namespace

const std::string& openapi_document() {
  static const std::string document = make_document();
  return document;
}

}  // namespace perennial
