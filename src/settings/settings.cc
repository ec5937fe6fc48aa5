#include "settings/settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <functional>
#include <optional>
#include <sstream>
#include <toml.hpp>

#include "base/text.h"

extern char** environ;

namespace perennial {
namespace {

constexpr std::string_view kEnvironmentPrefix = "PERENNIAL_";
constexpr std::string_view kRolesSection = "events.roles.";
constexpr std::string_view kSignalsSection = "lifecycle.signals.";
constexpr std::string_view kStagesSection = "lifecycle.stages.";
constexpr std::string_view kActionsSection = "actions.";
constexpr std::string_view kJourneysSection = "journeys.";
constexpr std::pair<std::string_view, const char*> kArbiterSections[] = {
    {"arbiter.caps.", "how many of these a user gets at most"},
    {"arbiter.budgets.", "what these may cost, or how many there may be"},
    {"arbiter.quiet_hours.", "of the user's day, without these"},
    {"arbiter.consent.", "trait that must be true for these"}};

struct Setting {
  std::string name;
  std::string meaning;
  std::function<std::string(const Settings&)> get;
  std::function<Status(Settings&, const std::string&)> set;
};

Setting whole(const char* name, const char* meaning, int64_t Settings::*member, int64_t lowest, int64_t highest) {
  return {name, meaning, [member](const Settings& s) { return std::to_string(s.*member); },
          [=](Settings& s, const std::string& text) -> Status {
            const Result<int64_t> number = parse_integer(text);
            if (!number.ok() || *number < lowest || *number > highest)
              return invalid_argument("{} must be a whole number from {} to {}, not '{}'", name, lowest, highest, text);
            s.*member = *number;
            return {};
          }};
}

Setting real(const char* name, const char* meaning, double Settings::*member, double lowest, double highest) {
  return {name, meaning, [member](const Settings& s) { return fmt::format("{}", s.*member); },
          [=](Settings& s, const std::string& text) -> Status {
            const Result<double> number = parse_number(text);
            if (!number.ok() || *number < lowest || *number > highest)
              return invalid_argument("{} must be a number from {} to {}, not '{}'", name, lowest, highest, text);
            s.*member = *number;
            return {};
          }};
}

Setting flag(const char* name, const char* meaning, bool Settings::*member) {
  return {name, meaning, [member](const Settings& s) { return s.*member ? "true" : "false"; },
          [=](Settings& s, const std::string& text) -> Status {
            if (text != "true" && text != "false")
              return invalid_argument("{} must be true or false, not '{}'", name, text);
            s.*member = text == "true";
            return {};
          }};
}

Setting word(const char* name, const char* meaning, std::string Settings::*member) {
  return {name, meaning, [member](const Settings& s) { return s.*member; },
          [=](Settings& s, const std::string& text) -> Status {
            s.*member = text;
            return {};
          }};
}

/// Never shown.
Setting secret(const char* name, const char* meaning, std::string Settings::*member) {
  Setting setting = word(name, meaning, member);
  setting.get = [member](const Settings& s) { return (s.*member).empty() ? "" : "(secret)"; };
  return setting;
}

Setting choice(const char* name, const char* meaning, std::string Settings::*member, std::vector<std::string> words) {
  return {name, meaning, [member](const Settings& s) { return s.*member; },
          [=](Settings& s, const std::string& text) -> Status {
            if (std::ranges::find(words, text) == words.end())
              return invalid_argument("{} must be one of {}, not '{}'", name, fmt::join(words, ", "), text);
            s.*member = text;
            return {};
          }};
}

/// One of a table of settings.
Setting entry(const std::string& name, const std::string& meaning, std::map<std::string, double> Settings::*table,
              const std::string& key, double lowest, double highest) {
  return {name, meaning, [=](const Settings& s) { return fmt::format("{}", (s.*table).at(key)); },
          [=](Settings& s, const std::string& text) -> Status {
            const Result<double> number = parse_number(text);
            if (!number.ok() || *number < lowest || *number > highest)
              return invalid_argument("{} must be a number from {} to {}, not '{}'", name, lowest, highest, text);
            (s.*table).at(key) = *number;
            return {};
          }};
}

std::vector<Setting> objective_weight_settings() {
  const std::map<std::string_view, const char*> outcomes = {{"conversion", "that an item is bought"},
                                                            {"money", "what an item brings"},
                                                            {"revisit", "that the user comes again"},
                                                            {"breadth", "a category new to the user, in logits"},
                                                            {"sharing", "that others are told"}};
  std::vector<Setting> settings;
  for (const auto& [key, weight] : default_objective_weights()) {
    const size_t point = key.find('.');
    settings.push_back(entry("objectives." + key,
                             fmt::format("weight in lists for users in {}: {}", key.substr(0, point),
                                         outcomes.at(std::string_view(key).substr(point + 1))),
                             &Settings::objective_weights, key, 0, 5));
  }
  return settings;
}

std::vector<Setting> plain_settings() {
  using S = Settings;
  return {
      word("events.currency", "currency of amounts that name none", &S::currency),
      word("lifecycle.preset", "stages and signals to start from: e-commerce, content, social, ads or saas",
           &S::lifecycle_preset),
      word("lifecycle.at_risk_after", "silence, such as 60d; empty: as the preset says", &S::at_risk_after),
      word("lifecycle.churned_after", "silence, such as 120d; empty: as the preset says", &S::churned_after),
      word("lifecycle.won_back_for", "after the return of a churned user; empty: as the preset says", &S::won_back_for),
      word("lifecycle.inviter_properties",
           "properties of an invited user's event that name who invited; empty: as the preset says",
           &S::inviter_properties),
      flag("objectives.enabled", "order lists by what users' stages ask for; false: every list is the plain one",
           &S::objectives),
      real("objectives.holdout_share", "of users, by hash of their id, whose lists are always the plain ones",
           &S::objectives_holdout_share, 0, 1),
      real("arbiter.holdout_share", "of users, by hash of their id, who never get an action", &S::arbiter_holdout_share,
           0, 1),
      real("arbiter.explore_share", "of decisions, drawn by known chances, from which effects are learned",
           &S::arbiter_explore_share, 0, 1),
      word("arbiter.time_zone", "of users who have none, such as Europe/Berlin", &S::arbiter_time_zone),
      whole("arbiter.plan_minutes", "how often it is decided who gets what", &S::arbiter_plan_minutes, 1, 10'080),
      word("arbiter.webhook", "address that actions are handed over to, such as https://example.com/hooks",
           &S::arbiter_webhook),
      secret("arbiter.webhook_secret", "that they are signed with; better said as PERENNIAL_ARBITER_WEBHOOK_SECRET",
             &S::arbiter_webhook_secret),
      whole("arbiter.webhook_timeout_ms", "for an answer", &S::arbiter_webhook_timeout_ms, 100, 120'000),
      whole("arbiter.webhook_at_once", "requests under way at the same time", &S::arbiter_webhook_at_once, 1, 64),
      word("arbiter.export_file", "file that they are written to instead, a line of JSON each",
           &S::arbiter_export_file),
      word("arbiter.effect_traits", "traits that may tell how much actions do for a user, separated by commas",
           &S::arbiter_effect_traits),
      word("arbiter.time_zone_trait", "trait that names a user's time zone", &S::arbiter_time_zone_trait),
      whole("log.repeat_window", "newest messages among which a repeated message id is recognised", &S::repeat_window,
            1'000, 100'000'000),
      whole("log.queue_limit_records", "records waiting for the disk before posts get 429", &S::queue_limit_records,
            1'000, 100'000'000),
      whole("slates.keep_days", "days that served lists are kept for reports and credit", &S::slates_keep_days, 1,
            36'500),
      whole("profiles.history_limit", "newest events kept a user; at least layers x (window - 1) + 2 of the model",
            &S::history_limit, 16, 1'000'000),
      whole("profiles.vectors_mib",
            "of the memory, the most for users' vectors, and for the keys and values of those who act now; lists that "
            "are kept take an eighth more",
            &S::vectors_mib, 1, 1 << 20),
      word("server.memory",
           "that the server may take, such as 800M or 4G, users in a file beyond it; empty: three quarters of what "
           "there is",
           &S::memory),
      word("server.bind", "address to listen on; another than loopback needs server.expose", &S::bind),
      whole("server.port", "port to listen on; 0 takes a free one", &S::port, 0, 65'535),
      whole(
          "server.threads",
          "that answer requests; 0: one a core; with 100,000 items or more at the start eight a core, 16 to 64, since "
          "those who wait share a scan",
          &S::threads, 0, 64),
      flag("server.expose", "allow an address that other machines reach", &S::expose),
      flag("server.require_key", "ask for an API key; false is allowed on loopback only", &S::require_key),
      word("server.cors_origins", "origins of browser pages that may post events, separated by commas",
           &S::cors_origins),
      whole("server.event_limit_bytes", "largest event", &S::event_limit_bytes, 1 << 10, 16 << 20),
      whole("server.batch_limit_bytes", "largest request body", &S::batch_limit_bytes, 1 << 10, 256 << 20),
      whole("server.snapshot_minutes", "how often the state is saved, so that a start is fast", &S::snapshot_minutes, 1,
            1'440),
      choice("server.access_log",
             "requests that get a line of JSON on standard error: off, errors (500 and above), all", &S::access_log,
             {"off", "errors", "all"}),
      choice("server.log_format", "of the server's own lines on standard error: text or json", &S::log_format,
             {"text", "json"}),
      word("train.holdout", "what training may not see: leave-one-out, time or none", &S::holdout),
      whole("train.width", "D, numbers a vector; 0, here and below: chosen by the data", &S::width, 0, 1'024),
      whole("train.layers", "Transformer blocks", &S::layers, 0, 32),
      whole("train.heads", "attention heads; width / heads is even", &S::heads, 0, 64),
      whole("train.window", "tokens that attention looks back over in each layer", &S::window, 0, 8'192),
      whole("train.members", "models of this shape, trained one after the other, that rank together", &S::members, 0,
            64),
      whole("train.max_epochs", "passes over the data, over which the learning rate rises and falls; 0: chosen",
            &S::max_epochs, 0, 10'000),
      whole("train.patience", "epochs without a better validation before the end", &S::patience, 1, 1'000),
      real("train.learning_rate", "of AdamW; 0: chosen", &S::learning_rate, 0, 1),
      real("train.weight_decay", "of AdamW; below 0: chosen", &S::weight_decay, -1, 10),
      real("train.muon_rate", "of Muon, for the layers' matrices; 0: AdamW for all; below 0: chosen", &S::muon_rate, -1,
           1),
      real("train.dropout", "share of activations dropped in training; below 0: chosen", &S::dropout, -1, 0.9),
      real("train.forecast_weight", "of the loss of users' futures beside the next item's; 0: do not learn them",
           &S::forecast_weight, 0, 10),
      real("train.cooldown", "share of the epochs over which the learning rate falls to nothing", &S::cooldown, 0, 1),
      real("train.average_epochs", "passes over which the weights that are kept are averaged; 0: the last ones",
           &S::average_epochs, 0, 100),
      whole("train.batch_tokens", "tokens a step; 0 chooses by the data's size", &S::batch_tokens, 0, 1 << 20),
      choice("train.weights", "numbers of the model's file: float32, or bfloat16 in half the bytes", &S::weights,
             {"float32", "bfloat16"}),
      whole("train.threads", "threads of training; 0 takes every core that it may", &S::train_threads, 0, 256),
      whole("train.seed", "seed of every random number in training", &S::seed, 0, INT64_MAX),
  };
}

/// In the order in which `config show` lists them: the weights stand behind the rest of their section.
const std::vector<Setting>& all_settings() {
  static const std::vector<Setting> settings = [] {
    std::vector<Setting> all = plain_settings();
    const auto behind =
        std::find_if(all.begin(), all.end(), [](const Setting& setting) { return setting.name.starts_with("log."); });
    std::vector<Setting> weights = objective_weight_settings();
    all.insert(behind, weights.begin(), weights.end());
    return all;
  }();
  return settings;
}

Status unknown_key(const std::string& name) {
  std::vector<std::string> names;
  for (const Setting& setting : all_settings()) names.emplace_back(setting.name);
  return invalid_argument("unknown key '{}': did you mean '{}'? 'perennial config show' lists them all", name,
                          nearest_name(name, names));
}

std::string environment_name(std::string_view setting) {
  std::string name(kEnvironmentPrefix);
  for (const char c : setting)
    name.push_back(c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  return name;
}

struct FileValue {
  std::string text;
  std::string place;  // file:line
};
using FileValues = std::map<std::string, FileValue>;

/// Leaves of a TOML table as "section.key" -> text.
Status flatten(const toml::value& value, const std::string& prefix, FileValues& out) {
  if (value.is_table()) {
    for (const auto& [key, child] : value.as_table())
      PERENNIAL_TRY(flatten(child, prefix.empty() ? key : prefix + "." + key, out));
    return {};
  }
  FileValue& leaf = out[prefix];
  leaf.place = fmt::format("{}:{}", value.location().file_name(), value.location().line());
  if (value.is_string())
    leaf.text = value.as_string().str;
  else if (value.is_integer())
    leaf.text = std::to_string(value.as_integer());
  else if (value.is_floating())
    leaf.text = fmt::format("{}", value.as_floating());
  else if (value.is_boolean())
    leaf.text = value.as_boolean() ? "true" : "false";
  else
    return invalid_argument("{}: {} must be a string, a number, or true or false", leaf.place, prefix);
  return {};
}

Result<FileValues> parse_toml(std::string_view text, const std::string& file) {
  FileValues flat;
  if (trim(text).empty()) return flat;
  try {
    std::istringstream stream{std::string(text)};
    PERENNIAL_TRY(flatten(toml::parse(stream, file), "", flat));
  } catch (const std::exception& error) {
    return invalid_argument("the configuration is not TOML: {}", error.what());
  }
  return flat;
}

/// Keys whose names are the user's own; their meaning, or an error.
Result<std::string> set_named(Settings& settings, const std::string& key, const std::string& text) {
  if (key.starts_with(kRolesSection)) {
    PERENNIAL_TRY(settings.roles.set(key.substr(kRolesSection.size()), text).with_context(key));
    return std::string("role of this event type");
  }
  if (key.starts_with(kSignalsSection)) {
    settings.lifecycle_signals[key.substr(kSignalsSection.size())] = text;
    return std::string("event types of this signal");
  }
  if (key.starts_with(kStagesSection)) {
    settings.lifecycle_stages[key.substr(kStagesSection.size())] = text;
    return std::string("rule of this stage");
  }
  if (key.starts_with(kActionsSection)) {
    settings.action_texts[key] = text;
    return std::string("of this action");
  }
  if (key.starts_with(kJourneysSection)) {
    settings.action_texts[key] = text;
    return std::string("of this journey");
  }
  for (const auto& [section, meaning] : kArbiterSections) {
    if (!key.starts_with(section)) continue;
    settings.action_texts[key] = text;
    return std::string(meaning);
  }
  return unknown_key(key);
}

/// Of what is said; what training chooses fits.
Status check_together(const Settings& settings) {
  if (settings.width > 0 && settings.heads > 0 && settings.width % (2 * settings.heads) != 0)
    return invalid_argument("train.width {} must be a multiple of twice train.heads {}", settings.width,
                            settings.heads);
  const int64_t read = settings.layers * (settings.window - 1) + 2;
  if (settings.layers > 0 && settings.window > 0 && settings.history_limit < read)
    return invalid_argument(
        "profiles.history_limit {} is shorter than what the model reads, train.layers x (train.window - 1) + 2 = {}",
        settings.history_limit, read);
  return {};
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (text.starts_with(kEnvironmentPrefix) && equals != std::string_view::npos)
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace

Result<Settings> parse_settings(std::string_view toml, const std::map<std::string, std::string>& environment,
                                std::vector<SettingOrigin>* origins, const std::string& file) {
  PERENNIAL_TRY_ASSIGN(FileValues from_file, parse_toml(toml, file));
  Settings settings;
  for (const auto& [key, value] : from_file) settings.places[key] = value.place;
  for (const Setting& setting : all_settings()) {
    std::string source = "default";
    if (const auto node = from_file.extract(setting.name); !node.empty()) {
      PERENNIAL_TRY(setting.set(settings, node.mapped().text).with_context(node.mapped().place));
      source = "file";
    }
    if (const auto found = environment.find(environment_name(setting.name)); found != environment.end()) {
      PERENNIAL_TRY(setting.set(settings, found->second).with_context(found->first));
      settings.places.erase(setting.name);  // what the file says does not count
      source = found->first;
    }
    if (origins != nullptr) origins->push_back({setting.name, setting.get(settings), source, setting.meaning});
  }
  for (const auto& [key, value] : from_file) {
    Result<std::string> meaning = set_named(settings, key, value.text);
    if (!meaning.ok()) return meaning.status().with_context(value.place);
    if (origins != nullptr) origins->push_back({key, value.text, "file", std::move(meaning).value()});
  }
  PERENNIAL_TRY(with_place(check_together(settings), settings));
  return settings;
}

Status with_place(const Status& error, const Settings& settings) {
  if (error.ok()) return error;
  const std::string_view message = error.message();
  const std::string_view key = message.substr(0, message.find_first_of(": "));
  for (const auto& [name, place] : settings.places)
    if (name == key || name.starts_with(std::string(key) + ".")) return error.with_context(place);
  return error;
}

fs::path settings_file(const fs::path& file, const fs::path& data_folder) {
  if (!file.empty()) return file;
  for (const fs::path& candidate : {data_folder / "perennial.toml", fs::path("perennial.toml")}) {
    std::error_code error;
    if (fs::exists(candidate, error)) return candidate;
  }
  return {};
}

Result<Settings> load_settings(const fs::path& file, const fs::path& data_folder, std::vector<SettingOrigin>* origins) {
  const fs::path path = settings_file(file, data_folder);
  std::string text;
  if (!path.empty()) {
    PERENNIAL_TRY_ASSIGN(text, read_file(path, 1 << 20));
  }
  return parse_settings(text, process_environment(), origins, path.string());
}

}  // namespace perennial
