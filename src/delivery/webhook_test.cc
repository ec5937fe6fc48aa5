#include "delivery/webhook.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <functional>
#include <thread>

#include "delivery/signature.h"

namespace perennial {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

constexpr milliseconds kPatience(400);

/// A server on loopback that reads one request a connection and then does as it is told with the socket.
class Receiver {
 public:
  using Answer = std::function<void(tcp::socket&)>;

  explicit Receiver(Answer answer)
      : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}), answer_(std::move(answer)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~Receiver() {
    stopping_ = true;
    boost::system::error_code ignored;
    tcp::socket wake(context_);
    (void)wake.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  [[nodiscard]] WebhookTarget target() const {
    return parse_webhook_url(fmt::format("http://127.0.0.1:{}/hooks?shop=1", acceptor_.local_endpoint().port()))
        .value();
  }
  [[nodiscard]] const std::string& request() const { return request_; }  // once it has been answered

 private:
  void serve() {
    while (true) {
      tcp::socket socket(context_);
      acceptor_.accept(socket);
      if (stopping_) return;
      request_.clear();
      boost::system::error_code error;
      const size_t head = asio::read_until(socket, asio::dynamic_buffer(request_), "\r\n\r\n", error);
      const size_t length_at = request_.find("Content-Length: ");
      if (!error && length_at != std::string::npos) {
        const size_t length = std::stoul(request_.substr(length_at + 16));
        while (!error && request_.size() < head + length) {
          char more[1024];
          request_.append(more, socket.read_some(asio::buffer(more), error));
        }
      }
      answer_(socket);
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  Answer answer_;
  std::string request_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

Receiver::Answer says(std::string text) {
  return [text](tcp::socket& socket) {
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(text), ignored);
  };
}

HandoverResult hand_over_to(Receiver& receiver, const std::string& body = R"({"action":"letter"})") {
  const FakeClock clock(1'700'000'000'000);
  return Webhook(receiver.target(), "secret", kPatience, clock).hand_over({"key-1", body});
}

HandoverResult answered(const std::string& text) {
  Receiver receiver(says(text));
  return hand_over_to(receiver);
}

TEST(Webhook, IsSignedAndCarriesItsKey) {
  Receiver receiver(says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  const HandoverResult result = hand_over_to(receiver);
  EXPECT_EQ(result.handover, Handover::delivered) << result.reason;
  const std::string& request = receiver.request();
  EXPECT_TRUE(request.starts_with("POST /hooks?shop=1 HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Idempotency-Key: key-1\r\n"), std::string::npos);
  EXPECT_NE(request.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(request.find("Perennial-Signature: " + signature_of("secret", 1'700'000'000'000, R"({"action":"letter"})") +
                         "\r\n"),
            std::string::npos);
  EXPECT_TRUE(request.ends_with("\r\n\r\n{\"action\":\"letter\"}")) << request;
}

TEST(Webhook, TheAnswerSaysWhatBecomesOfIt) {
  const std::pair<const char*, Handover> answers[] = {
      {"200 OK", Handover::delivered},         {"202 Accepted", Handover::delivered},
      {"204 No Content", Handover::delivered}, {"500 Internal Server Error", Handover::again},
      {"503 Busy", Handover::again},           {"429 Slow Down", Handover::again},
      {"408 Timeout", Handover::again},        {"425 Too Early", Handover::again},
      {"400 Bad Request", Handover::refused},  {"401 Who", Handover::refused},
      {"410 Gone", Handover::refused},         {"301 Moved", Handover::refused}};
  for (const auto& [status, handover] : answers) {
    const HandoverResult result = answered(fmt::format("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", status));
    EXPECT_EQ(result.handover, handover) << status;
    EXPECT_EQ(result.reason.empty(), handover == Handover::delivered) << status;
  }
}

TEST(Webhook, HeedsRetryAfter) {
  EXPECT_EQ(answered("HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n").retry_after_ms, 7000);
  EXPECT_EQ(answered("HTTP/1.1 503 No\r\nRetry-After: 99999999\r\nContent-Length: 0\r\n\r\n").retry_after_ms,
            24 * 3600 * 1000);
  for (const char* text : {"-5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"})
    EXPECT_EQ(
        answered(fmt::format("HTTP/1.1 429 No\r\nRetry-After: {}\r\nContent-Length: 0\r\n\r\n", text)).retry_after_ms,
        std::nullopt);
}

TEST(Webhook, AnAnswerThatIsNotWholeIsNone) {
  const char* const broken[] = {"",                                                   // closes without a word
                                "HTTP/1.1 200",                                       // half a line
                                "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",  // less than it said
                                "220 mail.example.com ESMTP\r\n",                     // another protocol
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"};
  for (const char* text : broken) {
    const HandoverResult result = answered(text);
    EXPECT_EQ(result.handover, Handover::again) << text;
    EXPECT_FALSE(result.reason.empty());
  }
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n").handover, Handover::again) << "too large";
}

TEST(Webhook, OneThatHangsIsGivenUp) {
  Receiver silent([](tcp::socket& socket) {
    std::this_thread::sleep_for(kPatience + milliseconds(300));
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), ignored);
  });
  const HandoverResult result = hand_over_to(silent);
  EXPECT_EQ(result.handover, Handover::again);
  EXPECT_EQ(result.reason, "no answer within 400 ms");
}

TEST(Webhook, OneThatDripsIsGivenUp) {
  Receiver slow([](tcp::socket& socket) {
    boost::system::error_code error;
    for (const char c : std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
      asio::write(socket, asio::buffer(&c, 1), error);
      if (error) return;
      std::this_thread::sleep_for(milliseconds(30));
    }
  });
  EXPECT_EQ(hand_over_to(slow).handover, Handover::again);
}

TEST(Webhook, NobodyThereIsAnotherTime) {
  uint16_t port = 0;
  {
    asio::io_context context;
    port = tcp::acceptor(context, {asio::ip::address_v4::loopback(), 0}).local_endpoint().port();
  }
  const FakeClock clock(0);
  Webhook webhook(parse_webhook_url(fmt::format("http://localhost:{}", port)).value(), "s", kPatience, clock);
  EXPECT_EQ(webhook.hand_over({"k", "{}"}).handover, Handover::again);
}

TEST(Webhook, AddressesAreReadOrRefused) {
  const WebhookTarget target = parse_webhook_url("https://example.com/a/b?x=1").value();
  EXPECT_TRUE(target.tls);
  EXPECT_EQ(target.host, "example.com");
  EXPECT_EQ(target.port, "443");
  EXPECT_EQ(target.path, "/a/b?x=1");
  EXPECT_EQ(parse_webhook_url("https://example.com:8443")->port, "8443");
  EXPECT_EQ(parse_webhook_url("https://example.com?x=1")->path, "/?x=1");
  EXPECT_EQ(parse_webhook_url("http://[::1]:81/h")->host, "::1");
  EXPECT_EQ(parse_webhook_url("http://[::1]:81/h")->port, "81");
  const std::pair<const char*, const char*> wrong[] = {
      {"ftp://example.com", "a webhook's address starts with https://, not 'ftp://example.com'"},
      {"example.com", "a webhook's address starts with https://, not 'example.com'"},
      {"http://example.com", "a webhook beyond this machine is https://, for what it carries is of users"},
      {"http://127.0.0.1.example.com", "a webhook beyond this machine is https://, for what it carries is of users"},
      {"https://u:p@example.com", "a webhook's address holds no user and password: it is signed instead"},
      {"https://example.com:0", "a webhook's port is from 1 to 65,535, not '0'"},
      {"https://", "'https://' is no address of a webhook: want one such as https://example.com/hooks"},
      {"https://example.com/a b",
       "'https://example.com/a b' is no address of a webhook: want one such as "
       "https://example.com/hooks"}};
  for (const auto& [url, message] : wrong) EXPECT_EQ(parse_webhook_url(url).status().message(), message);
}

}  // namespace
}  // namespace perennial
