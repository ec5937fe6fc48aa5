// Segment's routes: one message, or a batch whose good messages are kept whatever the others are.
#include "events/segment.h"
#include "server/api.h"
#include "server/api_fields.h"

namespace perennial {
namespace {

struct EventRoute {
  const char* path;
  const char* type;  // Segment's call; "batch" is many
};

// The single letters are those of Segment's browser SDK.
constexpr EventRoute kEventRoutes[] = {
    {"/v1/track", "track"}, {"/v1/identify", "identify"}, {"/v1/page", "page"},    {"/v1/screen", "screen"},
    {"/v1/group", "group"}, {"/v1/alias", "alias"},       {"/v1/t", "track"},      {"/v1/i", "identify"},
    {"/v1/p", "page"},      {"/v1/s", "screen"},          {"/v1/g", "group"},      {"/v1/a", "alias"},
    {"/v1/batch", "batch"}, {"/v1/b", "batch"},           {"/v1/import", "batch"},
};

constexpr size_t kMostMessages = 10'000;
constexpr size_t kMostRecords = 20'000;

/// What a batch says once for all its messages.
json::object shared_fields(const json::object& batch) {
  json::object shared;
  for (const char* name : {"sentAt", "context"})
    if (const json::value* value = find_field(batch, name)) shared[name] = *value;
  return shared;
}

/// A message's own fields stand.
void inherit(json::object& message, const json::object& shared) {
  for (const auto& [name, value] : shared)
    if (find_field(message, name) == nullptr) message[name] = value;
}

json::object append_counts(json::object reply, const AppendOutcome& outcome) {
  reply["records"] = outcome.appended;
  reply["repeated"] = outcome.repeated;
  return reply;
}

}  // namespace

void Api::add_event_routes() {
  for (const EventRoute& route : kEventRoutes) {
    const std::string type = route.type;
    const bool batch = type == "batch";
    router_.add({"POST", route.path, KeyRole::write, true,
                 batch ? options_.batch_limit_bytes : options_.event_limit_bytes,
                 [this, type, batch](const Call& call, Reply reply) {
                   batch ? post_batch(call, std::move(reply)) : post_event(type, call, std::move(reply));
                 }});
  }
  router_.add({"GET", "/v1/projects/{write_key}/settings", std::nullopt, true, 0,
               [this](const Call& call, Reply reply) { browser_settings(call, std::move(reply)); }});
}

std::optional<HttpResponse> Api::check_body_key(const Call& call, const json::object& body) {
  if (call.authorised) return std::nullopt;
  const Result<std::string> key = string_field(body, "writeKey");
  if (!key.ok()) return problem(key.status());
  if (key->empty()) {
    return problem({Code::unauthenticated,
                    "an API key is needed: the user name of Basic, a Bearer token, or 'writeKey' in the body"});
  }
  const std::optional<KeyRole> role = keys_->role_of(*key);
  if (!role) return problem({Code::unauthenticated, "the writeKey in the body is not known here"});
  if (role_allows(*role, KeyRole::write)) return std::nullopt;
  return problem(403, "forbidden",
                 fmt::format("events need a key of role write or admin, this one is {}", key_role_name(*role)));
}

/// What is told of actions counts against caps and budgets, and ends deliveries: not for the key of a web page.
Result<std::vector<Record>> Api::records_of(const json::object& message, std::string_view type,
                                            const Call& call) const {
  PERENNIAL_TRY_ASSIGN(std::vector<Record> records,
                       records_of_segment_message(message, type, engine_.clock().now_ms(), options_.currency));
  for (const Record& record : records) {
    PERENNIAL_TRY(engine_.check_type(record));
    const RecordKind kind = kind_of(record.payload);
    if (!call.admin && (kind == RecordKind::action || kind == RecordKind::delivery))
      return invalid_argument(
          "'event': what is told of actions needs an admin key in the Authorization header, for it counts against caps "
          "and budgets");
  }
  return records;
}

void Api::post_event(const std::string& type, const Call& call, Reply reply) {
  Metrics& metrics = engine_.metrics();
  Result<json::object> message = parse_json_object(call.request.body);
  if (!message.ok()) {
    metrics.event_rejected("malformed");
    return reply(problem(message.status()));
  }
  if (auto refusal = check_body_key(call, *message)) return reply(std::move(*refusal));
  Result<std::vector<Record>> records = records_of(*message, type, call);
  if (!records.ok()) {
    metrics.event_rejected("invalid");
    return reply(problem(records.status()));
  }
  engine_.post(std::move(records).value(), [&metrics, reply = std::move(reply)](const Result<AppendOutcome>& outcome) {
    if (!outcome.ok()) {
      metrics.event_rejected(code_name(outcome.status().code()));
      return reply(problem(outcome.status()));
    }
    reply(json_response(append_counts({{"success", true}, {"accepted", 1}}, *outcome)));
  });
}

void Api::post_batch(const Call& call, Reply reply) {
  Metrics& metrics = engine_.metrics();
  Result<json::object> body = parse_json_object(call.request.body);
  if (!body.ok()) {
    metrics.event_rejected("malformed");
    return reply(problem(body.status()));
  }
  if (auto refusal = check_body_key(call, *body)) return reply(std::move(*refusal));
  json::value* list = body->if_contains("batch");
  if (list == nullptr || !list->is_array() || list->get_array().empty()) {
    metrics.event_rejected("malformed");
    return reply(problem(invalid_argument("'batch' must be a list with at least one message")));
  }

  json::array& messages = list->get_array();
  const json::object shared = shared_fields(*body);
  Status size;
  if (messages.size() > kMostMessages)
    size = resource_exhausted("a batch of {} messages is over the limit of {}", messages.size(), kMostMessages);
  else if (json::serialize(shared).size() > options_.event_limit_bytes)
    size =
        resource_exhausted("the batch's 'context' is over the limit of {} bytes an event", options_.event_limit_bytes);
  if (!size.ok()) {
    metrics.event_rejected("too_large");
    return reply(problem(413, "too_large", size.message()));
  }

  std::vector<Record> records;
  PartsReport report;
  for (size_t i = 0; i < messages.size(); ++i) {
    json::object* message = messages[i].if_object();
    Result<std::vector<Record>> got = invalid_argument("a message must be a JSON object");
    if (message != nullptr && json::serialize(*message).size() > options_.event_limit_bytes) {
      got = resource_exhausted("the message is over the limit of {} bytes an event", options_.event_limit_bytes);
    } else if (message != nullptr) {
      inherit(*message, shared);
      got = records_of(*message, {}, call);
      message->clear();  // thousands of copies of the context would be much
    }
    if (got.ok() && records.size() + got->size() > kMostRecords)
      got = resource_exhausted("the batch has over {} products: send fewer at once", kMostRecords);
    if (got.ok()) {
      std::move(got->begin(), got->end(), std::back_inserter(records));
    } else {
      const bool too_large = got.status().code() == Code::resource_exhausted;
      metrics.event_rejected(too_large ? "too_large" : "invalid");
      report.reject(i, got.status(), too_large ? "too_large" : code_name(got.status().code()));
    }
  }

  const size_t accepted = messages.size() - report.rejected();
  json::object told = report.take(accepted);
  if (accepted == 0) {
    return reply(problem(400, code_name(Code::invalid_argument),
                         "no message of the batch could be taken: see 'rejected'", std::move(told)));
  }
  engine_.post(std::move(records), [&metrics, accepted, told = std::move(told),
                                    reply = std::move(reply)](const Result<AppendOutcome>& outcome) {
    if (!outcome.ok()) {
      metrics.event_rejected(code_name(outcome.status().code()), static_cast<double>(accepted));
      return reply(problem(outcome.status()));
    }
    reply(json_response(append_counts(told, *outcome)));
  });
}

void Api::browser_settings(const Call& call, Reply reply) {
  const std::string& key = call.parameters[0];
  const std::optional<KeyRole> role = keys_ == nullptr ? KeyRole::write : keys_->role_of(key);
  if (!role || !role_allows(*role, KeyRole::write)) return reply(problem(404, "not_found", "no such write key"));
  const json::object enabled{{"__default", json::object{{"enabled", true}}}};
  // Without 'metrics' the SDK tells api.segment.io, every half minute, how often it was called.
  reply(json_response(json::object{
      {"integrations", json::object{{"Segment.io", json::object{{"apiKey", key},
                                                                {"apiHost", call.request.host + "/v1"},
                                                                {"protocol", call.request.by_tls ? "https" : "http"},
                                                                {"addBundledMetadata", true},
                                                                {"unbundledIntegrations", json::array()}}}}},
      {"metrics", json::object{{"sampleRate", 0}}},
      {"plan", json::object{{"track", enabled}, {"identify", enabled}, {"group", enabled}}}}));
}

}  // namespace perennial
