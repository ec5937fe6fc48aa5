#include "cli/http_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace perennial {

namespace asio = boost::asio;
namespace http = boost::beast::http;

Result<json::object> HttpClient::send(const std::string& method, const std::string& path,
                                      const std::string& body) const {
  try {
    asio::io_context context;
    boost::beast::tcp_stream stream(context);
    stream.connect(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port_));
    const timeval patience{30, 0};  // Beast's own timeouts are for asynchronous calls only
    for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO})
      ::setsockopt(stream.socket().native_handle(), SOL_SOCKET, direction, &patience, sizeof patience);
    http::request<http::string_body> request(http::string_to_verb(method), path, 11);
    request.set(http::field::host, "127.0.0.1");
    request.set(http::field::content_type, "application/json");
    if (!key_.empty()) request.set(http::field::authorization, "Bearer " + key_);
    request.body() = body;
    request.prepare_payload();
    http::write(stream, request);
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    http::read(stream, buffer, response);
    if (response.result_int() >= 300)
      return internal_error("{} {} answered {}: {}", method, path, response.result_int(), response.body());
    return parse_json_object(response.body());
  } catch (const std::exception& error) {
    return Status(Code::unavailable, fmt::format("{} {}: {}", method, path, error.what()));
  }
}

}  // namespace perennial
