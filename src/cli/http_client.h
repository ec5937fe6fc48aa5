// A blocking HTTP/1.1 client for the demo: one JSON request, one JSON reply, loopback.
#pragma once

#include <string>

#include "base/json.h"

namespace perennial {

class HttpClient {
 public:
  HttpClient(uint16_t port, std::string key) : port_(port), key_(std::move(key)) {}

  /// unavailable when the server cannot be reached; internal, with its text, when it answers 300 or above.
  Result<json::object> post(const std::string& path, const json::object& body) const {
    return send("POST", path, json::serialize(body));
  }
  Result<json::object> get(const std::string& path) const { return send("GET", path, ""); }

 private:
  Result<json::object> send(const std::string& method, const std::string& path, const std::string& body) const;

  uint16_t port_;
  std::string key_;
};

}  // namespace perennial
