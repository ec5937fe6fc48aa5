#include "server/http.h"

#include <boost/beast/http/status.hpp>

#include "base/text.h"

namespace perennial {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/// Details quote what was sent, which need not be UTF-8; a reply is.
std::string readable(std::string_view text) {
  std::string out(text);
  if (is_utf8(out)) return out;
  for (char& letter : out) {
    if (static_cast<unsigned char>(letter) >= 0x80) letter = '?';
  }
  return out;
}

}  // namespace

HttpResponse json_response(const json::value& body, int status) {
  return {.status = status, .body = json::serialize(body)};
}

int http_status_of(Code code) {
  switch (code) {
    case Code::ok:
      return 200;
    case Code::invalid_argument:
      return 400;
    case Code::unauthenticated:
      return 401;
    case Code::not_found:
      return 404;
    case Code::already_exists:
      return 409;
    case Code::failed_precondition:
      return 409;
    case Code::resource_exhausted:
      return 429;
    case Code::unavailable:
      return 503;
    case Code::cancelled:
      return 503;
    case Code::data_loss:
      return 500;
    case Code::internal:
      return 500;
  }
  return 500;
}

HttpResponse problem(int status, std::string_view code, std::string_view detail_text, json::object extra) {
  const std::string detail = readable(detail_text);
  const auto title = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  json::object body{{"type", fmt::format("urn:perennial:problem:{}", code)},
                    {"title", std::string_view(title.data(), title.size())},
                    {"status", status},
                    {"detail", detail},
                    {"code", code}};
  for (auto& member : extra) body[member.key()] = std::move(member.value());
  HttpResponse response{.status = status,
                        .content_type = "application/problem+json",
                        .body = json::serialize(body),
                        .log_detail = detail};
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"perennial\"");
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse problem(const Status& status, json::object extra) {
  const int http_status = http_status_of(status.code());
  const bool ours = http_status == 500;
  HttpResponse response =
      problem(http_status, code_name(status.code()),
              ours ? "the server failed; its log says why, under this reply's X-Request-Id" : status.message(),
              std::move(extra));
  response.log_detail = status.message();
  return response;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  const size_t plain = std::min(text.size(), text.find_first_of("%+"));
  decoded = text.substr(0, plain);
  for (size_t i = plain; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return invalid_argument("'%' without two hex digits in '{}'", text);
      decoded += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  if (!is_utf8(decoded)) return invalid_argument("'{}' does not decode to UTF-8", text);
  return decoded;
}

Result<std::map<std::string, std::string>> parse_query(std::string_view query) {
  std::map<std::string, std::string> fields;
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), field.size() + 1));
    if (field.empty()) continue;
    const size_t equals = field.find('=');
    PERENNIAL_TRY_ASSIGN(std::string name, percent_decode(field.substr(0, equals), true));
    PERENNIAL_TRY_ASSIGN(std::string value,
                         percent_decode(equals == std::string_view::npos ? "" : field.substr(equals + 1), true));
    fields[std::move(name)] = std::move(value);
  }
  return fields;
}

}  // namespace perennial
