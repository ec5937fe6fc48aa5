#include "server/http_server.h"

#include <spdlog/spdlog.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "server/http_session.h"

namespace perennial {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using net::ip::tcp;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr auto kExpiryPeriod = std::chrono::milliseconds(200);  // how exact the limits' times are
constexpr size_t kMaxRefusing = 64;  // connections over the limit that are told so; more are just closed

}  // namespace

class HttpServer::Listener {
 public:
  Listener(Api& api, const HttpLimits& limits, int threads)
      : api_(api), limits_(limits), thread_count_(threads), context_(threads) {}

  Status open(const std::string& address, uint16_t port) {
    error_code error;
    const net::ip::address ip = net::ip::make_address(address, error);
    if (error)
      return invalid_argument("'{}' is not an IP address to bind to: use 127.0.0.1, ::1 or one of this machine",
                              address);
    const tcp::endpoint endpoint(ip, port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(net::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (!error) return {};
    if (error == net::error::address_in_use) {
      return failed_precondition("port {} of {} is taken by another program: choose another port", port, address);
    }
    return Status(Code::failed_precondition,
                  fmt::format("cannot listen on {} port {}: {}", address, port, error.message()));
  }

  void run() {
    accept();
    expire_later();
    for (int i = 0; i < thread_count_; ++i) {
      threads_.emplace_back([this] { run_thread(); });
    }
  }

  void stop(double patience_seconds) {
    net::post(accept_strand_, [this] {
      error_code ignored;
      acceptor_.close(ignored);
      accept_timer_.cancel();
      {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
      }
      for (const std::shared_ptr<HttpSession>& session : open_sessions()) session->stop();
      session_gone_.notify_all();
    });
    {
      std::unique_lock lock(mutex_);
      const bool all_gone = session_gone_.wait_for(lock, std::chrono::duration<double>(patience_seconds),
                                                   [this] { return stopping_ && sessions_.empty(); });
      if (!all_gone) spdlog::warn("{} connections were cut off at the stop", sessions_.size());
    }
    work_.reset();
    context_.stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  void run_thread() {
    while (true) {
      try {
        context_.run();
        return;
      } catch (const std::exception& error) {
        spdlog::error("a connection's handler failed: {}", error.what());
      }
    }
  }

  void accept() {
    acceptor_.async_accept(context_, [this](error_code error, HttpSession::Socket socket) {
      if (error == net::error::operation_aborted || !acceptor_.is_open()) return;
      if (error) return pause_accepting(error);
      welcome(std::move(socket));
      accept();
    });
  }

  /// Out of descriptors or the like: trying again at once would only burn the processor.
  void pause_accepting(error_code error) {
    spdlog::warn("cannot accept a connection: {}", error.message());
    accept_timer_.expires_after(kAcceptPause);
    accept_timer_.async_wait([this](error_code cancelled) {
      if (!cancelled) accept();
    });
  }

  void welcome(HttpSession::Socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::shared_ptr<HttpSession> session;
    size_t open = 0;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || sessions_.size() >= limits_.connections + kMaxRefusing) return;
      session = HttpSession::make(std::move(socket), api_, limits_, [this](HttpSession* raw) { forget(raw); });
      sessions_.emplace(session.get(), session);
      open = sessions_.size();
    }
    api_.connections_open(open);
    if (open <= limits_.connections) return session->run();
    session->refuse(api_.too_many_connections(limits_.connections));
  }

  /// To be released without the mutex, because a session's end takes it.
  std::vector<std::shared_ptr<HttpSession>> open_sessions() {
    std::vector<std::shared_ptr<HttpSession>> open;
    const std::lock_guard lock(mutex_);
    for (const auto& [raw, session] : sessions_) {
      if (std::shared_ptr<HttpSession> held = session.lock()) open.push_back(std::move(held));
    }
    return open;
  }

  void expire_later() {
    expiry_timer_.expires_after(kExpiryPeriod);
    expiry_timer_.async_wait([this](error_code cancelled) {
      if (cancelled) return;
      try {
        const double now = monotonic_seconds();
        for (const std::shared_ptr<HttpSession>& session : open_sessions()) session->expire(now);
      } catch (const std::exception& error) {
        spdlog::error("connections that take too long are looked for again: {}", error.what());
      }
      expire_later();
    });
  }

  void forget(HttpSession* session) {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session);
    api_.connections_open(sessions_.size());
    session_gone_.notify_all();
  }

  Api& api_;
  HttpLimits limits_;
  const int thread_count_;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable session_gone_;
  std::unordered_map<HttpSession*, std::weak_ptr<HttpSession>> sessions_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
  net::io_context context_;  // after the members that the sessions it holds use as they end
  net::executor_work_guard<net::io_context::executor_type> work_{context_.get_executor()};
  net::strand<net::io_context::executor_type> accept_strand_{net::make_strand(context_)};
  tcp::acceptor acceptor_{accept_strand_};
  net::steady_timer accept_timer_{accept_strand_};
  net::steady_timer expiry_timer_{context_};
};

HttpServer::HttpServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(Api& api, const std::string& address, uint16_t port, int threads,
                                                      const HttpLimits& limits) {
  auto listener = std::make_shared<Listener>(api, limits, threads);
  PERENNIAL_TRY(listener->open(address, port));
  listener->run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(listener)));
}

HttpServer::~HttpServer() { stop(0); }

uint16_t HttpServer::port() const { return listener_->port(); }

void HttpServer::stop(double patience_seconds) {
  if (!std::exchange(stopped_, true)) listener_->stop(patience_seconds);
}

}  // namespace perennial
