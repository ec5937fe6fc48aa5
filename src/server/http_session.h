// One connection: requests one after the other, each read, handed to the Api, answered. Internal to http_server.cc.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>

#include "server/http_server.h"

namespace perennial {

/// Thread rule: run() or refuse() once, by whoever made it; stop() and expire() by any thread.
class HttpSession {
 public:
  using Gone = std::function<void(HttpSession*)>;
  using Executor = boost::asio::io_context::executor_type;
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

  /// `gone` is called once, when the connection is closed and nothing of it is under way.
  static std::shared_ptr<HttpSession> make(Socket socket, Api& api, const HttpLimits& limits, Gone gone);
  virtual ~HttpSession() = default;

  virtual void run() = 0;

  /// Closes at once when idle; else after the reply to the request under way.
  virtual void stop() = 0;

  /// To be called now and then: breaks off what has taken longer than its limit.
  virtual void expire(double now) = 0;

  /// Writes this refusal of the whole connection, and closes.
  virtual void refuse(HttpResponse response) = 0;
};

}  // namespace perennial
