// The HTTP API over the engine: routes, keys, CORS, limits, request ids, metrics, access log; free of sockets.
// Routes are described to people in docs/api.md and to machines in /openapi.json. Covered by server/http_test.cc.
#pragma once

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/api_keys.h"
#include "server/engine.h"
#include "server/recommend_question.h"
#include "server/router.h"

namespace spdlog {
class logger;
}

namespace perennial {

enum class AccessLog { off, errors, all };  // errors: replies of 500 and above

struct ApiOptions {
  size_t event_limit_bytes = 32 << 10;
  size_t batch_limit_bytes = 500 << 10;
  size_t items_limit_bytes = 5 << 20;
  std::string currency = "USD";           // of amounts that name none
  std::vector<std::string> cors_origins;  // of pages that may post events; "*" is any
  AccessLog access_log = AccessLog::errors;
};

/// Thread rule: any thread.
class Api {
 public:
  /// `keys` null: no key is asked for, and only requests that come from this machine's own programs are answered (a
  /// page of another site, or a name that was rebound to this address, is refused).
  Api(Engine& engine, ApiKeys* keys, ApiOptions options);

  /// What is known before the body is read.
  struct Admission {
    Router::Match match;
    bool authorised = false;
    bool admin = false;
    size_t body_limit_bytes = 0;
    std::optional<HttpResponse> refusal;  // reply with this, and make nothing of the body
    std::string request_id;
    double started = 0;
  };
  [[nodiscard]] Admission admit(const HttpRequest& head);

  /// Answers; `reply` may come at once or later from another thread. `admission.refusal` must be empty. A gzip body is
  /// inflated in place.
  void handle(const Admission& admission, HttpRequest& request, Reply reply);

  /// What every reply gets: request id, CORS, metrics, access log. For refusals and for errors found before routing
  /// too.
  void finish(const Admission& admission, const HttpRequest& request, HttpResponse& response);

  /// Instead of what the options said, from the next request on.
  void set_live(std::vector<std::string> cors_origins, AccessLog access_log);

  /// For the connections gauge.
  void connections_open(size_t count);

  /// The reply to a connection over the limit.
  HttpResponse too_many_connections(size_t limit);

  /// From now on /readyz says no, so that a balancer looks elsewhere.
  void set_stopping() { stopping_ = true; }

  /// Waits for what reads the disk in the background. No request may follow.
  void finish_background() { background_.join(); }

  [[nodiscard]] const Router& router() const { return router_; }

 private:
  void add_event_routes();
  void add_native_routes();

  // api_events.cc
  void post_event(const std::string& type, const Call& call, Reply reply);
  void post_batch(const Call& call, Reply reply);
  void browser_settings(const Call& call, Reply reply);
  Result<std::vector<Record>> records_of(const json::object& message, std::string_view type, const Call& call) const;
  std::optional<HttpResponse> check_body_key(const Call& call, const json::object& body);
  // api_recommend.cc
  void get_recommend(const Call& call, Reply reply);
  void post_recommend(const Call& call, Reply reply);
  void get_recommendation(const Call& call, Reply reply);
  void get_feedback(const Call& call, Reply reply);
  void post_rerank(const Call& call, Reply reply);
  void get_similar(const Call& call, Reply reply);
  void recommend(const Result<json::object>& fields, const Reply& reply);
  void answer(RecommendQuestion question, const Reply& reply);
  // api_things.cc
  void post_items(const Call& call, Reply reply);
  void get_item(const Call& call, Reply reply);
  void delete_item(const Call& call, Reply reply);
  void get_user(const Call& call, Reply reply);
  void delete_user(const Call& call, Reply reply);
  // api_lifecycle.cc
  void get_user_lifecycle(const Call& call, Reply reply);
  void get_user_forecasts(const Call& call, Reply reply);
  void get_stages(const Call& call, Reply reply);
  void get_lifecycle_report(const Call& call, Reply reply);
  // api_actions.cc
  void get_next_best_action(const Call& call, Reply reply);
  void get_dead_letters(const Call& call, Reply reply);
  void post_send_again(const Call& call, Reply reply);
  // api.cc
  void get_health(const Call& call, Reply reply);
  void get_ready(const Call& call, Reply reply);
  void get_metrics(const Call& call, Reply reply);
  void get_openapi(const Call& call, Reply reply);

  std::optional<HttpResponse> check_key(const HttpRequest& head, const Route& route, Admission& admission) const;
  std::optional<HttpResponse> check_local(const HttpRequest& head, const Route& route) const;
  HttpResponse unmatched(const HttpRequest& head, const Router::Match& match) const;
  bool origin_allowed(const std::string& origin) const;
  std::string new_request_id();
  void run_in_background(const Reply& reply, std::function<void()> work);

  Engine& engine_;
  ApiKeys* keys_;
  const ApiOptions options_;
  mutable std::mutex cors_mutex_;
  std::vector<std::string> cors_origins_;  // guarded by cors_mutex_
  std::atomic<AccessLog> access_log_;
  Router router_;
  std::unordered_map<const Route*, std::unique_ptr<Metrics::Route>> route_metrics_;  // null: of what no route answers
  std::shared_ptr<spdlog::logger> log_;
  std::string request_id_prefix_;
  std::atomic<uint64_t> request_count_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> background_waiting_{0};
  boost::asio::thread_pool background_{1};  // for what reads the disk; last, so that its work ends first
};

}  // namespace perennial
