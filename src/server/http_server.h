// Sockets: accepts connections, reads requests within limits and times, hands them to the Api, writes replies; stops
// without dropping what is in flight. Boost.Beast stays inside http_server.cc and http_session.cc.
// Covered by server/http_limits_test.cc and server/http_stop_test.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "server/api.h"

namespace perennial {

struct HttpLimits {
  size_t header_bytes = 16 << 10;
  size_t connections = 1024;
  double idle_seconds = 75;    // between requests of a connection
  double header_seconds = 10;  // from a request's first byte to the end of its header
  double body_seconds = 30;    // for the whole body
  double write_seconds = 30;   // for the client to take the reply
};

/// Thread rule: start() and stop() by one thread.
class HttpServer {
 public:
  /// Binds, listens and serves on `threads` threads until stop(). `port` 0 takes any free one. failed_precondition when
  /// the port is taken, invalid_argument when the address is no IP address. `api` must outlive it.
  static Result<std::unique_ptr<HttpServer>> start(Api& api, const std::string& address, uint16_t port, int threads,
                                                   const HttpLimits& limits);
  ~HttpServer();

  [[nodiscard]] uint16_t port() const;

  /// Accepts no more, closes idle connections, lets requests under way finish for at most `patience_seconds`, then cuts
  /// the rest off. Replies that still come are thrown away; this object must live until none can come any more.
  void stop(double patience_seconds);

 private:
  class Listener;
  explicit HttpServer(std::shared_ptr<Listener> listener);
  std::shared_ptr<Listener> listener_;
  bool stopped_ = false;
};

}  // namespace perennial
