// What to show a user now, and what became of what was shown.
#include <array>

#include "base/json_writer.h"
#include "base/text.h"
#include "server/api.h"
#include "server/api_fields.h"

namespace perennial {
namespace {

constexpr int kMaxCount = 500;
constexpr size_t kMaxSurfaceBytes = 100;
constexpr size_t kReplyBytes = 700;  // about; and an item's
constexpr size_t kItemBytes = 200;

constexpr std::array<std::string_view, 8> kRequestFields = {"user_id", "anonymous_id", "session",      "surface",
                                                            "count",   "context",      "exclude_seen", "explain"};
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

struct RecommendQuestion {
  RecommendRequest request;
  Asker asker;
};

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
  PERENNIAL_TRY_ASSIGN(const int64_t count, integer_field(fields, "count", request.count, 1, kMaxCount));
  request.count = static_cast<int>(count);
  PERENNIAL_TRY_ASSIGN(request.exclude_seen, bool_field(fields, "exclude_seen", true));
  PERENNIAL_TRY_ASSIGN(request.explain, bool_field(fields, "explain", false));
  if (const json::value* context = find_field(fields, "context")) {
    if (!context->is_object()) return invalid_argument("'context' must be an object");
    PERENNIAL_TRY_ASSIGN(request.context, read_context(context->get_object()));
    question.asker.context = json::serialize(*context);
  }
  return question;
}

/// Query parameters as the fields of a body.
Result<json::object> fields_of_query(std::string_view query, const json::storage_ptr& memory) {
  PERENNIAL_TRY_ASSIGN(const auto parameters, parse_query(query));
  json::object fields(memory);
  json::object context(memory);
  for (const auto& [name, value] : parameters) {
    PERENNIAL_TRY(check_field(name, kQueryFields, "the query"));
    if (name == "exclude_seen" || name == "explain") {
      if (value != "true" && value != "false") return invalid_argument("'{}' must be true or false", name);
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

void write_reasons(JsonWriter& json, const std::vector<Reason>& reasons) {
  json.begin_array();
  for (const Reason& reason : reasons) {
    json.begin_object();
    json.member("code", reason.code);
    json.member("text", reason.text);
    json.member("evidence", reason.evidence);
    json.end_object();
  }
  json.end_array();
}

void write_items(JsonWriter& json, const ServedRecommendation& served, bool explain) {
  json.begin_array();
  for (size_t i = 0; i < served.recommendation.items.size(); ++i) {
    const RecommendedItem& item = served.recommendation.items[i];
    json.begin_object();
    json.member("item_id", item.item_id);
    json.member("score", item.score);
    json.member("propensity", item.propensity);
    json.member("source", source_name(item.source));
    if (explain) {
      json.key("reasons");
      write_reasons(json, item.reasons);
    }
    if (!served.display[i].empty()) json.raw(served.display[i]);
    json.end_object();
  }
  json.end_array();
}

void write_objective(JsonWriter& json, const ServedRecommendation& served) {
  const ChosenObjective& chosen = served.objective;
  const ObjectiveWeights& weights = chosen.objective.weights;
  json.begin_object();
  json.member("name", chosen.objective.name);
  json.member("stage", stage_name(served.standing.stage));
  json.member("overlay", overlay_name(served.standing.overlay));
  json.key("weights");
  json.begin_object();
  json.member("conversion", weights.conversion);
  json.member("money", weights.money);
  json.member("revisit", weights.revisit);
  json.member("breadth", weights.breadth);
  json.member("sharing", weights.sharing);
  json.end_object();
  json.member("applied", chosen.applied());
  json.key("why");
  chosen.applied() ? json.null() : json.text(chosen.why);
  json.end_object();
}

std::string recommendation_text(const ServedRecommendation& served, bool explain) {
  const Recommendation& chosen = served.recommendation;
  std::string text;
  text.reserve(kReplyBytes + kItemBytes * chosen.items.size());
  JsonWriter json(text);
  json.begin_object();
  json.member("recommendation_id", to_hex(chosen.id));
  json.member("model", chosen.model);
  json.member("variant", served.objective.variant);
  json.member("stage", stage_name(served.standing.stage));
  json.member("overlay", overlay_name(served.standing.overlay));
  json.key("objective");
  write_objective(json, served);
  json.key("fallback");
  chosen.fallback.empty() ? json.null() : json.text(chosen.fallback);
  json.key("items");
  write_items(json, served, explain);
  json.member("took_ms", std::round(served.seconds * 1e6) / 1e3);
  json.end_object();
  return text;
}

json::object slate_value(const std::string& recommendation_id, const SlateView& view) {
  json::array items;
  for (size_t i = 0; i < view.items.size(); ++i) {
    const SlateItem& item = view.slate.items[i];
    items.push_back(json::object{{"item_id", view.items[i]},
                                 {"score", item.score},
                                 {"propensity", item.propensity},
                                 {"source", source_name(item.source)}});
  }
  json::array feedback;
  for (const SlateFeedback& said : view.feedback) {
    feedback.push_back(json::object{{"kind", said.kind},
                                    {"event", said.type},
                                    {"item_id", said.item_id},
                                    {"user_id", said.user_id},
                                    {"time", time_value(said.time)}});
  }
  const Result<json::value> context = parse_json(view.slate.context.empty() ? "{}" : view.slate.context);
  return {{"recommendation_id", recommendation_id},
          {"user_id", view.slate.user},
          {"time", time_value(view.slate.time)},
          {"surface", view.slate.surface},
          {"model", view.slate.model},
          {"variant", view.slate.policy},
          {"context", context.ok() ? *context : json::value(json::object())},
          {"items", std::move(items)},
          {"feedback", std::move(feedback)}};
}

}  // namespace

void Api::get_recommend(const Call& call, Reply reply) {
  unsigned char buffer[4096];
  json::monotonic_resource memory(buffer, sizeof buffer);
  recommend(fields_of_query(call.request.query, &memory), reply);
}

void Api::post_recommend(const Call& call, Reply reply) { recommend(parse_json_object(call.request.body), reply); }

void Api::recommend(const Result<json::object>& fields, const Reply& reply) {
  if (!fields.ok()) return reply(problem(fields.status()));
  Result<RecommendQuestion> question = read_question(*fields);
  if (!question.ok()) return reply(problem(question.status()));
  const bool explain = question->request.explain;
  const ServedRecommendation served = engine_.recommend(std::move(question->request), question->asker);
  reply({.body = recommendation_text(served, explain)});
}

void Api::get_recommendation(const Call& call, Reply reply) {
  run_in_background(reply, [this, reply, id = call.parameters[0]] {
    const Result<SlateView> view = engine_.slate(id);
    reply(view.ok() ? json_response(slate_value(id, *view)) : problem(view.status()));
  });
}

}  // namespace perennial
