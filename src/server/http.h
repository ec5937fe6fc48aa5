// A request and a reply as the routes see them, free of any HTTP library; and the one table from Code to HTTP status.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace perennial {

struct HttpRequest {
  std::string method;  // capital letters
  std::string path;    // as sent, percent-encoded, without the query
  std::string query;   // as sent, without '?'
  std::string body;    // inflated
  std::string host;
  std::string origin;
  bool by_tls = false;  // the browser spoke https with the proxy before us (X-Forwarded-Proto, or the page's origin)
  bool cross_site = false;  // Sec-Fetch-Site: a page of another site asked, also where it sends no Origin (an <img>)
  std::string authorization;
  std::string content_encoding;
  std::string request_id;  // X-Request-Id as sent, or empty
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string log_detail;  // of a failure, for the server's own log
};

/// Called once, from any thread.
using Reply = std::function<void(HttpResponse)>;

HttpResponse json_response(const json::value& body, int status = 200);

/// The HTTP status of a failure.
int http_status_of(Code code);

/// RFC 9457 problem+json: {type, title, status, detail, code} and the members of `extra`.
HttpResponse problem(int status, std::string_view code, std::string_view detail, json::object extra = {});

/// The problem that a Status is. Failures of ours (500) tell their details to the log, not to the client.
HttpResponse problem(const Status& status, json::object extra = {});

/// invalid_argument on a stray '%' or when the decoded text is not UTF-8. '+' is a blank only in queries.
Result<std::string> percent_decode(std::string_view text, bool plus_is_blank);

/// `a=1&b=x%20y` decoded; of a repeated name the last value stands.
Result<std::map<std::string, std::string>> parse_query(std::string_view query);

}  // namespace perennial
