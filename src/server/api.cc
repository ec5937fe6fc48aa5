#include "server/api.h"

#include <openssl/evp.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "server/inflate.h"
#include "server/openapi.h"

namespace perennial {
namespace {

constexpr size_t kSmallBody = 64 << 10;
constexpr int kMaxBackground = 64;
constexpr size_t kMaxRequestId = 128;
constexpr const char* kPageHeaders = "authorization, content-type, x-retry-count";  // the last by Segment's browser SDK

/// Empty when the text is not base64.
std::string decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  std::string decoded(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  decoded.resize(static_cast<size_t>(size) - padding);
  return decoded;
}

/// The credential of an Authorization header: a Bearer token, or the user name of Basic (Segment's write key).
std::string credential(std::string_view header) {
  const size_t blank = header.find(' ');
  if (blank == std::string_view::npos) return {};
  std::string scheme(header.substr(0, blank));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char letter) { return std::tolower(letter); });
  const std::string_view rest = trim(header.substr(blank + 1));
  if (scheme == "bearer") return std::string(rest);
  if (scheme != "basic") return {};
  const std::string decoded = decode_base64(rest);
  return decoded.substr(0, decoded.find(':'));
}

bool is_plain_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestId && std::all_of(id.begin(), id.end(), [](unsigned char letter) {
    return std::isalnum(letter) || letter == '-' || letter == '_' || letter == '.' || letter == ':';
  });
}

bool is_loopback_name(std::string_view host) {
  if (host.starts_with('[')) return host.starts_with("[::1]");
  const std::string_view name = host.substr(0, host.find(':'));
  return name == "localhost" || name == "127.0.0.1";
}

bool is_loopback_origin(std::string_view origin) {
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && is_loopback_name(origin.substr(scheme + 3));
}

}  // namespace

Api::Api(Engine& engine, ApiKeys* keys, ApiOptions options)
    : engine_(engine),
      keys_(keys),
      options_(std::move(options)),
      cors_origins_(options_.cors_origins),
      access_log_(options_.access_log),
      log_(std::make_shared<spdlog::logger>("access", std::make_shared<spdlog::sinks::stderr_sink_mt>())),
      request_id_prefix_(random_hex(6)) {
  log_->set_pattern("%v");
  add_event_routes();
  add_native_routes();
  route_metrics_[nullptr] = std::make_unique<Metrics::Route>(engine_.metrics(), "unmatched");
  for (const Route& route : router_.routes())
    route_metrics_[&route] = std::make_unique<Metrics::Route>(engine_.metrics(), route.method + " " + route.path);
}

void Api::add_native_routes() {
  const auto add = [this](const char* method, const char* path, std::optional<KeyRole> role, size_t body_limit_bytes,
                          void (Api::*handler)(const Call&, Reply)) {
    router_.add({method, path, role, false, body_limit_bytes,
                 [this, handler](const Call& call, Reply reply) { (this->*handler)(call, std::move(reply)); }});
  };
  add("GET", "/v1/recommend", KeyRole::read, 0, &Api::get_recommend);
  add("POST", "/v1/recommend", KeyRole::read, kSmallBody, &Api::post_recommend);
  add("POST", "/v1/rerank", KeyRole::read, kSmallBody, &Api::post_rerank);
  add("GET", "/v1/recommendations/{recommendation_id}", KeyRole::read, 0, &Api::get_recommendation);
  add("GET", "/v1/feedback", KeyRole::read, 0, &Api::get_feedback);
  add("POST", "/v1/items", KeyRole::admin, options_.items_limit_bytes, &Api::post_items);
  add("GET", "/v1/items/{item_id}", KeyRole::read, 0, &Api::get_item);
  add("GET", "/v1/items/{item_id}/similar", KeyRole::read, 0, &Api::get_similar);
  add("DELETE", "/v1/items/{item_id}", KeyRole::admin, 0, &Api::delete_item);
  add("GET", "/v1/users/{user_id}", KeyRole::read, 0, &Api::get_user);
  add("GET", "/v1/users/{user_id}/lifecycle", KeyRole::read, 0, &Api::get_user_lifecycle);
  add("GET", "/v1/users/{user_id}/forecasts", KeyRole::read, 0, &Api::get_user_forecasts);
  add("GET", "/v1/lifecycle/stages", KeyRole::read, 0, &Api::get_stages);
  add("GET", "/v1/lifecycle/reports/{report}", KeyRole::read, 0, &Api::get_lifecycle_report);
  add("GET", "/v1/next-best-action", KeyRole::read, 0, &Api::get_next_best_action);
  add("GET", "/v1/actions/dead-letters", KeyRole::read, 0, &Api::get_dead_letters);
  add("POST", "/v1/actions/{action_id}/send-again", KeyRole::admin, 0, &Api::post_send_again);
  add("DELETE", "/v1/users/{user_id}", KeyRole::admin, 0, &Api::delete_user);
  add("GET", "/healthz", std::nullopt, 0, &Api::get_health);
  add("GET", "/readyz", std::nullopt, 0, &Api::get_ready);
  add("GET", "/metrics", KeyRole::read, 0, &Api::get_metrics);
  add("GET", "/openapi.json", std::nullopt, 0, &Api::get_openapi);
}

Api::Admission Api::admit(const HttpRequest& head) {
  Admission admission;
  admission.started = monotonic_seconds();
  admission.request_id = is_plain_id(head.request_id) ? head.request_id : new_request_id();
  admission.match = router_.match(head.method, head.path);
  const Route* route = admission.match.route;
  if (route == nullptr) {
    admission.refusal = unmatched(head, admission.match);
    return admission;
  }
  admission.body_limit_bytes = route->body_limit_bytes;
  admission.refusal = check_key(head, *route, admission);
  if (!admission.refusal && !head.content_encoding.empty() && head.content_encoding != "identity" &&
      head.content_encoding != "gzip") {
    admission.refusal = problem(415, "unsupported_encoding",
                                fmt::format("a body may be plain or gzip, not '{}'", head.content_encoding));
  }
  return admission;
}

std::optional<HttpResponse> Api::check_key(const HttpRequest& head, const Route& route, Admission& admission) const {
  admission.authorised = true;
  if (!route.role) return std::nullopt;
  admission.admin = keys_ == nullptr;
  if (keys_ == nullptr) return check_local(head, route);
  const std::string key = credential(head.authorization);
  if (key.empty() && route.from_browsers) {
    admission.authorised = false;  // the body's writeKey decides
    return std::nullopt;
  }
  if (key.empty()) {
    return problem({Code::unauthenticated,
                    "an API key is needed: send 'Authorization: Bearer KEY', or the key as the user "
                    "name of Basic; 'perennial key create' makes one"});
  }
  const std::optional<KeyRole> role = keys_->role_of(key);
  if (!role)
    return problem(
        {Code::unauthenticated, "this API key is not known here: 'perennial key list' shows those that are"});
  admission.admin = *role == KeyRole::admin;
  if (role_allows(*role, *route.role)) return std::nullopt;
  return problem(403, "forbidden",
                 fmt::format("{} {} needs a key of role {} or admin, this one is {}", route.method, route.path,
                             key_role_name(*route.role), key_role_name(*role)));
}

std::optional<HttpResponse> Api::check_local(const HttpRequest& head, const Route& route) const {
  if (!is_loopback_name(head.host)) {
    return problem(403, "forbidden",
                   fmt::format("without API keys only the hosts localhost, 127.0.0.1 and [::1] are answered, "
                               "not '{}'",
                               head.host));
  }
  const bool local = head.origin.empty() ? !head.cross_site : is_loopback_origin(head.origin);
  if (local || (route.from_browsers && origin_allowed(head.origin))) return std::nullopt;  // those may post events only
  return problem(403, "forbidden",
                 fmt::format("without API keys no page of {} is answered; allow it under CORS origins",
                             head.origin.empty() ? "another site" : "'" + head.origin + "'"));
}

HttpResponse Api::unmatched(const HttpRequest& head, const Router::Match& match) const {
  if (match.allow.empty()) {
    return problem(404, "not_found",
                   fmt::format("there is nothing at '{}': /openapi.json lists what there is", head.path));
  }
  HttpResponse response;
  if (head.method == "OPTIONS") {
    response.status = 204;
    if (match.from_browsers && origin_allowed(head.origin)) {
      response.headers.emplace_back("Access-Control-Allow-Methods", match.allow);
      response.headers.emplace_back("Access-Control-Allow-Headers", kPageHeaders);
      response.headers.emplace_back("Access-Control-Max-Age", "86400");
    }
  } else {
    response = problem(405, "method_not_allowed",
                       fmt::format("'{}' does not take {}, it takes {}", head.path, head.method, match.allow));
  }
  response.headers.emplace_back("Allow", match.allow + ", OPTIONS");
  return response;
}

bool Api::origin_allowed(const std::string& origin) const {
  if (origin.empty()) return false;
  const std::lock_guard lock(cors_mutex_);
  return std::any_of(cors_origins_.begin(), cors_origins_.end(),
                     [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

void Api::set_live(std::vector<std::string> cors_origins, AccessLog access_log) {
  const std::lock_guard lock(cors_mutex_);
  cors_origins_ = std::move(cors_origins);
  access_log_ = access_log;
}

std::string Api::new_request_id() {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, ++request_count_, 16);
  return request_id_prefix_ + "-" + std::string(digits, end);
}

void Api::handle(const Admission& admission, HttpRequest& request, Reply reply) {
  const Route& route = *admission.match.route;
  Call call{request, {}, admission.authorised, admission.admin};
  for (const std::string& parameter : admission.match.parameters) {
    Result<std::string> decoded = percent_decode(parameter, false);
    if (!decoded.ok()) return reply(problem(decoded.status()));
    call.parameters.push_back(std::move(decoded).value());
  }
  if (request.content_encoding == "gzip" && !request.body.empty()) {
    Result<std::string> body = inflate_gzip(request.body, route.body_limit_bytes);
    if (!body.ok() && body.status().code() == Code::resource_exhausted)
      return reply(problem(413, "too_large", body.status().message()));
    if (!body.ok()) return reply(problem(body.status()));
    request.body = std::move(body).value();
  }
  try {
    route.handle(call, reply);
  } catch (const std::exception& error) {
    reply(problem(internal_error("{}", error.what())));
  }
}

void Api::finish(const Admission& admission, const HttpRequest& request, HttpResponse& response) {
  const Router::Match& match = admission.match;
  Metrics::Route& route = *route_metrics_.at(match.route);
  const double seconds = monotonic_seconds() - admission.started;
  route.finished(response.status, seconds);
  response.headers.emplace_back("X-Request-Id", admission.request_id.empty() ? new_request_id() : admission.request_id);
  if (match.from_browsers && origin_allowed(request.origin)) {
    response.headers.emplace_back("Access-Control-Allow-Origin", request.origin);
    response.headers.emplace_back("Access-Control-Expose-Headers", "Retry-After, X-Request-Id");
    response.headers.emplace_back("Vary", "Origin");
  }
  const AccessLog wanted = access_log_;
  if (wanted == AccessLog::off || (wanted == AccessLog::errors && response.status < 500)) return;
  json::object line{{"time", format_iso8601(engine_.clock().now_ms())},
                    {"level", response.status < 500 ? "info" : "error"},
                    {"request_id", admission.request_id},
                    {"method", request.method},
                    {"route", route.name()},
                    {"status", response.status},
                    {"seconds", seconds}};
  if (!response.log_detail.empty()) line["detail"] = response.log_detail;
  log_->log(response.status < 500 ? spdlog::level::info : spdlog::level::err, json::serialize(line));
}

void Api::connections_open(size_t count) { engine_.metrics().connections.Set(static_cast<double>(count)); }

HttpResponse Api::too_many_connections(size_t limit) {
  engine_.metrics().connections_refused.Increment();
  return problem(
      {Code::unavailable, fmt::format("{} connections are open, more are not taken: try again later", limit)});
}

void Api::run_in_background(const Reply& reply, std::function<void()> work) {
  if (++background_waiting_ > kMaxBackground) {
    --background_waiting_;
    return reply(problem(resource_exhausted("{} requests wait for the disk: try again later", kMaxBackground)));
  }
  boost::asio::post(background_, [this, reply, work = std::move(work)] {
    try {
      work();
    } catch (const std::exception& error) {
      reply(problem(internal_error("{}", error.what())));
    }
    --background_waiting_;
  });
}

void Api::get_health(const Call&, Reply reply) { reply(json_response({{"status", "ok"}})); }

void Api::get_ready(const Call&, Reply reply) {
  if (stopping_) return reply(problem({Code::unavailable, "the server is stopping"}));
  const EngineStatus status = engine_.status();
  reply(json_response({{"status", "ready"}, {"model", status.model}, {"log_offset", status.log_offset}}));
}

void Api::get_metrics(const Call&, Reply reply) {
  reply({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = engine_.metrics_text()});
}

void Api::get_openapi(const Call&, Reply reply) { reply({.body = openapi_document()}); }

}  // namespace perennial
