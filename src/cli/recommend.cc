// perennial recommend: a list for one user, from the files, without a server.
#include <algorithm>
#include <thread>

#include "base/cores.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/fold_state.h"
#include "cli/open_recommender.h"
#include "log/slate_log.h"
#include "log/sqlite_log.h"
#include "server/list_rules_file.h"

namespace perennial {
namespace {

json::object to_json(const MessageId& id, const Recommendation& recommendation, const Catalogue& catalogue) {
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
      reasons.push_back(
          {{"code", reason.code}, {"text", reason.text}, {"evidence", reason.evidence}, {"by", reason.by}});
    entry["reasons"] = std::move(reasons);
    items.push_back(std::move(entry));
  }
  return {{"recommendation_id", to_hex(id)},
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

/// What lists are made of, read from the data directory.
struct Shop {
  Settings settings;
  std::unique_ptr<LogReader> log;
  std::optional<State> state;
  std::unique_ptr<Recommender> recommender;
};

Status open_shop(const CommandLine& line, Shop& shop) {
  PERENNIAL_TRY_ASSIGN(shop.settings, line.settings());
  PERENNIAL_TRY_ASSIGN(shop.log, open_log_for_reading(line.data));
  LogReader& log = *shop.log;
  const auto history_limit = static_cast<size_t>(shop.settings.history_limit);
  State& state = shop.state.emplace(shop.settings.roles, log.event_types(), history_limit);
  PERENNIAL_TRY(fold_state(line.data, log, state));
  PERENNIAL_TRY_ASSIGN(shop.recommender, open_recommender(line.data, log, state, history_limit));
  return {};
}

Status recommend_to_one(const CommandLine& line, const RecommendRequest& request) {
  Shop shop;
  PERENNIAL_TRY(open_shop(line, shop));
  const TimeMs now = SystemClock().now_ms();
  const Recommendation recommendation =
      shop.recommender->recommend(*shop.state, shop.log->users().find(request.user_id), request, now);
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(new_recommendation_id(now), recommendation, shop.state->catalogue())));
  else
    print_list(recommendation, shop.state->catalogue());
  return {};
}

/// Lists of all users, a line each, while the lock on the log says that no server writes slates: then these are logged
/// as well, so that what comes of them is credited.
class ListsForAll {
 public:
  ListsForAll(Shop& shop, RecommendRequest request, SlateLog* slates)
      : shop_(shop), request_(std::move(request)), slates_(slates) {
    shop.state->profiles().for_each([&](UserId user, const Profile&) { users_.push_back(user); });
    std::ranges::sort(users_);
  }

  /// How many lists there are.
  Result<size_t> write(const fs::path& path) {
    Progress progress("recommending", static_cast<int64_t>(users_.size()), "users");
    const Status status = write_file_atomically(path, [&](const BytesWriter& put) -> Status {
      for (size_t first = 0; first < users_.size(); first += kAtOnce) {
        PERENNIAL_TRY(put(lines_of(std::span(users_).subspan(first, std::min(kAtOnce, users_.size() - first)))));
        progress.update(static_cast<int64_t>(std::min(first + kAtOnce, users_.size())));
      }
      return {};
    });
    if (!status.ok()) return status;
    return users_.size();
  }

 private:
  static constexpr size_t kAtOnce = 4096;

  std::string lines_of(std::span<const UserId> users) {
    const auto threads = static_cast<size_t>(usable_cores());
    std::vector<std::string> parts(threads);
    std::vector<std::thread> workers;
    for (size_t i = 0; i < threads; ++i)
      workers.emplace_back([&, i] {
        const size_t share = (users.size() + threads - 1) / threads;
        for (size_t at = i * share; at < std::min(users.size(), (i + 1) * share); ++at) add_line(users[at], parts[i]);
      });
    for (std::thread& worker : workers) worker.join();
    std::string lines;
    for (const std::string& part : parts) lines += part;
    return lines;
  }

  void add_line(UserId user, std::string& lines) {
    const TimeMs now = clock_.now_ms();
    RecommendRequest request = request_;
    request.user_id = shop_.log->users().name(user);
    const Recommendation list = shop_.recommender->recommend(*shop_.state, user, request, now);
    const MessageId id = new_recommendation_id(now);
    json::object line = to_json(id, list, shop_.state->catalogue());
    line["user_id"] = request.user_id;
    lines += json::serialize(line) + '\n';
    if (slates_ == nullptr || list.items.empty()) return;
    slates_->add({.id = id,
                  .time = now,
                  .user = request.user_id,
                  .surface = request.surface,
                  .model = list.model,
                  .policy = "plain",
                  .items = slate_items(list)});
  }

  Shop& shop_;
  const RecommendRequest request_;
  SlateLog* slates_;
  SystemClock clock_;
  std::vector<UserId> users_;
};

Status recommend_to_all(const CommandLine& line, const RecommendRequest& request, const fs::path& path) {
  Shop shop;
  PERENNIAL_TRY(open_shop(line, shop));
  const Result<FileLock> lock = FileLock::acquire(fs::path(line.data) / "lock", "one program writes a data directory");
  const SystemClock clock;
  std::unique_ptr<SlateLog> slates;
  if (lock.ok()) {
    PERENNIAL_TRY_ASSIGN(slates, SlateLog::open(line.data, {.keep_days = shop.settings.slates_keep_days, .recent = 0},
                                                clock, [](size_t count, const Status& status) {
                                                  if (!status.ok())
                                                    fmt::print(stderr, "{} lists not logged: {}\n", count,
                                                               status.message());
                                                }));
  } else {
    fmt::print(stderr, "The lists are not logged, so what comes of them is not credited: {}\n",
               lock.status().message());
  }
  PERENNIAL_TRY_ASSIGN(const size_t count, ListsForAll(shop, request, slates.get()).write(path));
  fmt::print("{} lists in {}\n", count, path.string());
  return {};
}

Result<ItemFilter> filter_of(const std::string& text) {
  PERENNIAL_TRY_ASSIGN(const json::object fields, parse_json_object(text));
  return parse_item_filter(fields);
}

Status run(const CommandLine& line, RecommendRequest request, const std::string& filter, const fs::path& all) {
  if (!filter.empty()) {
    Result<ItemFilter> read = filter_of(filter);
    if (!read.ok()) return read.status().with_context("--filter");
    request.controls.filter = *std::move(read);
  }
  if (!all.empty()) request.surface = "batch";
  ListRulesFile rules(line.data);
  if (const std::optional<Status> read = rules.poll()) PERENNIAL_TRY(*read);
  rules.apply(request.surface, std::nullopt, request.controls);
  return all.empty() ? recommend_to_one(line, request) : recommend_to_all(line, request, all);
}

}  // namespace

void add_recommend_command(CLI::App& app, CommandLine& line) {
  const auto request = std::make_shared<RecommendRequest>();
  const auto include_seen = std::make_shared<bool>(false);
  const auto filter = std::make_shared<std::string>();
  const auto all = std::make_shared<std::string>();
  CLI::App* command =
      add_command(app, line, "recommend", "Recommend items to one user, or to all into a file",
                  "perennial recommend --data shop --explain user-42", [&line, request, include_seen, filter, all] {
                    request->exclude_seen = !*include_seen;
                    return run(line, *request, *filter, *all);
                  });
  CLI::Option* user = command->add_option("user", request->user_id, "user id; an unknown one gets what is popular");
  command->add_option("--all", *all, "write a list for every user to this file, a JSON object a line")->excludes(user);
  command->add_option("--filter", *filter, R"(only such items: '{"category": "shoes", "price": {"max": 80}}')");
  command->add_option("--count", request->count, "how many items")
      ->check(CLI::Range(1, kMostListed))
      ->capture_default_str();
  command->add_option("--device", request->context.device, "device of the request, such as mobile");
  command->add_flag("--include-seen", *include_seen, "also items of the user's history");
  command->add_flag("--explain", request->explain, "say why");
  command->add_flag("--json", line.json, "print as JSON");
}

}  // namespace perennial
