#include "server/server.h"

#include <sys/resource.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "base/cores.h"
#include "base/json_writer.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "recommend/serving_model.h"

namespace perennial {
namespace {

constexpr auto kWatchStop = std::chrono::milliseconds(50);
constexpr double kReloadSeconds = 1;
constexpr int kMaxThreads = 64;
// From so many items on a list is mostly a scan, which those who wait share (recommend/shared_scan.h): so many threads
// may wait for each core.
constexpr size_t kLargeCatalogue = 100'000;
constexpr int kThreadsThatShare = 8;

Status check(const ServerOptions& options) {
  boost::system::error_code error;
  const boost::asio::ip::address address = boost::asio::ip::make_address(options.address, error);
  if (error)
    return invalid_argument("'{}' is not an IP address to bind to: use 127.0.0.1, ::1 or one of this machine",
                            options.address);
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return invalid_argument("threads must be from 0 to {}, got {}", kMaxThreads, options.threads);
  }
  if (address.is_loopback()) return {};
  if (!options.require_keys) {
    return failed_precondition(
        "without API keys anyone who reaches {} could read and erase every user: leave keys on, or bind to "
        "127.0.0.1",
        options.address);
  }
  if (options.allow_remote) return {};
  return failed_precondition(
      "binding to {} lets other machines reach all users' events, profiles and recommendations, without "
      "TLS: put a TLS proxy in front of it and give --expose if that is meant",
      options.address);
}

std::string format_url(const std::string& address, uint16_t port) {
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? fmt::format("http://[{}]:{}", address, port) : fmt::format("http://{}:{}", address, port);
}

/// Connections, the log's readers and the snapshot all need descriptors: as many as the system lets us have, and of
/// those some for what is no connection.
size_t connections_within_limits(size_t wanted) {
  constexpr rlim_t kOthers = 128;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t most = limit.rlim_cur > 2 * kOthers ? limit.rlim_cur - kOthers : kOthers;
  return std::min(wanted, static_cast<size_t>(most));
}

/// To standard output, which may be closed: that is no reason to stop serving.
void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string banner(const Server& server, const EngineStatus& status, const ServerOptions& options) {
  std::string text =
      fmt::format("Perennial {} serves {}\n  data    {}\n  users   {}   items {}   model {}\n", PERENNIAL_VERSION,
                  server.url(), options.engine.data_folder.string(), status.users, status.items, status.model);
  if (!server.first_key().empty()) {
    text += fmt::format(
        "  key     {}\n          (admin; shown this once only: keep it. 'perennial key create' makes more)\n",
        server.first_key());
  }
  const std::string auth = options.require_keys ? " -u \"$KEY:\"" : "";
  return text + fmt::format("  try     curl{} '{}/v1/recommend?user_id=anyone&count=5'\n  stop    Ctrl+C\n", auth,
                            server.url());
}

class JsonLines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    std::string line;
    JsonWriter json(line);
    const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(message.time.time_since_epoch());
    const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
    json.begin_object();
    json.member("time", format_iso8601(since_epoch.count()));
    json.member("level", std::string_view(level.data(), level.size()));
    std::string text(message.payload.data(), message.payload.size());
    if (!is_utf8(text))  // a file's bytes, quoted
      std::ranges::replace_if(
          text, [](char letter) { return (letter & 0x80) != 0; }, '?');
    json.member("message", text);
    json.end_object();
    line += '\n';
    out.append(line.data(), line.data() + line.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLines>(); }
};

void take_up(const OptionsWatch& watch, Server& server) {
  const std::optional<Result<LiveOptions>> options = watch ? watch() : std::nullopt;
  if (!options) return;
  if (!options->ok()) {
    server.engine().metrics().config_loads_failed.Increment();
    return spdlog::error("the configuration stays as it was: {}", options->status().message());
  }
  server.set_live(**options);
  spdlog::info("the configuration was read again");
}

}  // namespace

/// Standard output is for the banner.
void log_to_standard_error(LogFormat format) {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("perennial", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  if (format == LogFormat::json)
    spdlog::set_formatter(std::make_unique<JsonLines>());
  else
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
}

int serving_threads(int wanted, size_t items, int cores) {
  if (wanted > 0) return wanted;
  return std::min(kMaxThreads, items < kLargeCatalogue ? cores : std::max(16, kThreadsThatShare * cores));
}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, const Clock& clock) {
  PERENNIAL_TRY(check(options));
  std::unique_ptr<Server> server(new Server(options));
  PERENNIAL_TRY_ASSIGN(server->engine_, Engine::open(options.engine, clock));
  if (options.require_keys) {
    PERENNIAL_TRY_ASSIGN(server->keys_, ApiKeys::open(options.engine.data_folder));
  }
  server->api_ = std::make_unique<Api>(*server->engine_, server->keys_.get(), options.api);
  HttpLimits limits = options.limits;
  limits.connections = connections_within_limits(limits.connections);
  PERENNIAL_TRY_ASSIGN(
      server->http_,
      HttpServer::start(*server->api_, options.address, options.port,
                        serving_threads(options.threads, server->engine_->item_count(), usable_cores()), limits));
  // Last, so that a start that fails does not use up the one time at which the first key is shown.
  if (server->keys_ && server->keys_->list().empty()) {
    PERENNIAL_TRY_ASSIGN(server->first_key_, server->keys_->create("first", KeyRole::admin, clock.now_ms()));
  }
  return server;
}

Server::~Server() {
  const Status status = stop();
  if (!status.ok()) spdlog::error("stopping: {}", status.message());
}

std::string Server::url() const { return format_url(options_.address, http_->port()); }

void Server::reload_keys() {
  if (!keys_) return;
  const Status status = keys_->reload_if_changed();
  if (!status.ok()) spdlog::error("API keys not reloaded, those before stay: {}", status.message());
}

void Server::set_live(const LiveOptions& options) {
  api_->set_live(options.cors_origins, options.access_log);
  engine_->set_objectives(options.objectives);
}

Status Server::stop() {
  if (!engine_) return {};
  if (http_) {
    api_->set_stopping();
    http_->stop(options_.stop_patience_seconds);
  }
  if (api_) api_->finish_background();
  const Status status = engine_->stop();  // replies to the sockets until the last append is done
  http_.reset();
  api_.reset();
  engine_.reset();
  return status;
}

Status serve(const ServerOptions& options, const Clock& clock, const std::function<bool()>& stop_when,
             const OptionsWatch& watch) {
  PERENNIAL_TRY_ASSIGN(const std::unique_ptr<Server> server, Server::start(options, clock));
  say(banner(*server, server->engine().status(), options));
  double reload_at = monotonic_seconds() + kReloadSeconds;
  while (!stop_requested() && !(stop_when && stop_when())) {
    std::this_thread::sleep_for(kWatchStop);
    if (monotonic_seconds() < reload_at) continue;
    server->reload_keys();
    take_up(watch, *server);
    reload_at = monotonic_seconds() + kReloadSeconds;
  }
  say("stopping: finishing what is in flight\n");
  return server->stop();
}

ModelLoader default_model_loader() {
  return [](const fs::path& data_folder, const Dictionary& items, const Dictionary& event_types) {
    return load_serving_model(data_folder, items, event_types);
  };
}

}  // namespace perennial
