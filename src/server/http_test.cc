// Every route over a loopback socket: what it does, and what it says to bad input.
#include <openssl/evp.h>

#include <set>
#include <thread>

#include "server/openapi.h"
#include "server/test_server.h"

namespace perennial {
namespace {

std::string basic_of(const std::string& text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  encoded.resize(static_cast<size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                                     reinterpret_cast<const unsigned char*>(text.data()),
                                                     static_cast<int>(text.size()))));
  return encoded;
}

TEST_F(HttpTest, HealthAndReadinessNeedNoKey) {
  TestClient stranger(server_->port());
  EXPECT_EQ(stranger.send("GET", "/healthz").status, 200);
  const TestReply ready = stranger.send("GET", "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.text("status"), "ready");
  EXPECT_EQ(stranger.send("GET", "/openapi.json").status, 200);
}

TEST_F(HttpTest, EverythingElseNeedsAKey) {
  TestClient stranger(server_->port());
  for (const Route& route : server_->api().router().routes()) {
    if (!route.role) continue;
    const std::string body = route.method == "POST" ? "{}" : "";
    const TestReply reply = TestClient(server_->port()).send(route.method, route.path, body);
    EXPECT_EQ(reply.status, 401) << route.method << " " << route.path << ": " << reply.body;
    EXPECT_EQ(reply.text("code"), "unauthenticated");
    stranger.set_authorization("Bearer prn_0000");
  }
  EXPECT_EQ(stranger.send("GET", "/metrics").status, 401);
}

TEST_F(HttpTest, KeyIsTakenAsBearerAsBasicUserAndInABrowsersBody) {
  TestClient client(server_->port());
  const std::string event = R"({"userId":"u","event":"Product Viewed","properties":{"product_id":"p"})";
  client.set_authorization("Bearer " + key_);
  EXPECT_EQ(client.send("POST", "/v1/track", event + "}").status, 200);
  EXPECT_EQ(client.send("POST", "/v1/t", event + "}", {{"Authorization", "Basic " + basic_of(key_ + ":")}}).status,
            200);
  EXPECT_EQ(client
                .send("POST", "/v1/t", event + R"(,"writeKey":")" + key_ + "\"}",
                      {{"Authorization", ""}, {"Content-Type", "text/plain"}})
                .status,
            200);
  EXPECT_EQ(client.send("POST", "/v1/t", event + R"(,"writeKey":"wrong"})", {{"Authorization", ""}}).status, 401);
  EXPECT_EQ(client.send("POST", "/v1/t", event + "}", {{"Authorization", "Basic !!!"}}).status, 401);
}

TEST_F(HttpTest, RolesKeepABrowsersKeyFromReading) {
  const Result<std::string> write = server_->keys()->create("web page", KeyRole::write, 0);
  const Result<std::string> read = server_->keys()->create("shop", KeyRole::read, 0);
  ASSERT_TRUE(write.ok() && read.ok());
  client_->set_authorization("Bearer " + *write);
  EXPECT_EQ(view("u", "p").status, 200);
  EXPECT_EQ(get("/v1/recommend?user_id=u").status, 403);
  EXPECT_EQ(get("/v1/users/u").status, 403);
  client_->set_authorization("Bearer " + *read);
  EXPECT_EQ(get("/v1/recommend?user_id=u").status, 200);
  EXPECT_EQ(view("u", "p").status, 403);
  EXPECT_EQ(client_->send("DELETE", "/v1/users/u").status, 403);
  EXPECT_EQ(post("/v1/items", R"({"item_id":"p"})").status, 403);
}

TEST_F(HttpTest, KeyMadeByAnotherProcessIsTakenUpAndARevokedOneIsNot) {
  const Result<std::unique_ptr<ApiKeys>> other = ApiKeys::open(folder_.path());
  ASSERT_TRUE(other.ok());
  const Result<std::string> key = (*other)->create("by hand", KeyRole::read, 0);
  ASSERT_TRUE(key.ok());
  client_->set_authorization("Bearer " + *key);
  EXPECT_EQ(get("/metrics").status, 401);
  server_->reload_keys();
  EXPECT_EQ(get("/metrics").status, 200);
  ASSERT_TRUE((*other)->revoke((*other)->list().back().id).ok());
  server_->reload_keys();
  EXPECT_EQ(get("/metrics").status, 401);
}

TEST_F(HttpTest, EverySegmentCallIsTaken) {
  const std::pair<const char*, const char*> calls[] = {
      {"/v1/track", R"({"userId":"u","event":"Product Viewed","properties":{"product_id":"p"}})"},
      {"/v1/identify", R"({"userId":"u","traits":{"plan":"pro"}})"},
      {"/v1/page", R"({"userId":"u","name":"Home"})"},
      {"/v1/screen", R"({"userId":"u","name":"Home"})"},
      {"/v1/group", R"({"userId":"u","groupId":"g","traits":{"size":3}})"},
      {"/v1/alias", R"({"userId":"u","previousId":"before"})"},
      {"/v1/t", R"({"userId":"u","event":"Product Viewed","properties":{"product_id":"p"}})"},
      {"/v1/i", R"({"userId":"u","traits":{"plan":"pro"}})"},
      {"/v1/p", R"({"userId":"u","name":"Home"})"},
      {"/v1/s", R"({"userId":"u","name":"Home"})"},
      {"/v1/g", R"({"userId":"u","groupId":"g"})"},
      {"/v1/a", R"({"userId":"u","previousId":"before2"})"},
  };
  for (const auto& [path, body] : calls) {
    const TestReply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << path << ": " << reply.body;
    EXPECT_EQ(reply.object().at("success"), true);
  }
  const json::object user = get("/v1/users/u").object();
  EXPECT_EQ(user.at("traits").at("plan"), "pro");
  EXPECT_EQ(user.at("event_counts").at("Product Viewed"), 2);
  EXPECT_EQ(get("/v1/users/before").text("user_id"), "u");
}

TEST_F(HttpTest, BadEventsAreToldWhatIsWrong) {
  const std::string bomb = std::string(5000, '[') + std::string(5000, ']');
  struct Bad {
    std::string body;
    const char* said;
  };
  const Bad bad[] = {
      {"", "JSON"},
      {"{", "JSON"},
      {"[]", "object"},
      {R"({"userId":"u"} x)", "byte 15"},
      {R"({"userId":"u","event":"e","properties":)" + bomb + "}", "32 levels"},
      {"{\"userId\":\"\xFF\xFE\",\"event\":\"e\"}", "JSON"},
      {R"({"event":"Product Viewed"})", "userId"},
      {R"({"userId":"u"})", "event"},
      {R"({"userId":{"a":1},"event":"e"})", "userId"},
      {R"({"userId":"u","event":"e","properties":7})", "properties"},
      {R"({"userId":"u","event":"e","timestamp":"yesterday"})", "timestamp"},
      {R"({"userId":"a\u0000b","event":"e"})", "control"},
  };
  for (const Bad& each : bad) {
    const TestReply reply = post("/v1/track", each.body);
    EXPECT_EQ(reply.status, 400) << each.body.substr(0, 80) << ": " << reply.body;
    EXPECT_EQ(reply.header("content-type"), "application/problem+json");
    EXPECT_EQ(reply.text("code"), "invalid_argument");
    EXPECT_TRUE(has(reply.text("detail"), each.said)) << each.body.substr(0, 80);
  }
  EXPECT_EQ(get("/v1/users/u").status, 404) << "a bad event left something behind";
}

TEST_F(HttpTest, BatchKeepsTheGoodMessagesOfABadLot) {
  const TestReply reply = post("/v1/batch", R"({"batch":[
      {"type":"track","userId":"u","event":"Product Viewed","properties":{"product_id":"a"}},
      {"type":"track","event":"Product Viewed"},
      17,
      {"type":"dance","userId":"u"},
      {"type":"track","userId":"u","event":"Product Viewed","properties":{"product_id":"b"}}]})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  const json::object body = reply.object();
  EXPECT_EQ(body.at("accepted"), 2);
  ASSERT_EQ(body.at("rejected").as_array().size(), 3u);
  EXPECT_EQ(body.at("rejected").as_array()[0].at("index"), 1);
  EXPECT_EQ(body.at("rejected").as_array()[1].at("index"), 2);
  EXPECT_EQ(body.at("rejected").as_array()[2].at("index"), 3);
  EXPECT_EQ(get("/v1/users/u").object().at("history").as_array().size(), 2u);
}

TEST_F(HttpTest, BatchWithoutAGoodMessageIs400) {
  const TestReply reply = post("/v1/batch", R"({"batch":[{"type":"track"},{}]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.object().at("rejected").as_array().size(), 2u);
  EXPECT_EQ(post("/v1/batch", R"({"batch":[]})").status, 400);
  EXPECT_EQ(post("/v1/batch", R"({"batch":"x"})").status, 400);
  EXPECT_EQ(post("/v1/batch", R"({})").status, 400);
}

TEST_F(HttpTest, BatchThatWouldGrowByItsContextIsRefused) {
  const std::string context = R"("context":{"page":")" + std::string(40'000, 'x') + R"("})";
  EXPECT_EQ(post("/v1/batch", R"({"batch":[{},{}],)" + context + "}").status, 413);
  std::string many = "{}";
  for (int i = 0; i < 10'000; ++i) many += ",{}";
  EXPECT_EQ(post("/v1/batch", R"({"batch":[)" + many + "]}").status, 413);
}

TEST_F(HttpTest, OversizedMessageOfABatchIsRejectedAlone) {
  const std::string large(40'000, 'x');
  const TestReply reply = post("/v1/batch", R"({"batch":[
      {"type":"track","userId":"u","event":"Product Viewed","properties":{"product_id":"a"}},
      {"type":"track","userId":"u","event":"Product Viewed","properties":{"product_id":"b","note":")" +
                                                large + R"("}}]})");
  EXPECT_EQ(reply.status, 200);
  ASSERT_EQ(reply.object().at("rejected").as_array().size(), 1u);
  EXPECT_EQ(reply.object().at("rejected").as_array()[0].at("code"), "too_large");
}

TEST_F(HttpTest, RepeatedMessageIdIsANoOp) {
  const std::string event =
      R"({"messageId":"m1","userId":"u","event":"Product Viewed","properties":{"product_id":"a"}})";
  EXPECT_EQ(post("/v1/track", event).object().at("records"), 1);
  const TestReply again = post("/v1/track", event);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.object().at("records"), 0);
  EXPECT_EQ(again.object().at("repeated"), 1);
  EXPECT_EQ(get("/v1/users/u").object().at("event_counts").at("Product Viewed"), 1);
}

TEST_F(HttpTest, PostedEventChangesTheVeryNextRecommendation) {
  for (const char* item : {"a", "b", "c"})
    ASSERT_EQ(post("/v1/items", R"({"item_id":")" + std::string(item) + "\"}").status, 200);
  for (int i = 0; i < 50; ++i) {
    const std::string user = "u" + std::to_string(i);
    ASSERT_EQ(recommended(user).size(), 3u);
    ASSERT_EQ(view(user, "b").status, 200);
    const std::vector<std::string> after = recommended(user);
    ASSERT_EQ(after.size(), 2u);
    ASSERT_FALSE(holds(after, "b"));
  }
  EXPECT_EQ(get("/v1/recommend?user_id=u0&exclude_seen=false&count=100").object().at("items").as_array().size(), 3u);
}

TEST_F(HttpTest, RecommendationTellsWhatItIs) {
  ASSERT_EQ(post("/v1/items", R"({"item_id":"a","title":"Anvil","price":12.5,"currency":"EUR","secret":1})").status,
            200);
  const TestReply reply = post("/v1/recommend", R"({"user_id":"u","surface":"home","count":1,"explain":true,
      "context":{"time":"2026-03-01T20:15:00+02:00","device":"phone","place":{"city":"Oslo"}}})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json::object body = reply.object();
  EXPECT_FALSE(reply.text("recommendation_id").empty());
  EXPECT_EQ(body.at("model"), "none");
  EXPECT_EQ(body.at("fallback"), "no_model");
  EXPECT_TRUE(body.at("took_ms").is_number());
  const json::object& item = body.at("items").as_array().at(0).as_object();
  EXPECT_EQ(item.at("item_id"), "a");
  EXPECT_EQ(item.at("title"), "Anvil");
  EXPECT_EQ(item.at("price"), 12.5);
  EXPECT_TRUE(item.at("reasons").is_array());
  EXPECT_EQ(item.if_contains("secret"), nullptr);
}

TEST_F(HttpTest, BadRecommendRequestsAreToldWhatIsWrong) {
  const std::pair<const char*, const char*> bad[] = {
      {"{", "JSON"},
      {"[]", "object"},
      {R"({"userid":"u"})", "unknown field 'userid'"},
      {R"({"context":{"wether":{}}})", "unknown field 'wether' in context"},
      {R"({"count":0})", "from 1 to 500"},
      {R"({"count":501})", "from 1 to 500"},
      {R"({"count":"many"})", "count"},
      {R"({"explain":"yes"})", "explain"},
      {R"({"user_id":["u"]})", "user_id"},
      {R"({"context":5})", "context"},
      {R"({"context":{"time":"soon"}})", "context.time"},
      {R"({"context":{"place":"Oslo"}})", "context.place"},
  };
  for (const auto& [body, said] : bad) {
    const TestReply reply = post("/v1/recommend", body);
    EXPECT_EQ(reply.status, 400) << body << ": " << reply.body;
    EXPECT_TRUE(has(reply.text("detail"), said)) << body;
  }
  EXPECT_EQ(get("/v1/recommend?user=u").status, 400);
  EXPECT_EQ(get("/v1/recommend?count=x").status, 400);
  EXPECT_EQ(get("/v1/recommend?explain=1").status, 400);
  EXPECT_EQ(get("/v1/recommend?user_id=%FF").status, 400);
  EXPECT_EQ(get("/v1/recommend?user_id=" + std::string(300, 'u')).status, 400);
}

TEST_F(HttpTest, SlateIsReadBackWithItsFeedbackAlsoAfterARestart) {
  ASSERT_EQ(post("/v1/items", R"([{"item_id":"a"},{"item_id":"b"}])").status, 200);
  const TestReply slate = post("/v1/recommend", R"({"user_id":"u","surface":"home","context":{"device":"tv"}})");
  const std::string id = slate.text("recommendation_id");
  const std::string credit = R"(,"recommendation_id":")" + id + "\"";
  ASSERT_EQ(view("u", "a", credit).status, 200);
  ASSERT_EQ(
      post("/v1/track", R"({"userId":"u","event":"Order Completed","properties":{"order_id":"o","currency":"EUR")" +
                            credit + R"(,"products":[{"product_id":"a","price":3,"quantity":1}]}})")
          .status,
      200);
  const auto check = [&](const json::object& served) {
    EXPECT_EQ(served.at("surface"), "home");
    EXPECT_EQ(served.at("user_id"), "u");
    EXPECT_EQ(served.at("context").at("device"), "tv");
    EXPECT_EQ(served.at("items").as_array().size(), 2u);
    EXPECT_EQ(served.at("items").as_array()[0].at("propensity"), 1.0);
    const json::array& feedback = served.at("feedback").as_array();
    ASSERT_EQ(feedback.size(), 2u);
    EXPECT_EQ(feedback[0].at("kind"), "click");
    EXPECT_EQ(feedback[0].at("item_id"), "a");
    EXPECT_EQ(feedback[1].at("kind"), "order");
  };
  check(get("/v1/recommendations/" + id).object());
  const std::string metrics = get("/metrics").body;
  EXPECT_TRUE(has(metrics, R"(perennial_feedback_total{kind="click",source="popular"} 1)"));
  EXPECT_TRUE(has(metrics, R"(perennial_feedback_total{kind="order",source="popular"} 1)"));
  restart();
  check(get("/v1/recommendations/" + id).object());
  options_.engine.slates.recent = 0;
  restart();
  check(get("/v1/recommendations/" + id).object());
  EXPECT_EQ(get("/v1/recommendations/unheard-of").status, 404);
}

TEST_F(HttpTest, SlateIsKeptWithWhatAnEvaluationNeeds) {
  ASSERT_EQ(post("/v1/items", R"({"item_id":"a"})").status, 200);
  const std::string id = post("/v1/recommend", R"({"user_id":"u","surface":"home"})").text("recommendation_id");
  stop();
  std::vector<Slate> slates;
  ASSERT_TRUE(read_slates(folder_.path(), 0, INT64_MAX, [&](const Slate& slate) {
                slates.push_back(slate);
                return Status();
              }).ok());
  ASSERT_EQ(slates.size(), 1u);
  const Slate& slate = slates[0];
  EXPECT_EQ(to_hex(slate.id), id);
  EXPECT_EQ(slate.user, "u");
  EXPECT_EQ(slate.surface, "home");
  EXPECT_EQ(slate.model, "none");
  EXPECT_EQ(slate.policy, "plain");
  ASSERT_EQ(slate.items.size(), 1u);
  EXPECT_EQ(slate.items[0].item, 0u);
  EXPECT_EQ(slate.items[0].propensity, 1.0f);
}

TEST_F(HttpTest, ItemsAreUpsertedReadAndDeleted) {
  EXPECT_EQ(post("/v1/items", R"({"item_id":"a/b","title":"Anvil","price":3})").status, 200);
  EXPECT_EQ(post("/v1/items", R"({"items":[{"item_id":"a/b","price":4},{"title":"no id"}]})").object().at("accepted"),
            1);
  const json::object item = get("/v1/items/a%2Fb").object();
  EXPECT_EQ(item.at("title"), "Anvil");
  EXPECT_EQ(item.at("price"), 4);
  EXPECT_TRUE(holds(recommended("u"), "a/b"));
  EXPECT_EQ(client_->send("DELETE", "/v1/items/a%2Fb").status, 200);
  EXPECT_EQ(get("/v1/items/a%2Fb").status, 404);
  EXPECT_FALSE(holds(recommended("u"), "a/b"));
  EXPECT_EQ(client_->send("DELETE", "/v1/items/a%2Fb").status, 404);
  EXPECT_EQ(client_->send("DELETE", "/v1/items/unheard-of").status, 404);
}

TEST_F(HttpTest, BadItemsAreToldWhatIsWrong) {
  for (const char* body :
       {"", "{", "7", "[]", "[7]", R"({"title":"x"})", R"({"item_id":{}})", R"({"items":[]})", R"({"items":4})"}) {
    const TestReply reply = post("/v1/items", body);
    EXPECT_EQ(reply.status, 400) << body << ": " << reply.body;
    EXPECT_FALSE(reply.text("detail").empty());
  }
  EXPECT_EQ(get("/v1/items/%zz").status, 400);
  EXPECT_EQ(get("/v1/items/%FF").status, 400);
}

TEST_F(HttpTest, UserTellsHistoryNewestFirstWithNames) {
  ASSERT_EQ(post("/v1/items", R"({"item_id":"b","title":"Bellows"})").status, 200);
  const char* events[] = {
      R"({"userId":"u","event":"Product Viewed","timestamp":"2026-01-02T00:00:00Z","properties":{"product_id":"a"}})",
      R"({"userId":"u","event":"Product Added","timestamp":"2026-01-03T00:00:00Z","properties":{"product_id":"b"},"context":{"device":{"type":"tv"}}})",
      R"({"userId":"u","event":"Order Completed","timestamp":"2026-01-04T00:00:00Z","properties":{"currency":"EUR","products":[{"product_id":"b","price":2.5,"quantity":2}]}})",
  };
  for (const char* event : events) ASSERT_EQ(post("/v1/track", event).status, 200);
  ASSERT_EQ(post("/v1/identify", R"({"userId":"u","traits":{"name":"Una"},"timestamp":"2026-01-01T00:00:00Z"})").status,
            200);
  const json::object user = get("/v1/users/u?limit=2").object();
  EXPECT_EQ(user.at("traits").at("name"), "Una");
  EXPECT_EQ(user.at("first_seen"), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(user.at("last_seen"), "2026-01-04T00:00:00.000Z");
  EXPECT_EQ(user.at("history_size"), 3);
  ASSERT_EQ(user.at("history").as_array().size(), 2u);
  EXPECT_EQ(user.at("history").as_array()[0].at("event"), "Order Completed");
  EXPECT_EQ(user.at("history").as_array()[1].at("title"), "Bellows");
  EXPECT_EQ(user.at("history").as_array()[1].at("device"), "tv");
  ASSERT_EQ(user.at("value").as_array().size(), 1u);
  EXPECT_EQ(user.at("value").as_array()[0].at("minor_units"), 500);
  EXPECT_EQ(get("/v1/users/nobody").status, 404);
  EXPECT_EQ(get("/v1/users/u?limit=many").status, 400);
  EXPECT_EQ(get("/v1/users/").status, 404);
}

TEST_F(HttpTest, ErasedUserIsGoneWithItsIdentitiesAlsoAfterARestart) {
  ASSERT_EQ(view("anonymous-1", "a").status, 200);
  ASSERT_EQ(view("una", "b").status, 200);
  ASSERT_EQ(post("/v1/alias", R"({"userId":"una","previousId":"anonymous-1"})").status, 200);
  ASSERT_EQ(post("/v1/identify", R"({"userId":"una","traits":{"motto":"Secret"}})").status, 200);
  ASSERT_EQ(get("/v1/users/una").object().at("history_size"), 2);
  ASSERT_EQ(get("/v1/recommend?user_id=stranger").status, 200);
  const std::string slate = get("/v1/recommend?user_id=una&exclude_seen=false").text("recommendation_id");
  stop();
  EXPECT_NE(read_file(folder_.path() / "state.snapshot")->find("Secret"), std::string::npos);
  start();
  const TestReply erased = client_->send("DELETE", "/v1/users/una");
  EXPECT_EQ(erased.status, 200) << erased.body;
  EXPECT_EQ(erased.object().at("identities"), 2);
  const auto check = [&] {
    EXPECT_EQ(get("/v1/users/una").status, 404);
    EXPECT_EQ(get("/v1/users/anonymous-1").status, 404);
    EXPECT_EQ(get("/v1/recommendations/" + slate).status, 404);
  };
  check();
  EXPECT_EQ(client_->send("DELETE", "/v1/users/una").status, 404);
  EXPECT_EQ(client_->send("DELETE", "/v1/users/stranger").status, 200) << "a slate knows the name";
  EXPECT_EQ(client_->send("DELETE", "/v1/users/stranger").status, 404);
  restart();
  check();
  stop();
  const Result<std::string> snapshot = read_file(folder_.path() / "state.snapshot");
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(snapshot->find("Secret"), std::string::npos);
}

TEST_F(HttpTest, UnknownPathsAndMethodsAreToldApart) {
  EXPECT_EQ(get("/v1/recomend").status, 404);
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/v1/users/a/b").status, 404);
  const TestReply bytes = get("/v1/\xFF\xFE");
  EXPECT_EQ(bytes.text("code"), bytes.status == 404 ? "not_found" : "bad_request")
      << "the reply itself is JSON in UTF-8";
  const TestReply wrong = client_->send("PUT", "/v1/recommend");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "GET, HEAD, POST, OPTIONS");
  const TestReply options = client_->send("OPTIONS", "/v1/items/x");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.header("allow"), "GET, HEAD, DELETE, OPTIONS");
}

TEST_F(HttpTest, HeadAnswersAsGetWithoutTheBody) {
  const TestReply head = client_->send("HEAD", "/healthz");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), std::to_string(get("/healthz").body.size()));
  EXPECT_EQ(client_->send("HEAD", "/v1/users/nobody").status, 404);
  EXPECT_EQ(get("/healthz").status, 200) << "the connection is still in step";
}

TEST_F(HttpTest, RequestIdIsEchoedOrMade) {
  EXPECT_EQ(client_->send("GET", "/healthz", "", {{"X-Request-Id", "abc-1"}}).header("x-request-id"), "abc-1");
  const std::string made = client_->send("GET", "/healthz", "", {{"X-Request-Id", "a b\"c"}}).header("x-request-id");
  EXPECT_FALSE(made.empty());
  EXPECT_NE(made, "a b\"c");
  EXPECT_NE(get("/nothing").header("x-request-id"), made);
}

TEST_F(HttpTest, MetricsAreInPrometheusFormat) {
  ASSERT_EQ(view("u", "a").status, 200);
  ASSERT_EQ(post("/v1/track", "{").status, 400);
  ASSERT_EQ(get("/v1/recommend?user_id=x").status, 200);
  const TestReply reply = get("/metrics");
  EXPECT_TRUE(has(reply.header("content-type"), "version=0.0.4"));
  EXPECT_TRUE(has(reply.body, "perennial_events_ingested_total 1"));
  EXPECT_TRUE(has(reply.body, R"(perennial_events_rejected_total{reason="malformed"} 1)"));
  EXPECT_TRUE(has(reply.body, R"(perennial_recommend_fallback_total{reason="no_model"} 1)"));
  EXPECT_TRUE(has(reply.body, R"(perennial_http_request_duration_seconds_count{route="POST /v1/track"} 2)"));
  EXPECT_TRUE(has(reply.body, "perennial_ingest_lag_seconds_count 1"));
  EXPECT_TRUE(has(reply.body, "perennial_recommend_duration_seconds_count 1"));
  EXPECT_TRUE(has(reply.body, "perennial_model_age_seconds 0"));
  EXPECT_TRUE(has(reply.body, "perennial_users 1"));
}

TEST_F(HttpTest, OpenapiDescribesEachRouteAndNoOther) {
  const json::object document = get("/openapi.json").object();
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  std::set<std::string> described;
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      std::string method(operation.key());
      std::transform(method.begin(), method.end(), method.begin(),
                     [](unsigned char letter) { return std::toupper(letter); });
      described.insert(method + " " + std::string(path.key()));
    }
  }
  std::set<std::string> served;
  for (const Route& route : server_->api().router().routes()) {
    served.insert(route.method + " " + route.path);
    std::string method = route.method;
    std::transform(method.begin(), method.end(), method.begin(),
                   [](unsigned char letter) { return std::tolower(letter); });
    const json::value* operation = document.at("paths").as_object().at(route.path).as_object().if_contains(method);
    ASSERT_NE(operation, nullptr) << route.method << " " << route.path;
    EXPECT_EQ(operation->as_object().contains("security"), !route.role) << route.path;
    EXPECT_EQ(operation->as_object().contains("requestBody"), route.body_limit_bytes > 0) << route.path;
    const json::value* description = operation->as_object().if_contains("description");
    ASSERT_EQ(description != nullptr, route.role.has_value()) << route.path;
    if (description == nullptr) continue;
    EXPECT_TRUE(has(std::string(description->as_string()), key_role_name(*route.role)));
  }
  EXPECT_EQ(described, served);
}

TEST_F(HttpTest, OpenapiReferencesOnlyWhatItDefines) {
  const std::string text = get("/openapi.json").body;
  const json::object document = get("/openapi.json").object();
  const std::string start = "#/components/schemas/";
  size_t references = 0;
  for (size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
    const std::string name = text.substr(at + start.size(), text.find('"', at) - at - start.size());
    EXPECT_TRUE(document.at("components").at("schemas").as_object().contains(name)) << name;
    ++references;
  }
  EXPECT_GT(references, 20u);
}

TEST_F(HttpTest, BrowserSdkGetsItsSettings) {
  const Result<std::string> write = server_->keys()->create("web page", KeyRole::write, 0);
  ASSERT_TRUE(write.ok());
  TestClient browser(server_->port());
  const TestReply reply = browser.send("GET", "/v1/projects/" + *write + "/settings");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.object().at("integrations").at("Segment.io").at("apiHost"), "localhost/v1");
  EXPECT_EQ(reply.object().at("metrics").at("sampleRate"), 0) << "or the SDK tells others of its use";
  EXPECT_EQ(browser.send("GET", "/v1/projects/wrong/settings").status, 404);
}

TEST_F(HttpTest, OnlyAnAdminKeyTellsOfActions) {
  const std::string given =
      R"({"userId":"u","event":"Action Given","properties":{"action":"letter","channel":"mail","cost":1000000}})";
  const Result<std::string> write = server_->keys()->create("web page", KeyRole::write, 0);
  ASSERT_TRUE(write.ok());
  TestClient page(server_->port());
  page.set_authorization("Bearer " + *write);
  const TestReply refused = page.send("POST", "/v1/track", given);
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(has(refused.body, "needs an admin key in the Authorization header"));
  TestClient in_body(server_->port());
  EXPECT_EQ(in_body.send("POST", "/v1/track", R"({"writeKey":")" + *write + "\"," + given.substr(1)).status, 400);
  TestClient admin(server_->port());
  admin.set_authorization("Bearer " + key_);
  EXPECT_EQ(admin.send("POST", "/v1/track", given).status, 200);
}

class CorsTest : public HttpTest {
 protected:
  void SetUp() override {
    options_.api.cors_origins = {"https://shop.example"};
    start();
  }
};

TEST_F(CorsTest, OnlyAllowedOriginsAndOnlyBrowserRoutes) {
  const auto origin = [&](const std::string& method, const std::string& path, const std::string& from) {
    return client_->send(method, path, "", {{"Origin", from}}).header("access-control-allow-origin");
  };
  EXPECT_EQ(origin("OPTIONS", "/v1/t", "https://shop.example"), "https://shop.example");
  EXPECT_EQ(origin("POST", "/v1/t", "https://shop.example"), "https://shop.example");
  EXPECT_EQ(origin("OPTIONS", "/v1/t", "https://other.example"), "");
  EXPECT_EQ(origin("OPTIONS", "/v1/recommend", "https://shop.example"), "");
  const TestReply preflight = client_->send("OPTIONS", "/v1/t", "", {{"Origin", "https://shop.example"}});
  EXPECT_TRUE(has(preflight.header("access-control-allow-methods"), "POST"));
  EXPECT_TRUE(has(preflight.header("access-control-allow-headers"), "x-retry-count"));
  EXPECT_TRUE(has(
      client_->send("POST", "/v1/t", "", {{"Origin", "https://shop.example"}}).header("access-control-expose-headers"),
      "Retry-After"));
}

TEST(ServerOptionsTest, ExposureNeedsAWordAndIsNeverWithoutKeys) {
  const TemporaryFolder folder;
  const SystemClock clock;
  ServerOptions options;
  options.engine.data_folder = folder.path();
  options.port = 0;
  options.address = "0.0.0.0";
  Result<std::unique_ptr<Server>> server = Server::start(options, clock);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.status().code(), Code::failed_precondition);
  EXPECT_TRUE(has(server.status().message(), "--expose"));
  options.allow_remote = true;
  options.require_keys = false;
  server = Server::start(options, clock);
  ASSERT_FALSE(server.ok());
  EXPECT_TRUE(has(server.status().message(), "without API keys"));
  options.address = "localhost?";
  EXPECT_EQ(Server::start(options, clock).status().code(), Code::invalid_argument);
}

TEST(ServerOptionsTest, TakenPortIsSaid) {
  const TemporaryFolder one;
  const TemporaryFolder two;
  const SystemClock clock;
  ServerOptions options;
  options.engine.data_folder = one.path();
  options.port = 0;
  const Result<std::unique_ptr<Server>> first = Server::start(options, clock);
  ASSERT_TRUE(first.ok()) << first.status().message();
  options.engine.data_folder = two.path();
  options.port = (*first)->port();
  const Result<std::unique_ptr<Server>> second = Server::start(options, clock);
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(has(second.status().message(), "taken by another program"));
  EXPECT_FALSE(fs::exists(two.path() / "keys.json")) << "a key was made that no one has seen";
}

}  // namespace
}  // namespace perennial
