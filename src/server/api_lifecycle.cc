// Where users stand in their life, now or at any date.
#include "base/text.h"
#include "server/api.h"
#include "server/api_fields.h"

namespace perennial {
namespace {

/// `at` of the query; now when it is not there.
Result<TimeMs> instant_of(std::string_view query, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const auto parameters, parse_query(query));
  for (const auto& [name, value] : parameters)
    if (name != "at") return invalid_argument("unknown parameter '{}': there is 'at'", name);
  const auto at = parameters.find("at");
  if (at == parameters.end()) return now;
  const Result<TimeMs> parsed = parse_timestamp(at->second);
  return parsed.ok() ? parsed : parsed.status().with_context("'at'");
}

}  // namespace

void Api::get_user_lifecycle(const Call& call, Reply reply) {
  const Result<TimeMs> at = instant_of(call.request.query, engine_.clock().now_ms());
  if (!at.ok()) return reply(problem(at.status()));
  run_in_background(reply, [this, reply, id = call.parameters[0], at = *at] {
    const Result<LifeStory> story = engine_.life_story(id, at);
    reply(story.ok() ? json_response(to_json(*story)) : problem(story.status()));
  });
}

void Api::get_user_forecasts(const Call& call, Reply reply) {
  const Result<UserForecasts> forecasts = engine_.forecasts(call.parameters[0]);
  reply(forecasts.ok() ? json_response(to_json(*forecasts)) : problem(forecasts.status()));
}

void Api::get_lifecycle_report(const Call& call, Reply reply) {
  auto options = parse_query(call.request.query);
  if (!options.ok()) return reply(problem(options.status()));
  const auto take = [&](const char* name) {
    const auto node = options->extract(name);
    return node.empty() ? std::string() : node.mapped();
  };
  const std::string format = take("format");
  if (!format.empty() && format != "json" && format != "csv")
    return reply(problem(invalid_argument("'format' must be json or csv, got '{:.40}'", format)));
  Result<TimeMs> at = engine_.clock().now_ms();
  if (const std::string text = take("at"); !text.empty()) at = parse_timestamp(text);
  if (!at.ok()) return reply(problem(at.status().with_context("'at'")));
  run_in_background(reply, [this, reply, name = call.parameters[0], options = *options, at = *at, format] {
    const Result<Table> table = engine_.lifecycle_report(name, options, at);
    if (!table.ok()) return reply(problem(table.status()));
    reply(format == "csv" ? csv_response(*table) : json_response(to_json(*table)));
  });
}

void Api::get_stages(const Call& call, Reply reply) {
  const Result<TimeMs> at = instant_of(call.request.query, engine_.clock().now_ms());
  if (!at.ok()) return reply(problem(at.status()));
  run_in_background(reply, [this, reply, at = *at] { reply(json_response(to_json(engine_.count_stages_at(at), at))); });
}

}  // namespace perennial
