// Which route a request is for. Covered by server/http_test.cc.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/api_keys.h"
#include "server/http.h"

namespace perennial {

struct Call {
  const HttpRequest& request;
  std::vector<std::string> parameters;  // what stands for the {names} of the path, decoded
  bool authorised = true;               // false: the key is to be found in the body
  bool admin = false;                   // the key is of that role, or none is asked for
};

struct Route {
  std::string method;           // "GET" answers HEAD as well
  std::string path;             // "/v1/users/{user_id}"
  std::optional<KeyRole> role;  // who may call it; none: anyone
  bool from_browsers = false;   // takes a writeKey in the body, and CORS
  size_t body_limit_bytes = 0;
  std::function<void(const Call&, Reply)> handle;  // the call is gone when it returns, or has replied
};

class Router {
 public:
  void add(Route route);

  struct Match {
    const Route* route = nullptr;         // null: nothing of that path and method
    std::vector<std::string> parameters;  // as sent
    std::string allow;                    // the path's methods when it has some: the Allow header
    bool from_browsers = false;           // some method of the path is for browsers
  };
  [[nodiscard]] Match match(std::string_view method, std::string_view path) const;

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  std::unordered_map<std::string, std::vector<size_t>> plain_;  // the routes of a path without {names}
  std::vector<size_t> patterns_;                                // the others
};

}  // namespace perennial
