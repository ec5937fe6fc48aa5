#include "server/http_session.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <atomic>
#include <ctime>
#include <limits>
#include <mutex>
#include <optional>

#include "base/clock.h"

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

/// A request at a time: at most one operation on the socket is under way, and the next begins where it ends, so that
/// one thread after the other works on the session and nothing needs a lock. What comes from beside, stop() and
/// expire(), only shuts the socket down and leaves the rest to the operation that fails from it.
class Session final : public HttpSession, public std::enable_shared_from_this<Session> {
 public:
  Session(Socket socket, Api& api, const HttpLimits& limits, Gone gone)
      : socket_(std::move(socket)), api_(api), limits_(limits), gone_(std::move(gone)) {
    error_code error;
    socket_.non_blocking(true, error);
    if (error) socket_.close(error);  // or write() would hold up a thread
  }
  ~Session() override { gone_(this); }

  void run() override { await_request(); }

  void stop() override {
    stopping_ = true;
    if (idle_) shut_down(SHUT_RD);  // what was received before is still answered
  }

  void expire(double now) override {
    if (now > deadline_) shut_down(SHUT_RDWR);
  }

  void refuse(HttpResponse response) override {
    last_ = true;
    linger_ = true;
    write(std::move(response));
  }

 private:
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  void expire_after(double seconds) { deadline_ = monotonic_seconds() + seconds; }

  void await_request() {
    if (stopping_) return close();
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(limits_.header_bytes));
    parser_->body_limit(boost::none);
    std::string().swap(request_.body);  // an idle connection holds none
    request_ = {};
    admission_ = {};
    last_ = false;
    linger_ = false;
    if (buffer_.size() > 0) {  // of a client that did not wait for the reply
      begin_request();
      return net::post(socket_.get_executor(), [self = shared_from_this()] { self->parse_header(); });
    }
    expire_after(limits_.idle_seconds);
    idle_ = true;
    if (stopping_) return close();
    read_more();
  }

  void begin_request() {
    admission_.started = monotonic_seconds();
    deadline_ = admission_.started + limits_.header_seconds;
  }

  void read_more() {
    socket_.async_read_some(buffer_.prepare(kReadBytes), [self = shared_from_this()](error_code error, size_t bytes) {
      if (error) return self->close();
      self->buffer_.commit(bytes);
      if (self->idle_) self->begin_request();
      self->idle_ = false;
      self->parser_->is_header_done() ? self->parse_body() : self->parse_header();
    });
  }

  error_code parse() {
    error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    return error;
  }

  void parse_header() {
    const error_code error = parse();
    if (error == http::error::need_more) return read_more();
    if (error == http::error::header_limit) {
      return refuse_now(
          problem(431, "header_too_large", fmt::format("the header is over {} bytes", limits_.header_bytes)));
    }
    if (error) return refuse_now(problem(400, "bad_request", "not HTTP/1.1: " + error.message()));
    on_header();
  }

  void on_header() {
    request_ = request_of(parser_->get());
    admission_ = api_.admit(request_);
    const size_t limit = admission_.body_limit_bytes;
    const boost::optional<uint64_t> length = parser_->content_length();
    const bool has_body = parser_->chunked() || (length && *length > 0);
    const bool expects_continue = beast::iequals(parser_->get()[http::field::expect], "100-continue");
    if (has_body) expire_after(limits_.body_seconds);
    if (admission_.refusal) {
      const bool small = !has_body || (length && *length <= kSkippedBytes && !expects_continue);
      if (!small) return refuse_now(std::move(*admission_.refusal));
      parser_->body_limit(kSkippedBytes);
      return parse_body();
    }
    if (has_body && limit == 0) return refuse_now(problem(413, "too_large", "this route takes no body"));
    if (length && *length > limit) return refuse_now(too_large());
    parser_->body_limit(limit);
    if (has_body && expects_continue) return write_continue();
    parse_body();
  }

  HttpResponse too_large() const {
    return problem(413, "too_large",
                   fmt::format("the body is over this route's limit of {} bytes", admission_.body_limit_bytes));
  }

  void write_continue() {
    net::async_write(socket_, net::buffer(kContinue.data(), kContinue.size()),
                     [self = shared_from_this()](error_code error, size_t) {
                       if (error) return self->close();
                       self->expire_after(self->limits_.body_seconds);
                       self->parse_body();
                     });
  }

  void parse_body() {
    parser_->eager(true);
    while (!parser_->is_done()) {
      if (buffer_.size() == 0) return read_more();
      const error_code error = parse();
      if (error == http::error::need_more) return read_more();
      if (error == http::error::body_limit) return refuse_now(too_large());
      if (error) return refuse_now(problem(400, "bad_request", "the body is malformed: " + error.message()));
    }
    on_body();
  }

  void on_body() {
    last_ = !parser_->keep_alive();
    if (admission_.refusal) return reply(std::move(*admission_.refusal));
    request_.body = std::move(parser_->get().body());
    admission_.started = monotonic_seconds();
    deadline_ = kNever;
    api_.handle(admission_, request_, [self = shared_from_this(), turn = turn_.load()](HttpResponse response) {
      net::dispatch(self->socket_.get_executor(), [self, turn, response = std::move(response)]() mutable {
        uint64_t mine = turn;
        if (self->turn_.compare_exchange_strong(mine, turn + 1)) self->reply_or_close(std::move(response));
      });
    });
  }

  /// Whoever handled the request must not see that the reply failed: it would make another one.
  void reply_or_close(HttpResponse response) {
    try {
      reply(std::move(response));
    } catch (const std::exception& error) {
      spdlog::error("a reply failed: {}", error.what());
      close();
    }
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

  /// At once what the socket takes, which is nearly always all.
  void write(HttpResponse from) {
    last_ |= stopping_;
    head_ = head_of(from, last_);
    body_ = request_.method == "HEAD" ? std::string() : std::move(from.body);
    const std::array whole{net::const_buffer(net::buffer(head_)), net::const_buffer(net::buffer(body_))};
    error_code error;
    const size_t sent = socket_.write_some(whole, error);
    if (error && error != net::error::would_block) return close();
    if (sent == head_.size() + body_.size()) return on_written({});
    beast::buffers_suffix rest(whole);
    rest.consume(sent);
    expire_after(limits_.write_seconds);
    net::async_write(socket_, rest,
                     [self = shared_from_this()](error_code failed, size_t) { self->on_written(failed); });
  }

  void on_written(error_code error) {
    std::string().swap(body_);  // an idle connection holds no reply
    if (error) return close();
    if (!last_) return await_request();
    socket_.shutdown(net::ip::tcp::socket::shutdown_send, error);
    if (!linger_ || error) return close();
    expire_after(kLingerSeconds);
    linger();
  }

  /// Reads what the client still sends: closing with unread bytes would reset the connection before it has the reply.
  void linger() {
    buffer_.clear();
    socket_.async_read_some(buffer_.prepare(kReadBytes * 4),
                            [self = shared_from_this()](error_code error, size_t bytes) {
                              self->lingered_bytes_ += bytes;
                              if (error || self->stopping_ || self->lingered_bytes_ > kLingerBytes)
                                return self->close();
                              self->linger();
                            });
  }

  void close() {
    const std::lock_guard lock(socket_mutex_);
    error_code ignored;
    socket_.shutdown(net::ip::tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  /// From any thread. By the system, for Asio's sockets belong to one thread.
  void shut_down(int how) {
    const std::lock_guard lock(socket_mutex_);
    if (socket_.is_open()) ::shutdown(socket_.native_handle(), how);
  }

  std::mutex socket_mutex_;  // of closing it, while others shut it down
  Socket socket_;
  Api& api_;
  const HttpLimits& limits_;
  Gone gone_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string head_, body_;  // of the reply
  HttpRequest request_;
  Api::Admission admission_;
  size_t lingered_bytes_ = 0;
  std::atomic<uint64_t> turn_{0};         // of the request: a second reply to one is none
  std::atomic<double> deadline_{kNever};  // of what is under way
  std::atomic<bool> idle_{false};         // waits for a request's first byte
  std::atomic<bool> stopping_{false};
  bool last_ = false;    // close after this reply
  bool linger_ = false;  // the client may still be sending
};

}  // namespace

std::shared_ptr<HttpSession> HttpSession::make(Socket socket, Api& api, const HttpLimits& limits, Gone gone) {
  return std::make_shared<Session>(std::move(socket), api, limits, std::move(gone));
}

}  // namespace perennial
