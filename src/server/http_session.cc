#include "server/http_session.h"

#include <spdlog/spdlog.h>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <ctime>
#include <optional>

namespace perennial {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::beast::error_code;

constexpr size_t kReadBytes = 4096;
constexpr size_t kHeadBytes = 400;          // of a reply's header, about
constexpr size_t kSkippedBytes = 64 << 10;  // a refused body up to this is read and dropped, and the connection goes on
constexpr size_t kLingerBytes = 4 << 20;    // of a refused body that are read, so that the client sees the reply
constexpr double kLingerSeconds = 2;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::chrono::nanoseconds seconds(double value) { return std::chrono::nanoseconds(static_cast<int64_t>(value * 1e9)); }

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

HttpRequest request_of(const http::request<http::string_body>& message) {
  HttpRequest request;
  request.method = text(message.method_string());
  const std::string target = text(message.target());
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  request.host = text(message[http::field::host]);
  request.origin = text(message[http::field::origin]);
  request.by_tls = message["X-Forwarded-Proto"] == "https" || request.origin.starts_with("https://");
  request.cross_site = message["Sec-Fetch-Site"] == "cross-site";
  request.authorization = text(message[http::field::authorization]);
  request.content_encoding = text(message[http::field::content_encoding]);
  request.request_id = text(message["X-Request-Id"]);
  return request;
}

/// The time as RFC 9110 writes it, made once a second.
const std::string& http_date() {
  thread_local std::time_t second = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now == second && !text.empty()) return text;
  second = now;
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char buffer[40];
  text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
  return text;
}

/// Status line and header fields. Not by Beast's serializer: on this path it costs more than choosing the items.
std::string head_of(const HttpResponse& response, bool last) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  std::string head;
  head.reserve(kHeadBytes);
  const auto line = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head.append(reason.data(), reason.size()).append("\r\n");
  for (const auto& [name, value] : response.headers) line(name, value);
  line("Server", "perennial");
  line("Date", http_date());
  if (!response.body.empty()) {
    line("Content-Type", response.content_type);
    line("Cache-Control", "no-store");
    line("X-Content-Type-Options", "nosniff");
  }
  if (last) line("Connection", "close");
  if (response.status != 204) line("Content-Length", std::to_string(response.body.size()));
  return head.append("\r\n");
}

class Session final : public HttpSession, public std::enable_shared_from_this<Session> {
 public:
  Session(Socket socket, Api& api, const HttpLimits& limits, Gone gone)
      : stream_(std::move(socket)), api_(api), limits_(limits), gone_(std::move(gone)) {}
  ~Session() override { gone_(this); }

  void run() override {
    net::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->await_request(); });
  }

  void stop() override {
    net::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      self->stopping_ = true;
      if (self->idle_) self->close();
    });
  }

  void refuse(HttpResponse response) override {
    net::dispatch(stream_.get_executor(), [self = shared_from_this(), response = std::move(response)]() mutable {
      self->last_ = true;
      self->linger_ = true;
      self->write(std::move(response));
    });
  }

 private:
  void await_request() {
    if (stopping_) return close();
    if (buffer_.size() > 0) return read_header();
    idle_ = true;
    stream_.expires_after(seconds(limits_.idle_seconds));
    stream_.async_read_some(buffer_.prepare(kReadBytes), [self = shared_from_this()](error_code error, size_t bytes) {
      self->idle_ = false;
      if (error) return self->close();
      self->buffer_.commit(bytes);
      self->read_header();
    });
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(limits_.header_bytes));
    parser_->body_limit(boost::none);
    request_ = {};
    admission_ = {};
    admission_.started = monotonic_seconds();
    last_ = false;
    linger_ = false;
    stream_.expires_after(seconds(limits_.header_seconds));
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](error_code error, size_t) { self->on_header(error); });
  }

  void on_header(error_code error) {
    if (error == http::error::header_limit) {
      return refuse_now(
          problem(431, "header_too_large", fmt::format("the header is over {} bytes", limits_.header_bytes)));
    }
    if (is_parse_error(error)) return refuse_now(problem(400, "bad_request", "not HTTP/1.1: " + error.message()));
    if (error) return close();
    request_ = request_of(parser_->get());
    admission_ = api_.admit(request_);
    const size_t limit = admission_.body_limit_bytes;
    const boost::optional<uint64_t> length = parser_->content_length();
    const bool has_body = parser_->chunked() || (length && *length > 0);
    const bool expects_continue = beast::iequals(parser_->get()[http::field::expect], "100-continue");
    if (admission_.refusal) {
      const bool small = !has_body || (length && *length <= kSkippedBytes && !expects_continue);
      if (!small) return refuse_now(std::move(*admission_.refusal));
      parser_->body_limit(kSkippedBytes);
      return read_body();
    }
    if (has_body && limit == 0) return refuse_now(problem(413, "too_large", "this route takes no body"));
    if (length && *length > limit) return refuse_now(too_large());
    parser_->body_limit(limit);
    if (has_body && expects_continue) return write_continue();
    read_body();
  }

  static bool is_parse_error(error_code error) {
    return error && error.category() == http::make_error_code(http::error::bad_method).category() &&
           error != http::error::end_of_stream && error != http::error::partial_message;
  }

  HttpResponse too_large() const {
    return problem(413, "too_large",
                   fmt::format("the body is over this route's limit of {} bytes", admission_.body_limit_bytes));
  }

  void write_continue() {
    stream_.expires_after(seconds(limits_.write_seconds));
    net::async_write(stream_, net::buffer(kContinue.data(), kContinue.size()),
                     [self = shared_from_this()](error_code error, size_t) {
                       if (error) return self->close();
                       self->read_body();
                     });
  }

  void read_body() {
    stream_.expires_after(seconds(limits_.body_seconds));
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, size_t) { self->on_body(error); });
  }

  void on_body(error_code error) {
    if (error == http::error::body_limit) return refuse_now(too_large());
    if (is_parse_error(error))
      return refuse_now(problem(400, "bad_request", "the body is malformed: " + error.message()));
    if (error) return close();
    last_ = !parser_->keep_alive();
    if (admission_.refusal) return reply(std::move(*admission_.refusal));
    request_.body = std::move(parser_->get().body());
    admission_.started = monotonic_seconds();
    stream_.expires_never();
    api_.handle(admission_, request_, [self = shared_from_this()](HttpResponse response) {
      net::dispatch(self->stream_.get_executor(),
                    [self, response = std::move(response)]() mutable { self->reply(std::move(response)); });
    });
  }

  /// For what was refused before its body was read: the rest of the connection cannot be understood.
  void refuse_now(HttpResponse response) {
    last_ = true;
    linger_ = true;
    reply(std::move(response));
  }

  void reply(HttpResponse response) {
    api_.finish(admission_, request_, response);
    write(std::move(response));
  }

  void write(HttpResponse from) {
    last_ |= stopping_;
    head_ = head_of(from, last_);
    body_ = request_.method == "HEAD" ? std::string() : std::move(from.body);
    stream_.expires_after(seconds(limits_.write_seconds));
    net::async_write(stream_, std::array{net::buffer(head_), net::buffer(body_)},
                     [self = shared_from_this()](error_code error, size_t) { self->on_written(error); });
  }

  void on_written(error_code error) {
    body_ = {};  // an idle connection holds no reply
    if (error) return close();
    if (!last_) return await_request();
    stream_.socket().shutdown(net::ip::tcp::socket::shutdown_send, error);
    if (!linger_ || error) return close();
    stream_.expires_after(seconds(kLingerSeconds));
    linger();
  }

  /// Reads what the client still sends: closing with unread bytes would reset the connection before it has the reply.
  void linger() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBytes * 4),
                            [self = shared_from_this()](error_code error, size_t bytes) {
                              self->lingered_bytes_ += bytes;
                              if (error || self->stopping_ || self->lingered_bytes_ > kLingerBytes)
                                return self->close();
                              self->linger();
                            });
  }

  void close() {
    error_code ignored;
    stream_.socket().shutdown(net::ip::tcp::socket::shutdown_both, ignored);
    stream_.close();
  }

  beast::basic_stream<net::ip::tcp, HttpSession::Executor> stream_;
  Api& api_;
  const HttpLimits& limits_;
  Gone gone_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string head_, body_;  // of the reply
  HttpRequest request_;
  Api::Admission admission_;
  size_t lingered_bytes_ = 0;
  bool idle_ = false;
  bool stopping_ = false;
  bool last_ = false;    // close after this reply
  bool linger_ = false;  // the client may still be sending
};

}  // namespace

std::shared_ptr<HttpSession> HttpSession::make(Socket socket, Api& api, const HttpLimits& limits, Gone gone) {
  return std::make_shared<Session>(std::move(socket), api, limits, std::move(gone));
}

}  // namespace perennial
