#include "server/arbiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <set>
#include <thread>

#include "base/random.h"
#include "base/time_zone.h"
#include "server/test_server.h"

namespace perennial {
namespace {

constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kDay = 24 * kHour;

/// Keeps what it was handed, and what each user's consent was just then.
class FakeReceiver final : public Transport {
 public:
  std::vector<HandoverResult> hand_over(std::span<const Letter> letters) override {
    const std::lock_guard lock(mutex);
    for (const auto& [key, body] : letters) tried[key].insert(body);
    if (fails) return std::vector<HandoverResult>(letters.size(), {Handover::again, "answered 503", {}});
    for (const auto& [key, body] : letters) received.emplace(key, parse_json_object(body).value());
    return std::vector<HandoverResult>(letters.size(), {Handover::delivered, "", {}});
  }
  [[nodiscard]] std::vector<json::object> all() {
    const std::lock_guard lock(mutex);
    std::vector<json::object> bodies;
    for (const auto& [key, body] : received) bodies.push_back(body);
    return bodies;
  }

  std::mutex mutex;
  std::atomic<bool> fails = false;
  std::map<std::string, json::object> received;
  std::map<std::string, std::set<std::string>> tried;  // bodies by key
};

class ArbiterTest : public testing::Test {
 protected:
  ArbiterTest() {
    texts_ = {{"actions.letter.channel", "mail"},        {"actions.letter.worth", "100"},
              {"actions.letter.goal", "value"},          {"actions.letter.cost", "1"},
              {"actions.letter.expected_effect", "0.1"}, {"actions.letter.payload", R"({"template":"spring"})"},
              {"arbiter.consent.mail", "newsletter"}};
    defaults_.holdout_share = 0;
    defaults_.explore_share = 0;
  }

  /// An action whose goal is an order.
  void declare(const std::string& name, const std::map<std::string, std::string>& keys) {
    texts_["actions." + name + ".goal"] = "value";
    for (const auto& [key, text] : keys) texts_["actions." + name + "." + key] = text;
  }

  void open() {
    EngineOptions options;
    options.data_folder = folder_.path();
    options.stages = preset("e-commerce").value();
    options.arbiter.rules = make_action_rules(texts_, defaults_, options.stages).value();
    options.arbiter.transport = receiver_;
    options.arbiter.plan_every_seconds = 1e6;  // when a test says so
    options.arbiter.most_due = most_due_;
    options.arbiter.most_waiting = most_waiting_;
    options.arbiter.patience_seconds = 1;
    engine_ = Engine::open(options, clock_).value();
  }

  void post(std::vector<Record> records) { ASSERT_TRUE(engine_->post_and_wait(std::move(records)).ok()); }
  Record event(const std::string& user, const char* type = "Product Viewed") {
    return {random_message_id(), clock_.now_ms(), user, "item", type, Event{}};
  }
  Record traits(const std::string& user, const std::string& json) {
    return {random_message_id(), clock_.now_ms(), user, {}, {}, UserTraits{json}};
  }

  void make_users(int users, double consenting = 1) {
    std::vector<Record> records;
    for (int i = 0; i < users; ++i) {
      const std::string user = fmt::format("u{}", i);
      records.push_back(event(user));
      records.push_back(traits(user, i < consenting * users ? R"({"newsletter":true})" : R"({"newsletter":false})"));
    }
    post(std::move(records));
  }

  bool delivered(size_t count) {
    for (int i = 0; i < 1000; ++i) {
      if (receiver_->all().size() >= count && engine_->arbiter()->undelivered() == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::set<std::string> receivers() {
    std::set<std::string> users;
    for (const json::object& body : receiver_->all())
      EXPECT_TRUE(users.emplace(body.at("user_id").as_string()).second) << "twice to the same";
    return users;
  }

  TemporaryFolder folder_;
  FakeClock clock_{1'790'000'000'000};
  ActionTexts texts_;
  size_t most_due_ = 10'000, most_waiting_ = 20'000;
  ActionRules defaults_;
  std::shared_ptr<FakeReceiver> receiver_ = std::make_shared<FakeReceiver>();
  std::unique_ptr<Engine> engine_;
};

TEST_F(ArbiterTest, DecidesLogsAndHandsOver) {
  open();
  make_users(30, 0.5);
  const ActionPlan plan = engine_->arbiter()->plan_now().value();
  EXPECT_EQ(plan.decisions.size(), 15U);
  EXPECT_EQ(plan.suppressed[0][static_cast<size_t>(Suppression::consent)], 15);
  ASSERT_TRUE(delivered(15));
  const json::object body = receiver_->all().front();
  EXPECT_EQ(body.at("action"), "letter");
  EXPECT_EQ(body.at("channel"), "mail");
  EXPECT_EQ(body.at("kind"), "message");
  EXPECT_EQ(body.at("payload").at("template"), "spring");
  EXPECT_EQ(receivers().size(), 15U);
  clock_.advance(kDay);
  EXPECT_TRUE(engine_->arbiter()->plan_now()->decisions.empty()) << "they had it lately";
}

TEST_F(ArbiterTest, WithoutAReceiverThereIsAdviceOnly) {
  receiver_ = nullptr;
  open();
  make_users(3);
  Result<NextBestActions> found = engine_->next_best_actions("u1");
  for (int i = 0; i < 500 && !found.ok(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    found = engine_->next_best_actions("u1");
  }
  ASSERT_TRUE(found.ok()) << found.status().message();
  ASSERT_EQ(found->actions.size(), 1U);
  EXPECT_EQ(found->actions[0].weighed.suppression, Suppression::none);
  EXPECT_NEAR(found->actions[0].weighed.gain.value, 9, 1e-9);
  EXPECT_FALSE(found->actions[0].slate);
  EXPECT_EQ(engine_->next_best_actions("nobody").status().code(), Code::not_found);
}

TEST_F(ArbiterTest, ASlateCarriesItsItems) {
  declare("picks",
          {{"kind", "slate"}, {"channel", "mail"}, {"items", "3"}, {"worth", "100"}, {"expected_effect", "0.2"}});
  open();
  make_users(4);
  std::vector<Record> records;
  for (int item = 0; item < 9; ++item)
    records.push_back(
        {random_message_id(), clock_.now_ms(), "other", fmt::format("i{}", item), "Product Viewed", Event{}});
  post(std::move(records));
  receiver_->fails = true;
  ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  for (int i = 0; i < 1000 && engine_->arbiter()->due() > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  receiver_->fails = false;
  clock_.advance(kHour);
  ASSERT_TRUE(delivered(4));
  for (const auto& [key, bodies] : receiver_->tried) EXPECT_EQ(bodies.size(), 1U) << "the same at each attempt";
  for (const json::object& body : receiver_->all()) {
    EXPECT_EQ(body.at("action"), "picks");
    ASSERT_EQ(body.at("items").as_array().size(), 3U);
    EXPECT_TRUE(body.at("items").at(0).at("item_id").is_string());
    const std::string slate(body.at("recommendation_id").as_string());
    const SlateView kept = engine_->slate(slate).value();
    EXPECT_EQ(kept.slate.user, body.at("user_id").as_string()) << "what comes of it is credited";
    EXPECT_EQ(kept.slate.surface, "mail");
    EXPECT_EQ(kept.items.size(), 3U);
  }
  clock_.advance(40 * kDay);
  const NextBestActions found = engine_->next_best_actions("u1").value();
  ASSERT_EQ(found.actions.size(), 2U);
  ASSERT_TRUE(found.actions[0].slate);
  EXPECT_TRUE(engine_->slate(to_hex(found.actions[0].slate->id)).ok());
  EXPECT_EQ(found.actions[0].reason,
            "value within 14 days: +20.0 % [+10.2 %, +29.8 %], as declared, for nothing is learned yet");
  ASSERT_EQ(found.steps.size(), 4U);
  double of_items = 0;
  for (const NextStep& step : found.steps) of_items += step.item ? step.gain.value : 0;
  EXPECT_NEAR(of_items, 20, 1e-9);
}

TEST_F(ArbiterTest, WithoutActionsThereIsNoArbiter) {
  texts_.clear();
  open();
  EXPECT_EQ(engine_->arbiter(), nullptr);
  EXPECT_EQ(engine_->next_best_actions("u1").status().code(), Code::failed_precondition);
}

TEST_F(ArbiterTest, WhatWasDecidedBeforeARestartIsHandedOverAfterIt) {
  receiver_->fails = true;
  open();
  make_users(20);
  ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  ASSERT_TRUE(engine_->stop().ok());
  engine_ = nullptr;
  receiver_->fails = false;
  clock_.advance(kHour);
  open();
  EXPECT_TRUE(delivered(20));
  EXPECT_EQ(receivers().size(), 20U);
  EXPECT_TRUE(engine_->arbiter()->plan_now()->decisions.empty()) << "what the log holds counts";
}

TEST_F(ArbiterTest, DecidesAsFastAsItIsHandedOver) {
  most_due_ = 500;
  open();
  make_users(2'000);
  {
    const std::lock_guard slow(receiver_->mutex);  // it takes its time
    EXPECT_EQ(engine_->arbiter()->plan_now()->decisions.size(), 2'000U);
    const size_t waiting = engine_->arbiter()->undelivered();
    EXPECT_GE(waiting, 500U);
    EXPECT_LT(waiting, 1'500U) << "the others are left to the next plan";
  }
  ASSERT_TRUE(delivered(500));
  for (int plan = 0; plan < 20 && receiver_->all().size() < 2'000; ++plan)
    ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  EXPECT_TRUE(delivered(2'000));
  EXPECT_EQ(receivers().size(), 2'000U);
}

TEST_F(ArbiterTest, WhereTheRoomIsSmallMostGainGoesFirst) {
  most_due_ = 500;
  declare("call", {{"channel", "phone"}, {"worth", "1000"}, {"expected_effect", "0.1"}, {"traits", "vip"}});
  open();
  make_users(2'000);
  std::vector<Record> vips;
  for (int i = 1'500; i < 2'000; ++i) vips.push_back(traits(fmt::format("u{}", i), R"({"vip":true})"));
  post(std::move(vips));
  {
    const std::lock_guard slow(receiver_->mutex);
    ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
    EXPECT_EQ(engine_->arbiter()->undelivered(), 500U);
  }
  ASSERT_TRUE(delivered(500));
  for (const json::object& body : receiver_->all()) EXPECT_EQ(body.at("action"), "call");
}

TEST_F(ArbiterTest, NoMoreIsDecidedThanMayWait) {
  most_waiting_ = 500;
  receiver_->fails = true;
  open();
  make_users(2'000);
  ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  EXPECT_EQ(engine_->arbiter()->undelivered(), 500U) << "none of them is due, but they are there";
}

TEST_F(ArbiterTest, ConsentThatIsWithdrawnBeforeTheHandoverCounts) {
  receiver_->fails = true;
  open();
  make_users(10);
  ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  while (engine_->arbiter()->undelivered() < 10) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  post({traits("u3", R"({"newsletter":false})")});
  receiver_->fails = false;
  for (int i = 0; i < 20 && receiver_->all().size() < 9; ++i) {  // an attempt under way may fail yet, and wait anew
    clock_.advance(kHour);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  ASSERT_TRUE(delivered(9));
  EXPECT_FALSE(receivers().contains("u3"));
  ASSERT_EQ(engine_->arbiter()->dead_letters().size(), 1U);
  EXPECT_EQ(engine_->arbiter()->dead_letters()[0].reason, "consent");
}

TEST_F(ArbiterTest, WaitsForTheEndOfTheQuietHours) {
  texts_["arbiter.quiet_hours.all"] = "00:00-23:00";
  open();
  const TimeMs midnight = (clock_.now_ms() / kDay + 1) * kDay;
  clock_.set(midnight - kHour / 2);
  make_users(5);
  receiver_->fails = true;
  ASSERT_EQ(engine_->arbiter()->plan_now()->decisions.size(), 5U);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  receiver_->fails = false;
  clock_.set(midnight + kHour);  // due again, and quiet
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_TRUE(receiver_->all().empty());
  clock_.set(midnight + 23 * kHour);
  EXPECT_TRUE(delivered(5));
}

TEST_F(ArbiterTest, NothingIsHandedOverForWhoWasErased) {
  receiver_->fails = true;
  open();
  make_users(5);
  ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  std::promise<Status> erased;
  engine_->erase_user("u2", [&](const Result<AppendOutcome>& outcome) { erased.set_value(outcome.status()); });
  ASSERT_TRUE(erased.get_future().get().ok());
  receiver_->fails = false;
  clock_.advance(kHour);
  ASSERT_TRUE(delivered(4));
  EXPECT_FALSE(receivers().contains("u2"));
}

TEST_F(ArbiterTest, NoRuleIsBrokenWhileEventsComeIn) {
  texts_["arbiter.caps.all"] = "1 per 20h";
  texts_["arbiter.budgets.all"] = "50 actions per 1d";
  texts_["actions.letter.repeat"] = "5 per 30d";
  declare("note", {{"channel", "mail"}, {"worth", "50"}, {"expected_effect", "0.1"}});
  defaults_.explore_share = 0.3;
  open();
  make_users(200);
  std::atomic<bool> done = false;
  // Users say yes and no, merge and view while plans are made.
  std::thread events([&] {
    Random random(5);
    while (!done) {
      const std::string user = fmt::format("u{}", random.below(200));
      std::vector<Record> records = {event(user)};
      if (random.chance(0.5))
        records.push_back(traits(user, random.chance(0.5) ? R"({"newsletter":true})" : R"({"newsletter":false})"));
      if (random.chance(0.02))
        records.push_back(
            {random_message_id(), clock_.now_ms(), user, {}, {}, IdentityMerge{fmt::format("u{}", random.below(200))}});
      (void)engine_->post_and_wait(std::move(records));
    }
  });
  for (int step = 0; step < 60; ++step) {
    ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
    clock_.advance(5 * kHour);
  }
  done = true;
  events.join();
  ASSERT_TRUE(engine_->stop().ok());
  engine_ = nullptr;

  // The log tells, in its order, what was decided.
  const std::unique_ptr<LogReader> log = open_log_for_reading(folder_.path()).value();
  struct Decided {
    UserId user;
    TimeMs time;
  };
  std::map<std::string, Decided> decided;
  const auto visit = [&](const StoredRecord& record) {
    const auto* action = std::get_if<Action>(&record.payload);
    if (action == nullptr || action->name == kNoAction) return Status();
    int64_t today = 1;
    for (const auto& [id, other] : decided) {
      today += other.time > record.time - kDay && other.time <= record.time ? 1 : 0;
      if (other.user != record.user) continue;  // two who turn out to be one later had each their own before
      EXPECT_GE(record.time - other.time, 20 * kHour);
    }
    EXPECT_LE(today, 50);
    decided[action->action_id] = {record.user, record.time};
    return Status();
  };
  ASSERT_TRUE(log->replay(0, log->end().value(), visit).ok());
  EXPECT_GT(decided.size(), 60U);
}

TEST_F(ArbiterTest, TheControlGroupSeesThePopularListAndGetsNothing) {
  defaults_.holdout_share = 0.5;
  open();
  make_users(40);
  ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  std::set<std::string> control;
  for (int i = 0; i < 40; ++i) {
    const std::string user = fmt::format("u{}", i);
    const ServedRecommendation served = engine_->recommend({.user_id = user}, {});
    EXPECT_EQ(served.objective.variant == "control", engine_->arbiter()->holds_out(user));
    const bool seen_again = std::ranges::any_of(served.recommendation().items,
                                                [](const RecommendedItem& one) { return one.item_id == "item"; });
    EXPECT_EQ(seen_again, served.objective.variant == "control") << "who is not known has seen nothing";
    if (served.objective.variant != "control") continue;
    control.insert(user);
    EXPECT_EQ(served.objective.why, "control");
    EXPECT_EQ(served.recommendation().fallback, "control_group");
    for (const RecommendedItem& item : served.recommendation().items) EXPECT_EQ(item.source, ItemSource::popular);
  }
  EXPECT_GT(control.size(), 8U);
  ASSERT_TRUE(delivered(40 - control.size()));
  for (const std::string& user : receivers()) EXPECT_FALSE(control.contains(user));
}

TEST_F(ArbiterTest, CountsWhatItDoes) {
  open();
  make_users(10, 0.4);
  ASSERT_TRUE(engine_->arbiter()->plan_now().ok());
  ASSERT_TRUE(delivered(4));
  std::string text;  // counted after what is delivered is in the log
  for (int i = 0; i < 1000 && text.find("{outcome=\"delivered\"} 4") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    text = engine_->metrics_text();
  }
  for (const char* line :
       {"perennial_actions_decided_total{action=\"letter\"} 4",
        "perennial_actions_suppressed_total{reason=\"consent\"} 6",
        "perennial_actions_handed_over_total{outcome=\"delivered\"} 4", "perennial_actions_waiting 0"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
}

}  // namespace
}  // namespace perennial
