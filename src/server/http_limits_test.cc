// What the sockets refuse: too large, too slow, too many, not HTTP; and what they must not trip over.
#include <zlib.h>

#include <future>
#include <thread>

#include "server/test_server.h"

namespace perennial {
namespace {

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class LimitsTest : public HttpTest {
 protected:
  void SetUp() override {
    options_.limits.connections = 4;
    start();
  }

  std::string chunked(const std::string& body) {
    std::string text = "POST /v1/track HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key_ +
                       "\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (size_t at = 0; at < body.size(); at += 1000) {
      const std::string chunk = body.substr(at, 1000);
      text += fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
    }
    return text + "0\r\n\r\n";
  }
};

const std::string kEvent = R"({"userId":"u","event":"Product Viewed","properties":{"product_id":"a"}})";

TEST_F(LimitsTest, PipelinedRequestsAreAnsweredInOrder) {
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string event =
        R"({"userId":"u)" + std::to_string(i) + R"(","event":"Product Viewed","properties":{"product_id":"a"}})";
    all += client_->request_text("POST", "/v1/track", event, {{"X-Request-Id", "r" + std::to_string(i)}});
  }
  client_->send_raw(all);
  for (int i = 0; i < 20; ++i) {
    const TestReply reply = client_->read_reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("x-request-id"), "r" + std::to_string(i));
  }
}

TEST_F(LimitsTest, ClientThatReadsLateGetsEveryReplyWhole) {
  const std::string document = get("/openapi.json").body;
  std::string all;
  for (int i = 0; i < 400; ++i) all += client_->request_text("GET", "/openapi.json", "", {});
  client_->send_raw(all);  // replies of some 20 MB, more than sockets hold
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(client_->read_reply().body == document) << i;
}

TEST_F(LimitsTest, TooLargeEventIs413AndTheReplyArrivesThoughTheBodyWasNotRead) {
  const std::string large =
      R"({"userId":"u","event":"e","properties":{"note":")" + std::string(2'000'000, 'x') + "\"}}";
  const TestReply reply = post("/v1/track", large);
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.text("code"), "too_large");
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_TRUE(client_->at_end());
}

TEST_F(LimitsTest, TooLargeChunkedBodyIs413) {
  TestClient client(server_->port());
  client.send_raw(chunked(std::string(40'000, ' ') + kEvent));
  EXPECT_EQ(client.read_reply().status, 413);
}

TEST_F(LimitsTest, ChunkedBodyIsTaken) {
  TestClient client(server_->port());
  client.send_raw(chunked(std::string(3000, ' ') + kEvent));
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST_F(LimitsTest, GzipBodyIsTakenAndABombIsNot) {
  const std::map<std::string, std::string> encoding{{"Content-Encoding", "gzip"}};
  EXPECT_EQ(client_->send("POST", "/v1/track", gzip(kEvent), encoding).status, 200);
  const TestReply bomb = client_->send("POST", "/v1/track", gzip(std::string(20'000'000, ' ')), encoding);
  EXPECT_EQ(bomb.status, 413) << bomb.body;
  EXPECT_EQ(client_->send("POST", "/v1/track", "not gzip at all", encoding).status, 400);
  std::string cut = gzip(kEvent);
  cut.resize(cut.size() - 6);
  EXPECT_EQ(client_->send("POST", "/v1/track", cut, encoding).status, 400);
  EXPECT_EQ(client_->send("POST", "/v1/track", gzip(kEvent) + "more", encoding).status, 400);
  EXPECT_EQ(client_->send("POST", "/v1/track", kEvent, {{"Content-Encoding", "br"}}).status, 415);
}

TEST_F(LimitsTest, HeaderOverTheLimitIs431) {
  TestClient client(server_->port());
  client.send_raw(client.request_text("GET", "/healthz", "", {{"X-Long", std::string(20'000, 'x')}}));
  EXPECT_EQ(client.read_reply().status, 431);
}

TEST_F(LimitsTest, WhatIsNotHttpIs400) {
  for (const char* text :
       {"hello there\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /healthz HTTP/1.1\r\nBad Header\r\n\r\n",
        "POST /v1/track HTTP/1.1\r\nContent-Length: -4\r\n\r\n",
        "POST /v1/track HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    TestClient client(server_->port());
    client.send_raw(text);
    EXPECT_EQ(client.read_reply().status, 400) << text;
    EXPECT_TRUE(client.at_end());
  }
}

TEST_F(LimitsTest, StrangersBodyIsNotRead) {
  TestClient client(server_->port());
  client.send_raw("POST /v1/items HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 401) << "answered before a byte of the body was sent";
}

TEST_F(LimitsTest, RefusedSmallBodyLeavesTheConnectionInStep) {
  EXPECT_EQ(post("/nothing", "{}").status, 404);
  EXPECT_EQ(client_->send("PUT", "/v1/track", kEvent).status, 405);
  EXPECT_EQ(client_->send("POST", "/v1/track", kEvent, {{"Authorization", "Bearer wrong"}}).status, 401);
  EXPECT_EQ(post("/v1/track", kEvent).status, 200);
}

TEST_F(LimitsTest, BodyWhereNoneBelongsIsRefused) { EXPECT_EQ(client_->send("GET", "/healthz", "body").status, 413); }

TEST_F(LimitsTest, ExpectContinueIsAnsweredBeforeTheBody) {
  TestClient client(server_->port());
  const std::string request = client.request_text("POST", "/v1/track", kEvent,
                                                  {{"Expect", "100-continue"}, {"Authorization", "Bearer " + key_}});
  client.send_raw(request.substr(0, request.size() - kEvent.size()));
  EXPECT_EQ(client.read_reply().status, 100);
  client.send_raw(kEvent);
  EXPECT_EQ(client.read_reply().status, 200);
}

class ShortPatienceTest : public HttpTest {
 protected:
  void SetUp() override {
    options_.limits.idle_seconds = 0.3;
    options_.limits.header_seconds = 0.3;
    options_.limits.body_seconds = 0.3;
    options_.limits.write_seconds = 0.3;
    start();
  }
};

TEST_F(ShortPatienceTest, ClientThatSendsByteAfterByteIsClosedInTime) {
  const std::string body(200, ' ');
  for (const std::string& begin :
       {std::string(), "POST /v1/track HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key_ +
                           "\r\nContent-Length: 1000\r\n\r\n"}) {
    TestClient client(server_->port());
    client.send_raw(begin);
    const double started = monotonic_seconds();
    bool open = true;
    while (open && monotonic_seconds() - started < 20) {
      open = client.send_raw("G");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    EXPECT_FALSE(open) << (begin.empty() ? "header" : "body");
  }
}

TEST_F(ShortPatienceTest, ClientThatTakesNoReplyIsClosed) {
  TestClient client(server_->port());
  std::string all;
  for (int i = 0; i < 400; ++i) all += client.request_text("GET", "/openapi.json", "", {});
  client.send_raw(all);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  int replies = 0;
  while (client.read_reply().status == 200) ++replies;
  EXPECT_LT(replies, 400) << "what had been written, and no more";
}

TEST_F(ShortPatienceTest, SilentClientIsClosed) { EXPECT_TRUE(client_->at_end()); }

TEST_F(ShortPatienceTest, ClientThatStopsInItsHeaderOrBodyIsClosed) {
  TestClient header(server_->port());
  header.send_raw("GET /healthz HTTP/1.1\r\nHos");
  EXPECT_TRUE(header.at_end());
  TestClient body(server_->port());
  const std::string request = body.request_text("POST", "/v1/track", kEvent, {{"Authorization", "Bearer " + key_}});
  body.send_raw(request.substr(0, request.size() - 1));
  EXPECT_TRUE(body.at_end());
  EXPECT_FALSE(server_->engine().user("u", 1).ok()) << "half an event is none";
}

TEST_F(LimitsTest, ConnectionsOverTheLimitAreToldToComeLater) {
  std::vector<std::unique_ptr<TestClient>> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(std::make_unique<TestClient>(server_->port()));
    ASSERT_EQ(held.back()->send("GET", "/healthz").status, 200);
  }
  ASSERT_EQ(get("/healthz").status, 200);
  TestClient fifth(server_->port());
  const TestReply reply = fifth.read_reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.header("retry-after"), "1");
  EXPECT_TRUE(fifth.at_end());
}

TEST_F(LimitsTest, Http10ConnectionIsClosedAfterItsReply) {
  TestClient client(server_->port());
  client.send_raw("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_TRUE(client.at_end());
}

class FullQueueTest : public HttpTest {
 protected:
  void SetUp() override {
    options_.engine.log.queue_limit_records = 2;
    start();
  }
};

TEST_F(FullQueueTest, IsToldToComeLaterAndNothingOfItIsKept) {
  const auto record = [&](const char* user) {
    return Record{random_message_id(), clock_.now_ms(), user, "a", "Product Viewed", Event{}};
  };
  std::promise<void> holding;
  std::promise<void> release;
  server_->engine().post({record("x")}, [&](const Result<AppendOutcome>&) {
    holding.set_value();
    release.get_future().wait();
  });
  holding.get_future().wait();
  std::promise<void> drained;
  server_->engine().post({record("x"), record("x")}, [&](const Result<AppendOutcome>& outcome) {
    EXPECT_TRUE(outcome.ok());
    drained.set_value();
  });
  const TestReply reply = view("u", "a");
  EXPECT_EQ(reply.status, 429) << reply.body;
  EXPECT_EQ(reply.header("retry-after"), "1");
  EXPECT_EQ(get("/v1/users/u").status, 404);
  EXPECT_EQ(get("/healthz").status, 200) << "a log that does not move holds up no reader";
  release.set_value();
  drained.get_future().wait();
  EXPECT_EQ(view("u", "a").status, 200);
}

TEST(ServingThreads, AreOneACoreAndMoreThatShareScansOfALargeCatalogue) {
  EXPECT_EQ(serving_threads(3, 1'000'000, 8), 3);
  EXPECT_EQ(serving_threads(0, 0, 2), 2);
  EXPECT_EQ(serving_threads(0, 99'999, 8), 8);
  EXPECT_EQ(serving_threads(0, 100'000, 1), 16);
  EXPECT_EQ(serving_threads(0, 100'000, 4), 32);
  EXPECT_EQ(serving_threads(0, 100'000, 128), 64);
  EXPECT_EQ(serving_threads(0, 10, 128), 64);
}

}  // namespace
}  // namespace perennial
