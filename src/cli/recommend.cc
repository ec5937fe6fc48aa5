// perennial recommend: a list for one user, from the files, without a server.
#include "base/json.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "log/sqlite_log.h"
#include "recommend/recommender.h"

namespace perennial {
namespace {

json::object to_json(const Recommendation& recommendation, const Catalogue& catalogue) {
  json::array items;
  for (const RecommendedItem& item : recommendation.items) {
    json::object entry = {{"item_id", item.item_id},
                          {"score", item.score},
                          {"propensity", item.propensity},
                          {"source", source_name(item.source)}};
    if (const Item* known = catalogue.find(item.item); known != nullptr && !known->title().empty())
      entry["title"] = known->title();
    json::array reasons;
    for (const Reason& reason : item.reasons)
      reasons.push_back({{"code", reason.code}, {"text", reason.text}, {"evidence", reason.evidence}});
    entry["reasons"] = std::move(reasons);
    items.push_back(std::move(entry));
  }
  return {{"recommendation_id", to_hex(recommendation.id)},
          {"model", recommendation.model},
          {"fallback", recommendation.fallback},
          {"items", items}};
}

void print_list(const Recommendation& recommendation, const Catalogue& catalogue) {
  if (!recommendation.fallback.empty()) fmt::print("What is popular ({}):\n", recommendation.fallback);
  for (size_t i = 0; i < recommendation.items.size(); ++i) {
    const RecommendedItem& item = recommendation.items[i];
    const Item* known = catalogue.find(item.item);
    const std::string title = known != nullptr && !known->title().empty() ? known->title() : item.item_id;
    const std::string price = known != nullptr && known->price() ? format_money(*known->price()) : "";
    fmt::print("{:3}  {:44.44} {:>12}  {:11} {:8.3f}  {}\n", i + 1, title, price, source_name(item.source), item.score,
               item.reasons.empty() ? "" : item.reasons.front().text);
  }
}

Status run(const CommandLine& line, const RecommendRequest& request) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(line.data));
  PERENNIAL_TRY_ASSIGN(const Offset end, log->end());
  State state(settings.roles, log->event_types(), static_cast<size_t>(settings.history_limit));
  Status loaded = state.load(line.data);
  if (loaded.ok()) loaded = state.check_log(*log);
  if (!loaded.ok() && loaded.code() != Code::not_found)
    fmt::print(stderr, "{}: reading the whole log instead\n", loaded.message());
  PERENNIAL_TRY(state.catch_up(*log, end));
  Recommender recommender(log->items());
  Result<std::shared_ptr<const ServingModel>> model = load_serving_model(line.data, log->items(), log->event_types());
  if (model.ok()) PERENNIAL_TRY((*model)->check_history_limit(static_cast<size_t>(settings.history_limit)));
  if (model.ok())
    recommender.set_model(*model);
  else if (model.status().code() != Code::not_found)
    return model.status();
  recommender.refresh_popularity(state);
  const Recommendation recommendation =
      recommender.recommend(state, log->users().find(request.user_id), request, SystemClock().now_ms());
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(recommendation, state.catalogue())));
  else
    print_list(recommendation, state.catalogue());
  return {};
}

}  // namespace

void add_recommend_command(CLI::App& app, CommandLine& line) {
  const auto request = std::make_shared<RecommendRequest>();
  const auto include_seen = std::make_shared<bool>(false);
  CLI::App* command = add_command(app, line, "recommend", "Recommend items to one user",
                                  "perennial recommend --data shop --explain user-42", [&line, request, include_seen] {
                                    request->exclude_seen = !*include_seen;
                                    return run(line, *request);
                                  });
  command->add_option("user", request->user_id, "user id; an unknown one gets what is popular");
  command->add_option("--count", request->count, "how many items")->check(CLI::Range(1, 500))->capture_default_str();
  command->add_option("--device", request->context.device, "device of the request, such as mobile");
  command->add_flag("--include-seen", *include_seen, "also items of the user's history");
  command->add_flag("--explain", request->explain, "say why");
  command->add_flag("--json", line.json, "print as JSON");
}

}  // namespace perennial
