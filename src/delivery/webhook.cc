#include "delivery/webhook.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "base/text.h"
#include "delivery/signature.h"

namespace perennial {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr size_t kMostAnswered = 64 << 10;  // bytes of an answer that are read
constexpr int64_t kLongestRetryAfter = int64_t{24} * 3600;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

template <typename Stream>
asio::awaitable<Response> exchange(Stream& stream, const Request& request) {
  co_await http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer(kMostAnswered);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMostAnswered);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  co_return parser.release();
}

asio::awaitable<Response> call(const WebhookTarget& target, const Request& request) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  const auto places = co_await resolver.async_resolve(target.host, target.port, asio::use_awaitable);
  if (!target.tls) {
    beast::tcp_stream stream(executor);
    co_await stream.async_connect(places, asio::use_awaitable);
    co_return co_await exchange(stream, request);
  }
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_default_verify_paths();
  tls.set_verify_mode(asio::ssl::verify_peer);
  beast::ssl_stream<beast::tcp_stream> stream(executor, tls);
  stream.set_verify_callback(asio::ssl::host_name_verification(target.host));
  if (SSL_set_tlsext_host_name(stream.native_handle(), target.host.c_str()) != 1)
    throw beast::system_error(asio::error::invalid_argument);
  co_await beast::get_lowest_layer(stream).async_connect(places, asio::use_awaitable);
  co_await stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  co_return co_await exchange(stream, request);
}

std::optional<int64_t> retry_after_ms(const Response& response) {
  const auto text = response[http::field::retry_after];
  const Result<int64_t> seconds = parse_integer({text.data(), text.size()});
  if (!seconds.ok() || *seconds < 0) return std::nullopt;
  return std::min(*seconds, kLongestRetryAfter) * 1000;
}

HandoverResult judge(const Response& response) {
  const unsigned status = response.result_int();
  if (status >= 200 && status < 300) return {Handover::delivered, "", {}};
  const bool again = status < 200 || status == 408 || status == 425 || status == 429 || status >= 500;
  return {again ? Handover::again : Handover::refused, fmt::format("answered {}", status), retry_after_ms(response)};
}

bool is_loopback(const std::string& host) {
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  return host == "localhost" || (!error && address.is_loopback());
}

}  // namespace

Result<WebhookTarget> parse_webhook_url(std::string_view url) {
  WebhookTarget target;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    target.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return invalid_argument("a webhook's address starts with https://, not '{:.40}'", url);
  }
  const size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  target.path = rest.substr(slash);
  if (!target.path.starts_with('/')) target.path.insert(0, "/");
  if (authority.find('@') != std::string_view::npos)
    return invalid_argument("a webhook's address holds no user and password: it is signed instead");
  target.port = target.tls ? "443" : "80";
  const bool six = authority.starts_with('[');
  const size_t end = six ? authority.find(']') : std::string_view::npos;
  const size_t colon = authority.find(':', six && end != std::string_view::npos ? end : 0);
  if (colon != std::string_view::npos) {
    target.port = authority.substr(colon + 1);
    const Result<int64_t> port = parse_integer(target.port);
    if (!port.ok() || *port < 1 || *port > 65'535)
      return invalid_argument("a webhook's port is from 1 to 65,535, not '{:.40}'", target.port);
    authority = authority.substr(0, colon);
  }
  if (six && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  target.host = authority;
  const auto bad = [](unsigned char c) { return c <= ' ' || c >= 127; };
  if (target.host.empty() || std::ranges::any_of(target.host, bad) || std::ranges::any_of(target.path, bad))
    return invalid_argument("'{:.80}' is no address of a webhook: want one such as https://example.com/hooks", url);
  if (!target.tls && !is_loopback(target.host))
    return invalid_argument("a webhook beyond this machine is https://, for what it carries is of users");
  return target;
}

std::vector<HandoverResult> Webhook::hand_over(std::span<const Letter> letters) {
  std::vector<HandoverResult> results;
  for (const Letter& letter : letters) results.push_back(hand_over(letter));
  return results;
}

HandoverResult Webhook::hand_over(const Letter& letter) const {
  Request request(http::verb::post, target_.path, 11);
  const bool usual = target_.port == (target_.tls ? "443" : "80");
  const std::string host = target_.host.find(':') == std::string::npos ? target_.host : "[" + target_.host + "]";
  request.set(http::field::host, usual ? host : fmt::format("{}:{}", host, target_.port));
  request.set(http::field::user_agent, "Perennial");
  request.set(http::field::content_type, "application/json");
  request.set("Idempotency-Key", letter.key);
  request.set("Perennial-Signature", signature_of(secret_, clock_.now_ms(), letter.body));
  request.set(http::field::connection, "close");
  request.body() = letter.body;
  request.prepare_payload();
  HandoverResult result{Handover::again, fmt::format("no answer within {} ms", patience_.count()), {}};
  asio::io_context context;
  asio::co_spawn(context, call(target_, request),
                 [&result](const std::exception_ptr& failure, const Response& response) {
                   if (!failure) {
                     result = judge(response);
                     return;
                   }
                   try {
                     std::rethrow_exception(failure);
                   } catch (const std::exception& error) {
                     result = {Handover::again, fmt::format("no whole answer: {}", error.what()), {}};
                   }
                 });
  context.run_for(patience_);
  return result;
}

}  // namespace perennial
