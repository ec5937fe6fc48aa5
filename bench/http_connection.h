// A kept HTTP connection to a server on this machine, as plain as it gets: for clients that load it.
#pragma once

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace perennial::bench {

[[noreturn]] inline void fail(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::_Exit(1);
}

class Connection {
 public:
  explicit Connection(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("no server answers");
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The body of the reply; ends the program when its status is not 200.
  std::string ask(const std::string& head, const std::string& body) {
    const std::string text =
        fmt::format("{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                    head, body.size(), body);
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t more = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (more <= 0) fail("the server hung up");
      sent += static_cast<size_t>(more);
    }
    std::string reply;
    size_t end = std::string::npos;
    while ((end = reply.find("\r\n\r\n")) == std::string::npos) receive(reply);
    constexpr std::string_view kLength = "Content-Length: ";
    const size_t length = reply.find(kLength);
    if (!reply.starts_with("HTTP/1.1 200") || length > end) fail(reply);
    const size_t size = end + 4 + std::strtoul(reply.c_str() + length + kLength.size(), nullptr, 10);
    while (reply.size() < size) receive(reply);
    return reply.substr(end + 4);
  }

 private:
  void receive(std::string& reply) {
    char bytes[16'384];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) fail("the server hung up");
    reply.append(bytes, static_cast<size_t>(got));
  }

  int socket_;
};

}  // namespace perennial::bench
