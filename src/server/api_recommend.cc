// What to show a user now, and what became of what was shown.
#include "base/json_writer.h"
#include "base/text.h"
#include "server/api.h"
#include "server/api_fields.h"

namespace perennial {
namespace {

constexpr size_t kOtherBytes = 100;  // of a reply: id and time

std::string reply_text(const ServedRecommendation& served) {
  std::string text;
  text.reserve(served.list->members.size() + kOtherBytes);
  JsonWriter json(text);
  json.begin_object();
  json.member("recommendation_id", to_hex(served.id));
  json.raw(served.list->members);
  json.member("took_ms", std::round(served.seconds * 1e6) / 1e3);
  json.end_object();
  return text;
}

struct FeedbackQuestion {
  FeedbackOptions report;
  bool csv = false;
};

/// `by`, `from`, `to`, `format`; by default what was served in the last 28 days.
Result<FeedbackQuestion> feedback_options(std::string_view query, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const auto parameters, parse_query(query));
  constexpr TimeMs kFourWeeks = 28 * 86'400'000LL;
  FeedbackQuestion question{.report = {.from = 0, .to = now + 1}};
  bool from = false;
  for (const auto& [name, value] : parameters) {
    if (name == "by") {
      question.report.by = value;
    } else if (name == "from" || name == "to") {
      const Result<TimeMs> time = parse_timestamp(value);
      if (!time.ok()) return time.status().with_context(fmt::format("'{}'", name));
      (name == "from" ? question.report.from : question.report.to) = *time;
      from |= name == "from";
    } else if (name == "format" && (value == "json" || value == "csv")) {
      question.csv = value == "csv";
    } else {
      return invalid_argument("unknown parameter '{:.40}': there are by, from, to and format (json or csv)", name);
    }
  }
  if (!from) question.report.from = question.report.to - kFourWeeks;
  return question;
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
          {"stage", view.slate.stage},
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
  Result<RecommendQuestion> read = read_question(*fields);
  if (!read.ok()) return reply(problem(read.status()));
  if (read->asker.after.is_zero()) return answer(*std::move(read), reply);
  run_in_background(reply, [this, reply, question = *std::move(read)]() mutable {
    Result<std::vector<ItemId>> shown = engine_.shown_up_to(question.asker.after);
    if (!shown.ok()) return reply(problem(shown.status()));
    question.request.shown = *std::move(shown);
    answer(std::move(question), reply);
  });
}

void Api::answer(RecommendQuestion question, const Reply& reply) {
  reply({.body = reply_text(engine_.recommend(std::move(question.request), question.asker))});
}

/// The caller's list in the order for the user; what may not be shown is left out.
void Api::post_rerank(const Call& call, Reply reply) {
  Result<json::object> fields = parse_json_object(call.request.body);
  if (!fields.ok()) return reply(problem(fields.status()));
  const json::value* items = find_field(*fields, "items");
  if (items == nullptr || !items->is_array() || items->get_array().empty() ||
      items->get_array().size() > size_t{kMostListed})
    return reply(problem(invalid_argument("'items' must be a list of 1 to {} item ids", kMostListed)));
  for (const char* field : {"include", "count", "similar_to", "after"})
    if (fields->contains(field)) return reply(problem(invalid_argument("'{}' has no place here", field)));
  const json::array list = items->get_array();
  fields->erase("items");
  fields->emplace("count", static_cast<int64_t>(list.size()));
  fields->emplace("include", list);
  if (find_field(*fields, "exclude_seen") == nullptr) (*fields)["exclude_seen"] = false;
  recommend(fields, reply);
}

void Api::get_similar(const Call& call, Reply reply) {
  Result<json::object> fields = fields_of_query(call.request.query, {});
  if (fields.ok()) fields->emplace("similar_to", call.parameters[0]);
  if (!engine_.knows_item(call.parameters[0]))
    return reply(problem(not_found("no item '{}' is known", call.parameters[0])));
  recommend(fields, reply);
}

void Api::get_feedback(const Call& call, Reply reply) {
  const auto options = feedback_options(call.request.query, engine_.clock().now_ms());
  if (!options.ok()) return reply(problem(options.status()));
  run_in_background(reply, [this, reply, options = *options] {
    const Result<Table> table = engine_.feedback(options.report);
    if (!table.ok()) return reply(problem(table.status()));
    reply(options.csv ? csv_response(*table) : json_response(to_json(*table)));
  });
}

void Api::get_recommendation(const Call& call, Reply reply) {
  run_in_background(reply, [this, reply, id = call.parameters[0]] {
    const Result<SlateView> view = engine_.slate(id);
    reply(view.ok() ? json_response(slate_value(id, *view)) : problem(view.status()));
  });
}

}  // namespace perennial
