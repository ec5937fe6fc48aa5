// perennial serve: the HTTP server.
#include <spdlog/spdlog.h>

#include <map>
#include <utility>

#include "actions/configured.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/objectives.h"
#include "delivery/export_file.h"
#include "delivery/webhook.h"
#include "server/server.h"

namespace perennial {
namespace {

constexpr size_t kShortestSecret = 16;
constexpr double kMostPatience = 12 * 3600;  // with decisions of a plan: users change

struct ServeFlags {
  std::string bind;
  int port = -1;
  std::string memory;
  bool expose = false;
  bool no_key = false;
};

AccessLog access_log(const Settings& settings) {
  return settings.access_log == "all"   ? AccessLog::all
         : settings.access_log == "off" ? AccessLog::off
                                        : AccessLog::errors;
}

Result<ArbiterOptions> arbiter_options(const Settings& settings, const Definition& definition) {
  static const SystemClock clock;
  ArbiterOptions options;
  PERENNIAL_TRY_ASSIGN(options.rules, action_rules(settings, definition));
  options.plan_every_seconds = 60.0 * static_cast<double>(settings.arbiter_plan_minutes);
  options.patience_seconds = std::min(options.plan_every_seconds, kMostPatience);
  if (!settings.arbiter_webhook.empty() && !settings.arbiter_export_file.empty())
    return with_place(invalid_argument("arbiter.export_file: there is a webhook as well: say one of the two"),
                      settings);
  if (!settings.arbiter_export_file.empty())
    options.transport = std::make_shared<ExportFile>(settings.arbiter_export_file);
  if (settings.arbiter_webhook.empty()) return options;
  Result<WebhookTarget> target = parse_webhook_url(settings.arbiter_webhook);
  if (!target.ok()) return with_place(target.status().with_context("arbiter.webhook"), settings);
  if (settings.arbiter_webhook_secret.size() < kShortestSecret)
    return with_place(
        invalid_argument("arbiter.webhook needs arbiter.webhook_secret, of at least {} characters: say it "
                         "as PERENNIAL_ARBITER_WEBHOOK_SECRET, so that it stands in no file",
                         kShortestSecret),
        settings);
  options.delivery.at_once = static_cast<int>(settings.arbiter_webhook_at_once);
  options.transport = std::make_shared<Webhook>(*std::move(target), settings.arbiter_webhook_secret,
                                                std::chrono::milliseconds(settings.arbiter_webhook_timeout_ms), clock);
  return options;
}

Result<ServerOptions> server_options(const CommandLine& line, const Settings& settings, const ServeFlags& flags) {
  ServerOptions options;
  options.engine.data_folder = line.data;
  options.engine.log.repeat_window = settings.repeat_window;
  options.engine.log.queue_limit_records = settings.queue_limit_records;
  options.engine.roles = settings.roles;
  PERENNIAL_TRY_ASSIGN(options.engine.stages, stage_definition(settings));
  options.engine.objectives = stage_objectives(settings);
  PERENNIAL_TRY_ASSIGN(options.engine.arbiter, arbiter_options(settings, options.engine.stages));
  options.engine.history_limit = static_cast<size_t>(settings.history_limit);
  options.engine.slates.keep_days = settings.slates_keep_days;
  options.engine.vector_bytes = static_cast<size_t>(settings.vectors_mib) << 20;
  const std::string& memory = flags.memory.empty() ? settings.memory : flags.memory;
  options.engine.memory_bytes = default_memory_bytes();
  if (!memory.empty()) {
    PERENNIAL_TRY_ASSIGN(const int64_t bytes, parse_bytes(flags.memory.empty() ? "server.memory" : "--memory", memory));
    options.engine.memory_bytes = static_cast<size_t>(bytes);
  }
  options.engine.log.queue_limit_bytes =
      std::min(options.engine.log.queue_limit_bytes, options.engine.memory_bytes / 8);
  options.engine.snapshot_every_seconds = 60.0 * static_cast<double>(settings.snapshot_minutes);
  options.engine.load_model = default_model_loader();
  options.address = flags.bind.empty() ? settings.bind : flags.bind;
  options.port = static_cast<uint16_t>(flags.port >= 0 ? flags.port : settings.port);
  options.allow_remote = settings.expose || flags.expose;
  options.require_keys = settings.require_key && !flags.no_key;
  options.threads = static_cast<int>(settings.threads);
  options.api.currency = settings.currency;
  options.engine.currency = settings.currency;
  options.api.cors_origins = split_at_commas(settings.cors_origins);
  options.api.access_log = access_log(settings);
  options.api.event_limit_bytes = static_cast<size_t>(settings.event_limit_bytes);
  options.api.batch_limit_bytes = static_cast<size_t>(settings.batch_limit_bytes);
  return options;
}

/// Reads the settings, and again when the file that they come from is another one.
class ConfigWatch {
 public:
  ConfigWatch(const CommandLine& line, const ServeFlags& flags) : line_(line), flags_(flags), seen_(stamp()) {}

  Result<ServerOptions> read() {
    std::vector<SettingOrigin> origins;
    PERENNIAL_TRY_ASSIGN(const Settings settings, load_settings(line_.config, line_.data, &origins));
    PERENNIAL_TRY_ASSIGN(ServerOptions options, server_options(line_, settings, flags_));
    log_format_ = settings.log_format == "json" ? LogFormat::json : LogFormat::text;
    values_.clear();
    for (const SettingOrigin& origin : origins) values_[origin.name] = origin.value;
    return options;
  }

  [[nodiscard]] LogFormat log_format() const { return log_format_; }

  /// What has stood still since the last call, for it may be half written.
  std::optional<Result<LiveOptions>> poll() {
    const Stamp now = stamp();
    const bool still = std::exchange(last_, now) == now;
    if (!still || now == seen_) return std::nullopt;
    seen_ = now;
    const std::map<std::string, std::string> before = values_;
    const Result<ServerOptions> options = read();
    if (!options.ok()) return Result<LiveOptions>(options.status());
    std::map<std::string, std::string> all = values_;
    all.insert(before.begin(), before.end());
    for (const auto& [name, value] : all)
      if (waits_for_a_start(name) && text_of(before, name) != text_of(values_, name))
        spdlog::warn("{} will be '{}' from the next start on", name, text_of(values_, name));
    return Result<LiveOptions>({options->engine.objectives, options->api.cors_origins, options->api.access_log});
  }

 private:
  struct Stamp {
    fs::path path;
    fs::file_time_type time;
    uintmax_t size = 0;
    bool operator==(const Stamp&) const = default;
  };

  static bool waits_for_a_start(const std::string& name) {
    return !name.starts_with("objectives.") && name != "server.cors_origins" && name != "server.access_log" &&
           !name.starts_with("train.");
  }

  static std::string text_of(const std::map<std::string, std::string>& values, const std::string& name) {
    const auto value = values.find(name);
    return value == values.end() ? std::string() : value->second;
  }

  [[nodiscard]] Stamp stamp() const {
    Stamp stamp{.path = settings_file(line_.config, line_.data)};
    std::error_code error;
    if (stamp.path.empty()) return stamp;
    stamp.time = fs::last_write_time(stamp.path, error);
    stamp.size = fs::file_size(stamp.path, error);
    return stamp;
  }

  const CommandLine& line_;
  const ServeFlags flags_;
  Stamp seen_, last_;
  LogFormat log_format_ = LogFormat::text;
  std::map<std::string, std::string> values_;  // by name, as they were read last
};

Status run(const CommandLine& line, const ServeFlags& flags) {
  ConfigWatch watch(line, flags);
  PERENNIAL_TRY_ASSIGN(const ServerOptions options, watch.read());
  log_to_standard_error(watch.log_format());
  return serve(options, SystemClock(), {}, [&watch] { return watch.poll(); });
}

}  // namespace

void add_serve_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<ServeFlags>();
  CLI::App* command =
      add_command(app, line, "serve", "Answer over HTTP: events in, recommendations out",
                  "perennial serve --data shop --port 8080\n\n"
                  "The first start makes an API key and prints it once. GET /openapi.json describes every route.",
                  [&line, flags] { return run(line, *flags); });
  command->add_option("--bind", flags->bind, "address to listen on (default 127.0.0.1)");
  command->add_option("--port", flags->port, "port; 0 takes a free one (default 8080)")->check(CLI::Range(0, 65'535));
  command->add_option("--memory", flags->memory, "memory that it may take: 800M, 4G (default three quarters of all)");
  command->add_flag("--expose", flags->expose, "allow an address that other machines reach");
  command->add_flag("--no-key", flags->no_key, "ask for no API key; on loopback only");
}

}  // namespace perennial
