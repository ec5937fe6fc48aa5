#include "server/router.h"

namespace perennial {
namespace {

std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

/// Whether the path fits; `parameters` then holds what stands for each {name}.
bool fits(std::string_view pattern, std::string_view path, std::vector<std::string>& parameters) {
  parameters.clear();
  while (!pattern.empty() && !path.empty()) {
    if (path.front() != '/') return false;
    const std::string_view wanted = take_segment(pattern);
    const std::string_view got = take_segment(path);
    if (wanted.starts_with('{')) {
      if (got.empty()) return false;
      parameters.emplace_back(got);
    } else if (wanted != got) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

void Router::add(Route route) {
  const bool plain = route.path.find('{') == std::string::npos;
  std::vector<std::string> parameters;
  for (const Route& other : routes_)
    PERENNIAL_CHECK(route.path == other.path ||
                        (!fits(route.path, other.path, parameters) && !fits(other.path, route.path, parameters)),
                    "{} and {}", route.path, other.path);  // match() looks at those of one path only
  (plain ? plain_[route.path] : patterns_).push_back(routes_.size());
  routes_.push_back(std::move(route));
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  Match match;
  std::vector<std::string> parameters;
  const auto take = [&](const Route& route) {
    match.from_browsers |= route.from_browsers;
    match.allow += (match.allow.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
    if (route.method != wanted) return;
    match.route = &route;
    match.parameters = parameters;
  };
  if (const auto plain = plain_.find(std::string(path)); plain != plain_.end()) {
    for (const size_t route : plain->second) take(routes_[route]);
    return match;
  }
  for (const size_t route : patterns_)
    if (fits(routes_[route].path, path, parameters)) take(routes_[route]);
  return match;
}

}  // namespace perennial
