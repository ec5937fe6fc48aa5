// perennial demo: the whole loop on a simulated shop, from events to a better model, through the same commands and
// routes that a user of the product has. Everything it prints was just computed; nothing is canned.
#include <sys/wait.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "actions/configured.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/http_client.h"
#include "cli/objectives.h"
#include "delivery/export_file.h"
#include "model/model_folder.h"
#include "server/server.h"
#include "simulator/shop.h"

namespace perennial {
namespace {

constexpr int kMonths = 8;
constexpr int kFirstMonths = 6;  // imported before the first training; then one month to learn from and one to judge by
constexpr int kCampaignMonths = 5;  // actions are drawn by the shop; then the arbiter chooses
constexpr int kListLength = 6;

constexpr const char* kActions = R"([actions.voucher]
channel = "email"
kind = "discount"
cost = 0.05
cost_of_goal = 4                  # what it takes off an order
goal = "value"
worth = 25
traits = "email"
repeat = "1 per 27d"
payload = '{"template": "ten-percent-off"}'

[actions.letter]
channel = "email"
cost = 0.05
goal = "value"
worth = 25
traits = "email"
repeat = "1 per 27d"

[actions.nag]
channel = "push"
cost = 0.05
goal = "value"
worth = 25
traits = "email"
repeat = "1 per 27d"

[arbiter]
holdout_share = 0.2               # of users, who never get anything: what acting gains is measured against them

[arbiter.caps]
all = "1 per 13d"

[arbiter.budgets]
email = "500 actions per 27d"
)";

struct DemoFlags {
  std::string folder = "perennial-demo";
  int users = 2000;
  uint64_t seed = 42;
};

bool on_terminal() {
  static const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  return terminal;
}
std::string bold(std::string_view text) {
  return on_terminal() ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text);
}
std::string dim(std::string_view text) {
  return on_terminal() ? fmt::format("\x1b[2m{}\x1b[0m", text) : std::string(text);
}
std::string green(std::string_view text) {
  return on_terminal() ? fmt::format("\x1b[32m{}\x1b[0m", text) : std::string(text);
}

void heading(int step, std::string_view text) {
  fmt::print("\n{}  {}\n", bold(fmt::format("[{}]", step)), bold(text));
  std::fflush(stdout);
}

/// Text cut to `width` characters (not bytes) and padded with blanks.
std::string fit(std::string_view text, size_t width) {
  std::string out;
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && characters == width) break;
    characters += starts ? 1 : 0;
    out.push_back(text[i]);
  }
  return out + std::string(width - characters, ' ');
}

class Demo {
 public:
  Demo(const CommandLine& line, const DemoFlags& flags)
      : flags_(flags), folder_(flags.folder), shop_folder_(folder_ / "shop"), data_(folder_ / "data") {
    std::error_code error;
    program_ = fs::read_symlink("/proc/self/exe", error);
    shown_program_ = line.program;
  }

  Status run() {
    const double started = monotonic_seconds();
    PERENNIAL_TRY(prepare_folder());
    PERENNIAL_TRY(make_shop());
    PERENNIAL_TRY(import_first_months());
    PERENNIAL_TRY(train_and_evaluate());
    PERENNIAL_TRY(serve_and_learn());
    PERENNIAL_TRY(decide());
    PERENNIAL_TRY(live_another_month());
    PERENNIAL_TRY(judge_on_the_month_after());
    PERENNIAL_TRY(look_at_lives());
    PERENNIAL_TRY(measure_gain());
    fmt::print("\n{} in {}. The shop and its model are in {}; this serves them:\n\n    {} serve --data {}\n\n",
               bold("Done"), format_duration(monotonic_seconds() - started), folder_.string(), shown_program_,
               data_.string());
    return {};
  }

 private:
  /// A folder of an earlier demo is replaced; any other that is not empty is left alone.
  Status prepare_folder() {
    std::error_code error;
    if (fs::exists(folder_, error) && !fs::is_empty(folder_, error)) {
      if (!fs::exists(shop_folder_ / "truth.jsonl", error))
        return failed_precondition("{} is not empty and not of an earlier demo: give another folder with --folder",
                                   folder_.string());
      fs::remove_all(folder_, error);
      if (error) return errno_status(error.value(), fmt::format("removing {}", folder_.string()));
    }
    return make_folder(folder_);
  }

  Status make_shop() {
    heading(1, "A shop opens");
    shop_.users = flags_.users;
    shop_.months = kMonths;
    shop_.seed = flags_.seed;
    shop_.campaigns = true;
    shop_.campaign_months = kCampaignMonths;
    PERENNIAL_TRY(write_shop(shop_, shop_folder_));
    for (const auto& entry : fs::directory_iterator(shop_folder_))
      if (entry.path().filename().string().starts_with("events-")) months_.push_back(entry.path());
    std::sort(months_.begin(), months_.end());
    PERENNIAL_CHECK(months_.size() == kMonths, "{} months of events", months_.size());
    fmt::print(
        "    {} visitors with tastes of their own, {} products, {} months of Segment events, made from seed {}.\n",
        with_commas(shop_.users), with_commas(shop_.items), kMonths, shop_.seed);
    PERENNIAL_TRY(make_folder(data_));
    return write_file_atomically(data_ / "perennial.toml", kActions);
  }

  Status import_first_months() {
    heading(2, fmt::format("Its first {} months go into the log", kFirstMonths));
    std::vector<std::string> arguments = {"import", "--data", data_.string(), (shop_folder_ / "items.jsonl").string()};
    for (int month = 0; month < kFirstMonths; ++month)
      arguments.push_back(months_[static_cast<size_t>(month)].string());
    return command(arguments);
  }

  Status train_and_evaluate() {
    heading(3, "A behaviour Transformer learns from them");
    PERENNIAL_TRY(train());
    PERENNIAL_TRY_ASSIGN(old_model_, current_model_id(data_));
    heading(4, "It is measured on events that it has not seen, against the classics");
    return command({"evaluate", "--data", data_.string()});
  }

  Status serve_and_learn() {
    heading(5, "It serves, explains, and learns from what a user does next");
    spdlog::set_level(spdlog::level::warn);  // the server's own log is not part of the story
    const FakeClock clock(month_start(kFirstMonths));
    ServerOptions options;
    PERENNIAL_TRY_ASSIGN(options.engine, engine_options());
    options.port = 0;
    PERENNIAL_TRY_ASSIGN(const auto server, Server::start(options, clock));
    const HttpClient client(server->port(), server->first_key());
    Status status = show_three_users(client);
    if (status.ok()) status = feedback_changes_the_answer(client);
    PERENNIAL_TRY(server->stop());
    return status;
  }

  Status show_three_users(const HttpClient& client) {
    PERENNIAL_TRY_ASSIGN(const std::vector<std::string> users, active_users(3));
    for (const std::string& user : users) {
      PERENNIAL_TRY(show_history(client, user));
      PERENNIAL_TRY_ASSIGN(const json::object reply, recommend(client, user));
      print_objective(reply);
      print_list(reply, {});
    }
    chosen_ = users.front();
    return {};
  }

  Status feedback_changes_the_answer(const HttpClient& client) {
    PERENNIAL_TRY_ASSIGN(const json::object before, recommend(client, chosen_));
    const json::array& items = before.at("items").as_array();
    const json::object& liked = items.at(std::min<size_t>(1, items.size() - 1)).as_object();
    const std::string recommendation(before.at("recommendation_id").as_string());
    fmt::print("\n    Now {} opens and buys {} from that list. Over HTTP:\n", chosen_, bold(text(liked, "title")));
    for (const char* type : {"Product Viewed", "Product Added", "Order Completed"}) {
      json::object product = {{"product_id", liked.at("item_id")}, {"quantity", 1}};
      for (const char* field : {"price", "currency"})
        if (const json::value* value = find_field(liked, field); value != nullptr) product[field] = *value;
      json::object properties = product;
      if (std::string_view(type) == "Order Completed") properties = {{"order_id", "demo-1"}, {"products", {product}}};
      properties["recommendation_id"] = recommendation;
      const json::object event = {{"userId", chosen_},
                                  {"event", type},
                                  {"timestamp", format_iso8601(month_start(kFirstMonths) - 60'000)},
                                  {"properties", properties}};
      PERENNIAL_TRY_ASSIGN(const json::object reply, client.post("/v1/track", event));
      fmt::print("    {}\n", dim(fmt::format("POST /v1/track {:16} -> {}", type, json::serialize(reply))));
    }
    PERENNIAL_TRY_ASSIGN(const json::object after, recommend(client, chosen_));
    fmt::print("\n    The next answer, at once:\n");
    print_list(after, ranks(before));
    PERENNIAL_TRY_ASSIGN(const json::object slate, client.get("/v1/recommendations/" + recommendation));
    if (const json::value* feedback = find_field(slate, "feedback"); feedback != nullptr && feedback->is_array())
      fmt::print("    Credited to the list it came from: {} events with recommendation_id {}.\n",
                 feedback->get_array().size(), dim(recommendation));
    return {};
  }

  [[nodiscard]] Result<EngineOptions> engine_options() const {
    EngineOptions options;
    options.data_folder = data_;
    options.history_limit = 1024;
    PERENNIAL_TRY_ASSIGN(options.stages, stage_definition(Settings()));
    options.objectives = stage_objectives(Settings());
    options.load_model = default_model_loader();
    return options;
  }

  Status decide() {
    heading(6, "It decides what to do for whom, by what the shop's campaigns have taught");
    const std::string at = format_iso8601(month_start(kFirstMonths)).substr(0, 10);
    PERENNIAL_TRY(command({"lifecycle", "actions", "--data", data_.string(), "--at", at}));
    fmt::print("\n");
    PERENNIAL_TRY(command({"lifecycle", "actions", chosen_, "--data", data_.string(), "--at", at}));
    PERENNIAL_TRY_ASSIGN(const size_t given, act(kFirstMonths));
    fmt::print("\n    The server has done so: {} actions are in {}, and the visitors react. The first:\n    {}\n",
               with_commas(static_cast<int64_t>(given)), exported().string(), dim(first_action_));
    return {};
  }

  [[nodiscard]] fs::path exported() const { return folder_ / "actions.jsonl"; }

  /// The server decides and hands over at the beginning of the month; from then on the shop's visitors react. How many
  /// actions were handed over so far.
  Result<size_t> act(int month) {
    const FakeClock clock(month_start(month));
    PERENNIAL_TRY_ASSIGN(EngineOptions options, engine_options());
    PERENNIAL_TRY_ASSIGN(const Settings settings, load_settings("", data_.string()));
    PERENNIAL_TRY_ASSIGN(options.arbiter.rules, action_rules(settings, options.stages));
    options.arbiter.transport = std::make_shared<ExportFile>(exported());
    PERENNIAL_TRY_ASSIGN(const auto engine, Engine::open(options, clock));
    PERENNIAL_TRY(engine->arbiter()->plan_now().status());
    for (int wait = 0; engine->arbiter()->undelivered() > 0; ++wait) {
      if (wait > 3'000) return internal_error("{} can't be written", exported().string());
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    PERENNIAL_TRY(engine->stop());
    std::error_code error;
    if (!fs::exists(exported(), error)) return 0;  // nothing was worth doing
    PERENNIAL_TRY_ASSIGN(const std::string lines, read_file(exported()));
    first_action_ = lines.substr(0, lines.find('\n'));
    PERENNIAL_TRY_ASSIGN(shop_.given, read_given_actions(exported()));
    PERENNIAL_TRY(write_shop(shop_, shop_folder_));
    return shop_.given.size();
  }

  Status live_another_month() {
    heading(7, "The following month arrives, and the model is trained again");
    PERENNIAL_TRY(command({"import", "--data", data_.string(), months_[kFirstMonths].string()}));
    PERENNIAL_TRY(train());
    PERENNIAL_TRY_ASSIGN(new_model_, current_model_id(data_));
    return {};
  }

  Status judge_on_the_month_after() {
    heading(8, "Both models are judged on the month after, which neither has seen");
    PERENNIAL_TRY(act(kFirstMonths + 1).status());
    PERENNIAL_TRY(command({"import", "--data", data_.string(), months_[kFirstMonths + 1].string()}));
    fmt::print("    {} knows {} months, {} knows {}. Asked before each event: what comes next?\n", old_model_,
               kFirstMonths, new_model_, kFirstMonths + 1);
    return command({"evaluate", "--data", data_.string(), "--from",
                    format_iso8601(month_start(kFirstMonths + 1)).substr(0, 10), "--one-by-one", "--model", old_model_,
                    "--model", new_model_});
  }

  Status look_at_lives() {
    heading(9, "Where every visitor stands in their life with the shop, and what comes next");
    const std::vector<std::string> asked = {"--data", data_.string(), "--at", end()};
    const auto lifecycle = [&](std::vector<std::string> words) {
      words.insert(words.begin(), "lifecycle");
      words.insert(words.end(), asked.begin(), asked.end());
      return command(words);
    };
    PERENNIAL_TRY(lifecycle({"report"}));
    fmt::print("\n");
    PERENNIAL_TRY(lifecycle({"user", chosen_}));
    fmt::print("\n");
    PERENNIAL_TRY(lifecycle({"forecast", "--fit"}));
    fmt::print("\n");
    return lifecycle({"forecast", chosen_});
  }

  Status measure_gain() {
    heading(10, "What acting gained, against those for whom nothing is ever done");
    const TimeMs since = month_start(kFirstMonths);
    PERENNIAL_TRY(command({"lifecycle", "gain", "--data", data_.string(), "--since",
                           format_iso8601(since).substr(0, 10), "--at", end()}));
    PERENNIAL_TRY_ASSIGN(const double with_actions, revenue_since(shop_, since));
    ShopOptions left_alone = shop_;
    left_alone.given.clear();
    PERENNIAL_TRY_ASSIGN(const double without, revenue_since(left_alone, since));
    fmt::print(
        "\n    The truth, which only a simulation knows: {} {} of revenue in this time, {} had nothing been done: "
        "{:+.1f} "
        "%.\n    Among {} visitors it can be seen within the intervals above only.\n",
        with_commas(static_cast<int64_t>(with_actions)), shop_.currency, with_commas(static_cast<int64_t>(without)),
        100 * (with_actions / without - 1), with_commas(shop_.users));
    return {};
  }

  /// In major units.
  static Result<double> revenue_since(const ShopOptions& options, TimeMs since) {
    PERENNIAL_TRY_ASSIGN(const ShopHistory history, simulate_shop(options));
    int64_t minor = 0;
    for (const ShopEvent& event : history.events)
      if (event.kind == ShopEventKind::ordered && event.time >= since)
        minor += history.orders[static_cast<size_t>(event.detail)].total_minor;
    return static_cast<double>(minor) / 100;
  }

  /// Of the shop's last month, as a date.
  [[nodiscard]] std::string end() const {
    constexpr TimeMs kMonth = 31 * TimeMs{86'400'000};
    return format_iso8601(month_start(kMonths - 1) + kMonth).substr(0, 10);
  }

  Status train() {
    return command({"train", "--data", data_.string(), "--members", "1", "--patience", "3", "--max-epochs", "12"});
  }

  /// Runs this program with the arguments, showing them as a person would type them.
  Status command(const std::vector<std::string>& arguments) {
    std::string shown = "    $ perennial";
    for (const std::string& argument : arguments) shown += " " + argument;
    fmt::print("{}\n", dim(shown));
    std::fflush(stdout);
    std::vector<std::string> words = {program_.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const pid_t child = ::fork();
    if (child < 0) return errno_status(errno, "starting a command");
    if (child == 0) {
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
    int result = 0;
    while (::waitpid(child, &result, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(result) && WEXITSTATUS(result) == kExitDone) return {};
    if (WIFEXITED(result) && WEXITSTATUS(result) == kExitStopped)
      return Status(Code::cancelled, "the demo was stopped");
    return internal_error("'{}' failed; its message stands above", arguments.front());
  }

  /// The first instant of month `index` of the shop, from the file's name.
  TimeMs month_start(int index) const {
    const std::string name = months_[static_cast<size_t>(index)].stem().string();  // events-2025-07
    const Result<TimeMs> time = parse_iso8601(name.substr(name.find('-') + 1) + "-01");
    PERENNIAL_CHECK(time.ok(), "{}", time.status().message());
    return *time;
  }

  /// Users who ordered in the last imported month, spread over the file.
  Result<std::vector<std::string>> active_users(size_t count) const {
    PERENNIAL_TRY_ASSIGN(const std::string events, read_file(months_[kFirstMonths - 1]));
    std::vector<std::string> buyers;
    std::string_view rest = events;
    while (!rest.empty()) {
      const size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line.find("\"Order Completed\"") == std::string_view::npos) continue;
      PERENNIAL_TRY_ASSIGN(const json::object message, parse_json_object(line));
      PERENNIAL_TRY_ASSIGN(std::string user, string_field(message, "userId"));
      if (!user.empty() && std::find(buyers.begin(), buyers.end(), user) == buyers.end())
        buyers.push_back(std::move(user));
    }
    if (buyers.size() < count)
      return failed_precondition("only {} users ordered in the last month: use more --users", buyers.size());
    std::vector<std::string> spread;
    for (size_t i = 0; i < count; ++i) spread.push_back(buyers[buyers.size() * (2 * i + 1) / (2 * count)]);
    return spread;
  }

  static std::string text(const json::object& object, std::string_view name) {
    const Result<std::string> value = string_field(object, name);
    return value.ok() ? *value : std::string();
  }

  static Result<json::object> recommend(const HttpClient& client, const std::string& user) {
    return client.post("/v1/recommend", {{"user_id", user}, {"count", kListLength}, {"explain", true}});
  }

  static Status show_history(const HttpClient& client, const std::string& user) {
    PERENNIAL_TRY_ASSIGN(const json::object profile, client.get(fmt::format("/v1/users/{}", user)));
    fmt::print("\n    {}, whose last steps were\n", bold(user));
    const json::value* history = find_field(profile, "history");
    if (history == nullptr || !history->is_array()) return internal_error("the server shows no history of {}", user);
    size_t shown = 0;
    for (const json::value& entry : history->get_array()) {
      if (++shown > 3) break;
      const json::object& event = entry.as_object();
      fmt::print("      {}\n", dim(fmt::format("{} {} {}", fit(text(event, "time"), 10), fit(text(event, "event"), 18),
                                               text(event, "title"))));
    }
    return {};
  }

  static void print_objective(const json::object& reply) {
    const json::object& objective = reply.at("objective").as_object();
    const std::string held_out = objective.at("applied") == true ? "" : ", not applied: " + text(objective, "why");
    fmt::print("    In {}; the list is for {}{}:\n", bold(text(reply, "stage")), bold(text(objective, "name")),
               held_out);
  }

  static std::map<std::string, int> ranks(const json::object& reply) {
    std::map<std::string, int> ranks;
    for (const json::value& item : reply.at("items").as_array())
      ranks.emplace(text(item.as_object(), "item_id"), static_cast<int>(ranks.size()) + 1);
    return ranks;
  }

  static void print_list(const json::object& reply, const std::map<std::string, int>& before) {
    int rank = 0;
    for (const json::value& entry : reply.at("items").as_array()) {
      const json::object& item = entry.as_object();
      ++rank;
      std::string change;
      if (!before.empty()) {
        const auto was = before.find(text(item, "item_id"));
        change = was == before.end() ? green("new")
                 : was->second == rank
                     ? "   "
                     : fmt::format("{}{:<2}", was->second > rank ? "+" : "-", std::abs(was->second - rank));
      }
      const Result<double> price = number_field(item, "price", 0);
      std::string reason;
      if (const json::value* reasons = find_field(item, "reasons");
          reasons != nullptr && reasons->is_array() && !reasons->get_array().empty())
        reason = text(reasons->get_array().front().as_object(), "text");
      fmt::print("      {} {} {} {:>9.2f} {}   {}\n", rank, before.empty() ? "" : change, fit(text(item, "title"), 40),
                 price.ok() ? *price : 0, text(item, "currency"), dim(reason));
    }
  }

  DemoFlags flags_;
  ShopOptions shop_;
  fs::path folder_;
  fs::path shop_folder_;
  fs::path data_;
  fs::path program_;
  std::string shown_program_;
  std::vector<fs::path> months_;
  std::string chosen_;
  std::string first_action_;
  std::string old_model_;
  std::string new_model_;
};

}  // namespace

void add_demo_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<DemoFlags>();
  CLI::App* command = app.add_subcommand("demo", "Show the whole loop on a simulated shop, in under five minutes");
  command->add_option("--folder", flags->folder, "where it lives; an earlier demo there is replaced")
      ->capture_default_str();
  command->add_option("--users", flags->users, "visitors of the shop")
      ->check(CLI::Range(200, 200'000))
      ->capture_default_str();
  command->add_option("--seed", flags->seed, "another seed is another shop")->capture_default_str();
  command->footer("Example:\n  perennial demo");
  command->callback([&line, flags] { line.action = [&line, flags] { return Demo(line, *flags).run(); }; });
}

}  // namespace perennial
