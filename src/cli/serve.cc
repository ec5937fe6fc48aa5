// perennial serve: the HTTP server.
#include <spdlog/spdlog.h>

#include <map>
#include <utility>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/objectives.h"
#include "server/server.h"

namespace perennial {
namespace {

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

/// Looks whether the file that the settings come from is another one than last time.
class ConfigWatch {
 public:
  explicit ConfigWatch(const CommandLine& line) : line_(line) {
    changed();
    (void)read();
  }

  std::optional<Result<LiveOptions>> poll() {
    if (!changed()) return std::nullopt;
    const std::map<std::string, std::string> before = values_;
    const Result<Settings> settings = read();
    if (!settings.ok()) return Result<LiveOptions>(settings.status());
    for (const auto& [name, value] : values_)
      if (const auto was = before.find(name); !is_live(name) && (was == before.end() || was->second != value))
        spdlog::warn("{} is {} from the next start on", name, value);
    return Result<LiveOptions>(
        {stage_objectives(*settings), split_at_commas(settings->cors_origins), access_log(*settings)});
  }

 private:
  static bool is_live(const std::string& name) {
    return name.starts_with("objectives.") || name == "server.cors_origins" || name == "server.access_log";
  }

  bool changed() {
    const fs::path path = settings_file(line_.config, line_.data);
    std::error_code error;
    const fs::file_time_type time = path.empty() ? fs::file_time_type() : fs::last_write_time(path, error);
    return std::exchange(path_, path) != path_ || std::exchange(time_, time) != time_;
  }

  Result<Settings> read() {
    std::vector<SettingOrigin> origins;
    Result<Settings> settings = load_settings(line_.config, line_.data, &origins);
    if (settings.ok()) values_.clear();
    for (const SettingOrigin& origin : origins)
      if (settings.ok()) values_[origin.name] = origin.value;
    return settings;
  }

  const CommandLine& line_;
  fs::path path_;
  fs::file_time_type time_{};
  std::map<std::string, std::string> values_;  // by name, as they were read last
};

Result<ServerOptions> server_options(const CommandLine& line, const Settings& settings, const ServeFlags& flags) {
  ServerOptions options;
  options.engine.data_folder = line.data;
  options.engine.log.repeat_window = settings.repeat_window;
  options.engine.log.queue_limit_records = settings.queue_limit_records;
  options.engine.roles = settings.roles;
  PERENNIAL_TRY_ASSIGN(options.engine.stages, stage_definition(settings));
  options.engine.objectives = stage_objectives(settings);
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

Status run(const CommandLine& line, const ServeFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const ServerOptions options, server_options(line, settings, flags));
  log_to_standard_error(settings.log_format == "json" ? LogFormat::json : LogFormat::text);
  ConfigWatch watch(line);
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
