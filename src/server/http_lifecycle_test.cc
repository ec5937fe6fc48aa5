// Stages over HTTP: in each recommendation, of one user, of all.
#include <thread>

#include "base/text.h"
#include "server/test_server.h"

namespace perennial {
namespace {

class HttpLifecycleTest : public HttpTest {
 protected:
  void order(const std::string& user, const std::string& time) {
    const TestReply reply = post("/v1/track", R"({"userId":")" + user + R"(","event":"Order Completed","timestamp":")" +
                                                  time + R"(","properties":{"revenue":20,"currency":"EUR"}})");
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
};

TEST_F(HttpLifecycleTest, EachRecommendationTellsTheUsersStage) {
  ASSERT_EQ(view("una", "p").status, 200);
  const std::string now = format_iso8601(clock_.now_ms());
  order("una", now);
  const TestReply reply = get("/v1/recommend?user_id=una");
  EXPECT_EQ(reply.text("stage"), "activation") << reply.body;
  EXPECT_EQ(reply.text("overlay"), "none");
  EXPECT_EQ(get("/v1/recommend?user_id=stranger").text("stage"), "acquisition");
}

TEST_F(HttpLifecycleTest, AUsersStoryNamesRuleAndEventOfEachChange) {
  order("una", "2025-01-01T10:00:00Z");
  order("una", "2025-02-01T10:00:00Z");
  const TestReply reply = get("/v1/users/una/lifecycle?at=2025-03-01");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.text("stage"), "retention");
  EXPECT_EQ(reply.text("since"), "2025-02-01T10:00:00.000Z");
  EXPECT_EQ(reply.text("next_change"), "2025-04-01T10:00:00.000Z") << "90 days after the first order";
  const json::object story = reply.object();
  const json::array& changes = story.at("transitions").as_array();
  ASSERT_EQ(changes.size(), 2U) << reply.body;
  EXPECT_EQ(changes[0].at("cause"), "Order Completed");
  EXPECT_EQ(changes[0].at("offset"), 1);
  EXPECT_EQ(changes[1].at("rule"), "value >= 2 within 1y");
  EXPECT_EQ(get("/v1/users/nobody/lifecycle").status, 404);
  EXPECT_EQ(get("/v1/users/una/lifecycle?at=soon").status, 400);
  EXPECT_EQ(get("/v1/users/una/lifecycle?when=2025-01-01").status, 400);
}

TEST_F(HttpLifecycleTest, StagesAreCountedAtAnyDate) {
  order("una", "2025-01-01T10:00:00Z");
  order("oto", "2025-02-01T10:00:00Z");
  const auto users_at = [&](const char* at) { return get(std::string("/v1/lifecycle/stages?at=") + at).object(); };
  EXPECT_EQ(users_at("2024-12-31").at("users"), 0);
  EXPECT_EQ(users_at("2025-01-15").at("users"), 1);
  const json::object stages = users_at("2025-03-15");
  EXPECT_EQ(stages.at("users"), 2);
  const json::value& activation = stages.at("stages").as_array().at(1);
  EXPECT_EQ(activation.at("stage"), "activation");
  EXPECT_EQ(activation.at("users"), 2);
  EXPECT_EQ(activation.at("at_risk"), 1);
}

TEST_F(HttpLifecycleTest, ReportsComeAsJsonAndCsv) {
  order("una", "2025-01-01T10:00:00Z");
  order("una", "2025-02-01T10:00:00Z");
  const TestReply reply = get("/v1/lifecycle/reports/stages?at=2025-03-01&last=2");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.object().at("rows").as_array().size(), 2U) << reply.body;
  const TestReply csv = get("/v1/lifecycle/reports/users?at=2025-03-01&format=csv");
  EXPECT_EQ(csv.header("content-type"), "text/csv; charset=utf-8");
  EXPECT_TRUE(has(csv.body, "una,retention")) << csv.body;
  EXPECT_EQ(get("/v1/lifecycle/reports/loyalty").status, 404);
  EXPECT_EQ(get("/v1/lifecycle/reports/stages?by=year").status, 400);
  EXPECT_EQ(get("/v1/lifecycle/reports/stages?format=pdf").status, 400);
  EXPECT_EQ(get("/v1/lifecycle/reports/behaviours").status, 400) << "it reads the whole log";
}

TEST_F(HttpLifecycleTest, ForecastsAreThoseOfTheDataDirectory) {
  order("una", "2025-01-01T10:00:00Z");
  const TestReply none = get("/v1/users/una/forecasts");
  EXPECT_EQ(none.status, 409);
  EXPECT_TRUE(has(none.body, "lifecycle forecast --fit"));
  const Forecasts fitted = Forecasts::fit(preset("e-commerce").value(), {}, clock_.now_ms());
  ASSERT_TRUE(save_forecasts(folder_.path(), fitted).ok());
  restart();
  const TestReply reply = get("/v1/users/una/forecasts");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.object().at("forecasts").as_array().size(), fitted.questions().size());
  EXPECT_EQ(get("/v1/users/nobody/forecasts").status, 404);
}

class HttpActionsTest : public HttpTest {
 protected:
  void SetUp() override {
    const ActionTexts texts = {{"actions.letter.channel", "mail"},
                               {"actions.letter.goal", "value"},
                               {"actions.letter.worth", "100"},
                               {"actions.letter.expected_effect", "0.1"},
                               {"actions.picks.channel", "mail"},
                               {"actions.picks.goal", "value"},
                               {"actions.picks.worth", "100"},
                               {"actions.picks.kind", "slate"},
                               {"actions.picks.expected_effect", "0.2"},
                               {"actions.picks.items", "2"},
                               {"actions.goodbye.channel", "mail"},
                               {"actions.goodbye.goal", "value"},
                               {"actions.goodbye.worth", "100"},
                               {"actions.goodbye.stages", "advocacy"},
                               {"actions.goodbye.expected_effect", "0.9"}};
    ActionRules defaults;
    defaults.holdout_share = defaults.explore_share = 0;
    options_.engine.arbiter.rules = make_action_rules(texts, defaults, options_.engine.stages).value();
    start();
  }
};

TEST_F(HttpActionsTest, TellsWhatToDoNextActionsAndItemsInOneOrder) {
  for (const char* item : {"p", "q", "r"}) ASSERT_EQ(view("una", item).status, 200);
  ASSERT_EQ(view("oto", "p").status, 200);
  TestReply reply = get("/v1/next-best-action?user_id=oto");
  for (int i = 0; i < 500 && reply.status == 503; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    reply = get("/v1/next-best-action?user_id=oto");
  }
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json::object told = reply.object();
  const json::array& ranked = told.at("ranked").as_array();
  ASSERT_EQ(ranked.size(), 3U) << reply.body;
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(ranked[i].at("type"), "item");
    EXPECT_EQ(ranked[i].at("action"), "picks");
    EXPECT_TRUE(ranked[i].at("item").at("item_id").is_string());
  }
  EXPECT_NEAR(ranked[0].at("gain").to_number<double>() + ranked[1].at("gain").to_number<double>(), 20, 1e-9);
  EXPECT_EQ(ranked[2].at("type"), "action");
  EXPECT_EQ(ranked[2].at("action"), "letter");
  EXPECT_TRUE(has(std::string(ranked[2].at("reason").as_string()), "value within 14 days: +10.0 %"));
  const std::string slate(ranked[0].at("recommendation_id").as_string());
  EXPECT_EQ(get("/v1/recommendations/" + slate).status, 200) << "it was served";
  const json::array& actions = told.at("actions").as_array();
  ASSERT_EQ(actions.size(), 3U);
  EXPECT_EQ(actions[2].at("action"), "goodbye");
  EXPECT_EQ(actions[2].at("suppressed_by"), "stage");
  EXPECT_EQ(get("/v1/next-best-action?user_id=nobody").status, 404);
  EXPECT_EQ(get("/v1/next-best-action").status, 400);
}

}  // namespace
}  // namespace perennial
