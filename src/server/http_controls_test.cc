// What a caller may ask of a list, over HTTP: the fields are read, reach the recommender and come back in the reply.
#include <fstream>
#include <set>
#include <thread>

#include "server/test_server.h"

namespace perennial {
namespace {

class HttpControlsTest : public HttpTest {
 protected:
  void SetUp() override {
    HttpTest::SetUp();
    ASSERT_EQ(post("/v1/items", R"([{"item_id":"boot","category":"shoes","brand":"acme","price":90},
      {"item_id":"clog","category":"shoes","brand":"wood","price":40},
      {"item_id":"sock","category":"wear","brand":"acme","price":5},
      {"item_id":"hat","category":"wear","brand":"wood","price":30,"lat":52.5,"lon":13.4},
      {"item_id":"gone","category":"wear","available":false}])")
                  .status,
              200);
    // boot is looked at by four, clog by three, sock by two, hat by one
    const char* items[] = {"boot", "clog", "sock", "hat"};
    for (int user = 0; user < 4; ++user)
      for (int item = 0; item < 4 - user; ++item) ASSERT_EQ(view(fmt::format("u{}", user), items[item]).status, 200);
    restart();  // so that popularity has been counted
  }

  std::vector<std::string> ids(const TestReply& reply) {
    std::vector<std::string> ids;
    EXPECT_EQ(reply.status, 200) << reply.body;
    if (reply.status != 200) return ids;
    last_ = reply.object();
    for (const json::value& item : last_.at("items").as_array()) ids.emplace_back(item.at("item_id").as_string());
    return ids;
  }
  std::vector<std::string> list(const std::string& more) {
    return ids(post("/v1/recommend", R"({"user_id":"new")" + more + "}"));
  }

  using List = std::vector<std::string>;
  json::object last_;
};

TEST_F(HttpControlsTest, FiltersAndListsOfIds) {
  EXPECT_EQ(list(""), (List{"boot", "clog", "sock", "hat"}));
  EXPECT_EQ(list(R"(,"filter":{"category":"wear","not":{"brand":"acme"}})"), List{"hat"});
  EXPECT_EQ(list(R"(,"filter":{"price":{"min":10,"max":50}})"), (List{"clog", "hat"}));
  EXPECT_EQ(list(R"(,"filter":{"near":{"lat":52,"lon":13,"km":100}})"), List{"hat"});
  EXPECT_EQ(list(R"(,"include":["hat","sock","gone","unheard"],"exclude":["sock"])"), List{"hat"});
  ASSERT_EQ(post("/v1/items", R"({"item_id":"clog","price":400})").status, 200);
  EXPECT_EQ(list(R"(,"filter":{"price":{"min":10,"max":50}})"), List{"hat"}) << "the price has changed";
  ASSERT_EQ(client_->send("DELETE", "/v1/items/hat").status, 200);
  EXPECT_EQ(list(R"(,"filter":{"price":{"min":10,"max":50}})"), List{});
}

TEST_F(HttpControlsTest, PinsBoostsCapsAndReasons) {
  EXPECT_EQ(list(R"(,"pin":["hat","gone"],"explain":true)"), (List{"hat", "boot", "clog", "sock"}));
  EXPECT_EQ(last_.at("items").at(0).at("source"), "pinned");
  EXPECT_EQ(last_.at("items").at(0).at("reasons").at(0).at("code"), "pinned");
  EXPECT_EQ(list(R"(,"boost":[{"filter":{"brand":"wood"},"by":2}],"explain":true)"),
            (List{"clog", "hat", "boot", "sock"}));
  EXPECT_EQ(last_.at("items").at(0).at("reasons").at(0).at("code"), "boosted");
  EXPECT_EQ(list(R"(,"boost":[{"filter":{"brand":"acme"},"by":-9}])"), (List{"clog", "hat", "boot", "sock"}));
  EXPECT_EQ(list(R"(,"max_per_category":1)"), (List{"boot", "sock"}));
  EXPECT_EQ(list(R"(,"diversity":5)").at(1), "sock");
}

TEST_F(HttpControlsTest, ExplorationIsLoggedWithItsPropensity) {
  std::set<std::string> first;
  for (int round = 0; round < 60; ++round) {
    first.insert(list(R"(,"explore":0.5,"count":1)").at(0));
    const json::object item = last_.at("items").at(0).as_object();
    const bool greedy = item.at("item_id") == "boot";
    EXPECT_NEAR(item.at("propensity").to_number<double>(), greedy ? 0.625 : 0.125, 1e-6);
    const json::object slate =
        get("/v1/recommendations/" + std::string(last_.at("recommendation_id").as_string())).object();
    EXPECT_NEAR(slate.at("items").at(0).at("propensity").to_number<double>(), greedy ? 0.625 : 0.125, 1e-6);
  }
  EXPECT_EQ(first.size(), 4U);
}

TEST_F(HttpControlsTest, PagesDoNotRepeatAndEnd) {
  EXPECT_EQ(list(R"(,"count":2)"), (List{"boot", "clog"}));
  const auto next = [&] {
    return list(R"(,"count":1,"after":")" + std::string(last_.at("recommendation_id").as_string()) + "\"");
  };
  EXPECT_EQ(next(), List{"sock"});
  EXPECT_EQ(next(), List{"hat"});
  const std::string last_page(last_.at("recommendation_id").as_string());
  EXPECT_EQ(next(), List{});
  restart();
  EXPECT_EQ(list(R"(,"after":")" + last_page + "\""), List{}) << "from the disk as well";
  EXPECT_EQ(post("/v1/recommend", R"({"after":"0123456789abcdef0123456789abcdef"})").status, 404);
  EXPECT_EQ(post("/v1/recommend", R"({"after":"the first"})").status, 400);
}

TEST_F(HttpControlsTest, FeedbackToListsIsReportedByWhatIsAsked) {
  list("");
  const std::string id(last_.at("recommendation_id").as_string());
  ASSERT_EQ(view("new", "clog", R"(,"recommendation_id":")" + id + "\"").status, 200);
  restart();  // so that the list is on the disk
  const json::object report = get("/v1/feedback").object();
  EXPECT_EQ(report.at("rows").at(1).at("position"), 2);
  EXPECT_EQ(report.at("rows").at(1).at("clicked"), 1);
  EXPECT_EQ(get("/v1/feedback?by=source").object().at("rows").at(0).at("shown"), 4);
  EXPECT_TRUE(has(get("/v1/feedback?by=stage&format=csv").body, "acquisition,4,"));
  EXPECT_EQ(get("/v1/feedback?by=source&to=2020-01-01").object().at("rows").as_array().size(), 0U);
  EXPECT_EQ(get("/v1/feedback?by=weather").status, 400);
  EXPECT_EQ(get("/v1/feedback?weather=by").status, 400);
}

TEST_F(HttpControlsTest, SeenItemsMayComeAgainAfterAWhile) {
  EXPECT_EQ(ids(get("/v1/recommend?user_id=u0")), List{});
  EXPECT_EQ(ids(get("/v1/recommend?user_id=u0&exclude_seen=false")).size(), 4U);
  EXPECT_EQ(ids(get("/v1/recommend?user_id=u0&exclude_seen=30d")), List{});
  ASSERT_EQ(post("/v1/track", R"({"userId":"old","event":"Product Viewed","timestamp":"2020-01-01T00:00:00Z",)"
                              R"("properties":{"product_id":"boot"}})")
                .status,
            200);
  EXPECT_EQ(ids(get("/v1/recommend?user_id=old")), (List{"clog", "sock", "hat"}));
  EXPECT_EQ(ids(get("/v1/recommend?user_id=old&exclude_seen=30d")).size(), 4U);
}

TEST_F(HttpControlsTest, RerankGivesTheCallersItemsAndNoOthers) {
  EXPECT_EQ(ids(post("/v1/rerank", R"({"user_id":"u0","items":["hat","unheard","boot","gone"]})")),
            (List{"boot", "hat"}));
  EXPECT_EQ(ids(post("/v1/rerank", R"({"user_id":"u3","items":["hat","boot"],"exclude_seen":true})")), List{"hat"});
  EXPECT_EQ(post("/v1/rerank", R"({"items":[]})").status, 400);
  EXPECT_EQ(post("/v1/rerank", R"({"items":"hat"})").status, 400);
  EXPECT_EQ(post("/v1/rerank", R"({"items":["hat"],"count":3})").status, 400);
}

TEST_F(HttpControlsTest, SimilarItemsWithoutAModelAreOfTheCategoryThenPopular) {
  EXPECT_EQ(ids(get("/v1/items/hat/similar?count=2")), (List{"sock", "boot"}));
  EXPECT_EQ(last_.at("fallback"), "no_model");
  EXPECT_EQ(get("/v1/items/unheard/similar").status, 404);
  EXPECT_EQ(list(R"(,"similar_to":"boot","count":1)"), List{"clog"});
}

TEST_F(HttpControlsTest, RulesOfTheFileHoldForEveryListAndAreReadAgain) {
  std::ofstream(folder_.path() / "rules.json")
      << R"({"rules":[{"name":"no acme at home","surfaces":["home"],"filter":{"not":{"brand":"acme"}}},)"
      << R"({"name":"hats","boost":[{"filter":{"category":"wear"},"by":3}]}]})";
  restart();
  EXPECT_EQ(list(R"(,"surface":"home","explain":true)"), (List{"hat", "clog"}));
  EXPECT_EQ(last_.at("items").at(0).at("reasons").at(0).at("evidence"), "hats");
  EXPECT_EQ(list(""), (List{"sock", "hat", "boot", "clog"}));
  fs::remove(folder_.path() / "rules.json");
  const auto plain = [&] { return list(R"(,"surface":"home")") == List{"boot", "clog", "sock", "hat"}; };
  for (int i = 0; i < 100 && !plain(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(plain());
}

TEST_F(HttpControlsTest, MistakesAreNamed) {
  const auto refused = [&](const std::string& more, const char* part) {
    const TestReply reply = post("/v1/recommend", R"({"user_id":"new")" + more + "}");
    EXPECT_EQ(reply.status, 400) << more;
    EXPECT_TRUE(has(reply.body, part));
  };
  refused(R"(,"filter":["shoes"])", "'filter' must be an object");
  refused(R"(,"filter":{"price":{"below":3}})", "'price'");
  refused(R"(,"include":"hat")", "'include' must be a list");
  refused(R"(,"pin":[{}])", "'id'");
  refused(R"(,"boost":[{"by":1}])", "wants a 'filter'");
  refused(R"(,"boost":[{"filter":{"brand":"x"},"by":11}])", "from -10 to 10");
  refused(R"(,"boost":[{"filter":{"brand":"x"},"factor":2}])", "unknown field 'factor'");
  refused(R"(,"diversity":-1)", "'diversity'");
  refused(R"(,"max_per_category":0)", "'max_per_category'");
  refused(R"(,"explore":1.5)", "'explore'");
  refused(R"(,"exclude_seen":"a while")", "'exclude_seen'");
  refused(R"(,"session_items":[7,true])", "'id'");
}

}  // namespace
}  // namespace perennial
