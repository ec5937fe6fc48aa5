// Stage-aware recommendation over HTTP: what the reply tells, the holdout, the switch, what the log keeps.
#include "base/text.h"
#include "server/test_server.h"

namespace perennial {
namespace {

class HttpObjectivesTest : public HttpTest {
 protected:
  void SetUp() override {
    options_.engine.objectives.enabled = true;
    options_.engine.objectives.stages[static_cast<size_t>(Stage::acquisition)] = {.conversion = 1, .breadth = 0.5};
    start();
    fill_shop();
  }

  /// Everybody looks at the lamp and the book; the lamp is bought by all of them, the book by none. The book has been
  /// looked at by a few more.
  void fill_shop() {
    ASSERT_EQ(
        post("/v1/items", R"([{"item_id":"lamp","category":"light"},{"item_id":"book","category":"books"}])").status,
        200);
    std::string batch;
    for (int user = 0; user < 60; ++user)
      for (const char* item : {"lamp", "book"}) {
        const auto add = [&](const char* event, const char* time) {
          batch += fmt::format(R"({}{{"type":"track","userId":"past-{}-{}","event":"{}","timestamp":"{}",)",
                               batch.empty() ? "" : ",", user, item, event, time);
          batch += fmt::format(R"("properties":{{"product_id":"{}"}}}})", item);
        };
        add("Product Viewed", "2025-01-01T10:00:00Z");
        if (item == std::string("lamp")) add("Order Completed", "2025-01-01T11:00:00Z");
        if (item == std::string("book")) add("Product Viewed", "2025-01-01T11:00:00Z");
      }
    for (int user = 0; user < 20; ++user)
      batch += fmt::format(
          R"(,{{"type":"track","userId":"late-{}","event":"Product Viewed","timestamp":"2025-02-01T10:00:00Z",)"
          R"("properties":{{"product_id":"book"}}}})",
          user);
    ASSERT_EQ(post("/v1/batch", R"({"batch":[)" + batch + "]}").status, 200);
    restart();  // so that popularity and outcomes are of all of it
  }

  /// An id that is held out at that share, or is not.
  static std::string stranger(double share, bool held_out) {
    for (int user = 0;; ++user)
      if (std::string id = fmt::format("stranger-{}", user); in_holdout(share, id) == held_out) return id;
  }

  json::object ask(const std::string& user) {
    const TestReply reply = get("/v1/recommend?explain=true&user_id=" + user);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.object();
  }

  static std::string first_item(const json::object& reply) {
    return std::string(reply.at("items").at(0).at("item_id").as_string());
  }
};

TEST_F(HttpObjectivesTest, TheReplyTellsWhatTheListIsForAndWhy) {
  const json::object reply = ask("new");
  EXPECT_EQ(reply.at("variant"), "stage-aware");
  const json::object& objective = reply.at("objective").as_object();
  EXPECT_EQ(objective.at("name"), "first_value");
  EXPECT_EQ(objective.at("stage"), "acquisition");
  EXPECT_EQ(objective.at("overlay"), "none");
  EXPECT_EQ(objective.at("applied"), true);
  EXPECT_TRUE(objective.at("why").is_null());
  EXPECT_EQ(objective.at("weights").at("conversion").to_number<double>(), 1.0);
  EXPECT_EQ(objective.at("weights").at("breadth").to_number<double>(), 0.5);
  EXPECT_EQ(objective.at("weights").at("money").to_number<double>(), 0.0);
  ASSERT_EQ(first_item(reply), "lamp") << "bought by those who look at it";
  const json::object& reason = reply.at("items").at(0).at("reasons").at(0).as_object();
  EXPECT_EQ(reason.at("code"), "objective");
  EXPECT_EQ(reason.at("text"), "A good first choice");
}

TEST_F(HttpObjectivesTest, TheHoldoutNeverSeesIt) {
  options_.engine.objectives.holdout_share = 0.5;
  restart();
  const json::object held_out = ask(stranger(0.5, true));
  EXPECT_EQ(held_out.at("variant"), "holdout");
  EXPECT_EQ(held_out.at("objective").at("applied"), false);
  EXPECT_EQ(held_out.at("objective").at("why"), "holdout");
  EXPECT_EQ(first_item(held_out), "book");
  EXPECT_EQ(first_item(ask(stranger(0.5, false))), "lamp");
  const std::string id(held_out.at("recommendation_id").as_string());
  EXPECT_EQ(get("/v1/recommendations/" + id).text("variant"), "holdout") << "the log keeps the arm";
}

TEST_F(HttpObjectivesTest, AUserKeepsTheArmThroughAMerge) {
  options_.engine.objectives.holdout_share = 0.5;
  restart();
  const std::string user = stranger(0.5, true);
  const std::string device = stranger(0.5, false);
  ASSERT_EQ(post("/v1/alias", R"({"userId":")" + user + R"(","previousId":")" + device + R"("})").status, 200);
  ASSERT_EQ(view(user, "lamp").status, 200);
  EXPECT_EQ(ask(user).at("variant"), "holdout");
  EXPECT_EQ(ask(device).at("variant"), "holdout") << "it is that user's device";
}

TEST_F(HttpObjectivesTest, OffIsOneSwitch) {
  options_.engine.objectives.enabled = false;
  restart();
  const json::object reply = ask("new");
  EXPECT_EQ(reply.at("variant"), "plain");
  EXPECT_EQ(reply.at("objective").at("applied"), false);
  EXPECT_EQ(reply.at("objective").at("why"), "off");
  EXPECT_EQ(first_item(reply), "book");
}

TEST_F(HttpObjectivesTest, AStageWithoutWeightsHasThePlainList) {
  ASSERT_EQ(post("/v1/track", R"({"userId":"una","event":"Order Completed","properties":{"product_id":"pen"}})").status,
            200);
  const json::object reply = ask("una");
  EXPECT_EQ(reply.at("objective").at("name"), "second_value");
  EXPECT_EQ(reply.at("objective").at("why"), "no_weights");
  EXPECT_EQ(reply.at("variant"), "stage-aware");
  EXPECT_EQ(first_item(reply), "book");
}

}  // namespace
}  // namespace perennial
