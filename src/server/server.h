// `perennial serve`: engine, keys, API and sockets, put together and taken apart in the right order.
// Covered by server/http_test.cc, server/http_stop_test.cc.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/http_server.h"

namespace perennial {

struct ServerOptions {
  EngineOptions engine;  // its data_folder holds all that the server keeps
  std::string address = "127.0.0.1";
  uint16_t port = 8080;       // 0: any free one
  bool allow_remote = false;  // may `address` be one that other machines reach
  bool require_keys = true;   // false only on a loopback address
  int threads = 0;            // that answer requests; 0: serving_threads
  ApiOptions api;
  HttpLimits limits;
  double stop_patience_seconds = 10;
};

/// Of a server with so many items, where `wanted` is 0.
int serving_threads(int wanted, size_t items, int cores);

/// What may change while a server runs.
struct LiveOptions {
  StageObjectives objectives;
  std::vector<std::string> cors_origins;
  AccessLog access_log = AccessLog::errors;
};

/// Tells the options when they have changed since the last call; an error when they cannot be read.
using OptionsWatch = std::function<std::optional<Result<LiveOptions>>()>;

/// A running server. Thread rule: one thread.
class Server {
 public:
  /// Returns when requests are answered. failed_precondition when the options would expose what they must not.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, const Clock& clock);

  /// Stops as stop() does.
  ~Server();

  /// "http://127.0.0.1:8080", with the port that was taken.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] uint16_t port() const { return http_->port(); }

  /// The text of the admin key when this start made the first one, else empty. It cannot be seen again.
  [[nodiscard]] const std::string& first_key() const { return first_key_; }

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] ApiKeys* keys() { return keys_.get(); }
  [[nodiscard]] const Api& api() const { return *api_; }

  /// Takes up keys that another process made or revoked. Called once a second by serve().
  void reload_keys();

  /// Goes by these from the next request on.
  void set_live(const LiveOptions& options);

  /// Finishes what is in flight, waits for the log, saves the snapshot. Nothing acknowledged is lost, whatever it
  /// returns.
  Status stop();

 private:
  explicit Server(const ServerOptions& options) : options_(options) {}

  ServerOptions options_;
  std::string first_key_;
  std::unique_ptr<ApiKeys> keys_;  // null: none is asked for
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> http_;
};

enum class LogFormat { text, json };  // json: an object a line: time, level, message

/// Starts, prints to standard output where it listens (and the first key, once), serves until SIGTERM or SIGINT
/// (base/stop_signal.h, installed by main) or until `stop_when` says so, stops. Asks `watch`, if there is one, once a
/// second; options that cannot be read leave those before.
Status serve(const ServerOptions& options, const Clock& clock, const std::function<bool()>& stop_when = {},
             const OptionsWatch& watch = {});

/// From now on the server's own lines are these, on standard error.
void log_to_standard_error(LogFormat format);

/// Loads models by load_serving_model (recommend/serving_model.h): for EngineOptions::load_model.
ModelLoader default_model_loader();

}  // namespace perennial
