// Without API keys: who is answered all the same.
#include "server/test_server.h"

namespace perennial {
namespace {

class OpenTest : public HttpTest {
 protected:
  void SetUp() override {
    options_.require_keys = false;
    start();
    client_->set_authorization("");
  }
};

TEST_F(OpenTest, WithoutKeysOnlyThisMachinesOwnProgramsAreAnswered) {
  EXPECT_EQ(view("u", "a").status, 200);
  EXPECT_EQ(get("/v1/users/u").status, 200);
  EXPECT_EQ(client_->send("GET", "/v1/users/u", "", {{"Host", "rebound.example"}}).status, 403);
  EXPECT_EQ(
      client_->send("POST", "/v1/t", R"({"userId":"u","event":"e"})", {{"Origin", "https://evil.example"}}).status,
      403);
  EXPECT_EQ(
      client_->send("GET", "/v1/users/u", "", {{"Host", "127.0.0.1:8080"}, {"Origin", "http://localhost:3000"}}).status,
      200);
}

TEST_F(OpenTest, APageOfAnotherSiteIsRefusedAlsoWhereItSendsNoOrigin) {
  EXPECT_EQ(client_->send("GET", "/v1/recommend?user_id=u", "", {{"Sec-Fetch-Site", "cross-site"}}).status, 403);
  EXPECT_EQ(client_->send("GET", "/v1/recommend?user_id=u", "", {{"Sec-Fetch-Site", "same-origin"}}).status, 200);
}

class OpenToAPageTest : public OpenTest {
 protected:
  void SetUp() override {
    options_.api.cors_origins = {"https://shop.example"};
    options_.api.currency = "EUR";
    OpenTest::SetUp();
  }
};

TEST_F(OpenToAPageTest, WithoutKeysAnAllowedPageMayPostEventsAndNothingElse) {
  const std::map<std::string, std::string> page = {{"Origin", "https://shop.example"}};
  EXPECT_EQ(client_->send("POST", "/v1/t", R"({"userId":"u","event":"e"})", page).status, 200);
  EXPECT_EQ(client_->send("POST", "/v1/items", R"({"item_id":"a"})", page).status, 403);
  EXPECT_EQ(client_->send("GET", "/v1/users/u", "", page).status, 403);
}

TEST_F(OpenToAPageTest, AmountsThatNameNoCurrencyAreOfTheConfiguredOne) {
  ASSERT_EQ(post("/v1/track", R"({"userId":"u","event":"Order Completed","properties":{"total":10}})").status, 200);
  EXPECT_EQ(get("/v1/users/u").object().at("value").as_array().at(0).at("text"), "10.00 EUR");
}

}  // namespace
}  // namespace perennial
