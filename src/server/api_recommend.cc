// What to show a user now, and what became of what was shown.
#include <array>

#include "base/text.h"
#include "server/api.h"
#include "server/api_fields.h"

namespace perennial {
namespace {

constexpr int kMaxCount = 500;
constexpr size_t kMaxSurfaceBytes = 100;

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
Result<json::object> fields_of_query(std::string_view query) {
  PERENNIAL_TRY_ASSIGN(const auto parameters, parse_query(query));
  json::object fields;
  json::object context;
  for (const auto& [name, value] : parameters) {
    if (name == "exclude_seen" || name == "explain") {
      if (value != "true" && value != "false") return invalid_argument("'{}' must be true or false", name);
      fields[name] = value == "true";
    } else if (name == "device" || name == "time") {
      context[name] = value;
    } else {
      fields[name] = value;
    }
  }
  json::object all = fields;
  for (const auto& member : context) all[member.key()] = member.value();
  PERENNIAL_TRY(only_fields(all, kQueryFields, "the query"));
  if (!context.empty()) fields["context"] = std::move(context);
  return fields;
}

json::array reasons_value(const std::vector<Reason>& reasons) {
  json::array list;
  for (const Reason& reason : reasons) {
    list.push_back(json::object{{"code", reason.code}, {"text", reason.text}, {"evidence", reason.evidence}});
  }
  return list;
}

json::array items_value(const ServedRecommendation& served, bool explain) {
  json::array list;
  for (size_t i = 0; i < served.recommendation.items.size(); ++i) {
    const RecommendedItem& item = served.recommendation.items[i];
    json::object value{{"item_id", item.item_id},
                       {"score", item.score},
                       {"propensity", item.propensity},
                       {"source", source_name(item.source)}};
    if (explain) value["reasons"] = reasons_value(item.reasons);
    for (const auto& member : served.display[i]) value[member.key()] = member.value();
    list.push_back(std::move(value));
  }
  return list;
}

json::object objective_value(const ServedRecommendation& served) {
  const ChosenObjective& chosen = served.objective;
  const ObjectiveWeights& weights = chosen.objective.weights;
  return {{"name", chosen.objective.name},
          {"stage", stage_name(served.standing.stage)},
          {"overlay", overlay_name(served.standing.overlay)},
          {"weights",
           {{"conversion", weights.conversion},
            {"money", weights.money},
            {"revisit", weights.revisit},
            {"breadth", weights.breadth},
            {"sharing", weights.sharing}}},
          {"applied", chosen.applied()},
          {"why", chosen.applied() ? json::value() : json::value(chosen.why)}};
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

void Api::get_recommend(const Call& call, Reply reply) { recommend(fields_of_query(call.request.query), reply); }

void Api::post_recommend(const Call& call, Reply reply) { recommend(parse_json_object(call.request.body), reply); }

void Api::recommend(const Result<json::object>& fields, const Reply& reply) {
  if (!fields.ok()) return reply(problem(fields.status()));
  Result<RecommendQuestion> question = read_question(*fields);
  if (!question.ok()) return reply(problem(question.status()));
  const bool explain = question->request.explain;
  const ServedRecommendation served = engine_.recommend(std::move(question->request), question->asker);
  const Recommendation& chosen = served.recommendation;
  reply(json_response(json::object{{"recommendation_id", to_hex(chosen.id)},
                                   {"model", chosen.model},
                                   {"variant", served.objective.variant},
                                   {"stage", stage_name(served.standing.stage)},
                                   {"overlay", overlay_name(served.standing.overlay)},
                                   {"objective", objective_value(served)},
                                   {"fallback", chosen.fallback.empty() ? json::value() : json::value(chosen.fallback)},
                                   {"items", items_value(served, explain)},
                                   {"took_ms", std::round(served.seconds * 1e6) / 1e3}}));
}

void Api::get_recommendation(const Call& call, Reply reply) {
  run_in_background(reply, [this, reply, id = call.parameters[0]] {
    const Result<SlateView> view = engine_.slate(id);
    reply(view.ok() ? json_response(slate_value(id, *view)) : problem(view.status()));
  });
}

}  // namespace perennial
