// For the tests over HTTP: a server on a free loopback port over a folder of its own, and a blocking client that can
// also send what no well-behaved client would.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "server/server.h"

namespace perennial {

struct TestReply {
  int status = 0;                              // 0: the connection ended without a reply
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  [[nodiscard]] json::object object() const {
    const Result<json::object> parsed = parse_json_object(body);
    EXPECT_TRUE(parsed.ok()) << "not a JSON object: " << body;
    return parsed.ok() ? *parsed : json::object();
  }
  [[nodiscard]] std::string text(std::string_view field) const {
    const json::object parsed = object();
    const json::value* value = parsed.if_contains(field);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  }
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

class TestClient {
 public:
  explicit TestClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  ~TestClient() { ::close(socket_); }

  [[nodiscard]] bool connected() const { return connected_; }

  /// Sent with every request of send(): "Bearer KEY".
  void set_authorization(std::string value) { authorization_ = std::move(value); }

  bool send_raw(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  [[nodiscard]] std::string request_text(const std::string& method, const std::string& target,
                                         std::string_view body = {},
                                         const std::map<std::string, std::string>& headers = {}) const {
    std::string text = method + " " + target + " HTTP/1.1\r\n";
    std::map<std::string, std::string> all{{"Host", "localhost"}};
    if (!authorization_.empty()) all["Authorization"] = authorization_;
    if (!body.empty()) all["Content-Length"] = std::to_string(body.size());
    for (const auto& [name, value] : headers) all[name] = value;
    for (const auto& [name, value] : all) {
      if (!value.empty()) text += name + ": " + value + "\r\n";
    }
    return text.append("\r\n").append(body);
  }

  TestReply send(const std::string& method, const std::string& target, std::string_view body = {},
                 const std::map<std::string, std::string>& headers = {}) {
    send_raw(request_text(method, target, body, headers));
    return read_reply(method == "HEAD");
  }

  TestReply read_reply(bool head = false) {
    TestReply reply;
    size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return reply;
    }
    std::string header = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    reply.status = std::atoi(header.substr(9, 3).c_str());
    header.erase(0, header.find("\r\n") + 2);
    while (!header.empty()) {
      const size_t line_end = header.find("\r\n");
      const size_t colon = header.find(':');
      std::string name = header.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) { return std::tolower(letter); });
      reply.headers[name] = header.substr(colon + 2, line_end - colon - 2);
      header.erase(0, line_end + 2);
    }
    const size_t size = head ? 0 : static_cast<size_t>(std::atoll(reply.header("content-length").c_str()));
    while (received_.size() < size) {
      if (!receive()) return {};
    }
    reply.body = received_.substr(0, size);
    received_.erase(0, size);
    return reply;
  }

  /// True when the server has closed the connection and nothing is left to read.
  bool at_end() {
    char byte = 0;
    const ssize_t got = received_.empty() ? ::recv(socket_, &byte, 1, 0) : 1;
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }

 private:
  bool receive() {
    char buffer[4096];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    received_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::string authorization_;
  std::string received_;
};

/// A running server over its own folder, and its admin key.
class HttpTest : public testing::Test {
 protected:
  void SetUp() override { start(); }

  static ServerOptions test_options() {
    ServerOptions options;
    options.engine.stages = preset("e-commerce").value();
    options.port = 0;
    options.api.access_log = AccessLog::off;
    return options;
  }

  void start() {
    options_.engine.data_folder = folder_.path();
    Result<std::unique_ptr<Server>> started = Server::start(options_, clock_);
    ASSERT_TRUE(started.ok()) << started.status().message();
    server_ = std::move(started).value();
    if (!server_->first_key().empty()) key_ = server_->first_key();
    client_.emplace(server_->port());
    client_->set_authorization("Bearer " + key_);
  }

  void restart() {
    stop();
    start();
  }

  void stop() {
    client_.reset();
    const Status stopped = server_->stop();
    ASSERT_TRUE(stopped.ok()) << stopped.message();
    server_.reset();
  }

  TestReply get(const std::string& target) { return client_->send("GET", target); }
  TestReply post(const std::string& target, std::string_view body) { return client_->send("POST", target, body); }
  TestReply view(const std::string& user, const std::string& item, const std::string& more = "") {
    return post("/v1/track", R"({"userId":")" + user + R"(","event":"Product Viewed","properties":{"product_id":")" +
                                 item + "\"" + more + "}}");
  }

  /// Ids of the items that are recommended to the user.
  std::vector<std::string> recommended(const std::string& user) {
    std::vector<std::string> ids;
    const TestReply reply = get("/v1/recommend?count=100&user_id=" + user);
    EXPECT_EQ(reply.status, 200) << reply.body;
    const json::object body = reply.object();
    for (const json::value& item : body.at("items").as_array()) ids.emplace_back(item.at("item_id").as_string());
    return ids;
  }

  TemporaryFolder folder_;
  SystemClock clock_;
  ServerOptions options_ = test_options();
  std::unique_ptr<Server> server_;
  std::string key_;
  std::optional<TestClient> client_;
};

inline testing::AssertionResult has(const std::string& text, std::string_view part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no '" << part << "' in: " << text;
}

inline bool holds(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace perennial
