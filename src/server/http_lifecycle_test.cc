// Stages over HTTP: in each recommendation, of one user, of all.
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

}  // namespace
}  // namespace perennial
