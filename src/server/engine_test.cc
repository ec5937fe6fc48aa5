#include "server/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "forecast/simulated_shop.h"
#include "model/bias_model.h"
#include "model/random_weights.h"
#include "model/read_features.h"
#include "recommend/serving_model.h"
#include "server/test_server.h"

namespace perennial {
namespace {

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.stages = preset("e-commerce").value();
    open();
  }

  void open() {
    options_.data_folder = folder_.path();
    Result<std::unique_ptr<Engine>> opened = Engine::open(options_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    engine_ = std::move(opened).value();
  }

  Record event(const std::string& user, const std::string& item) {
    return {random_message_id(), clock_.now_ms(), user, item, "Product Viewed", Event{}};
  }

  /// Waits for something that another thread does within moments.
  static bool soon(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  TemporaryFolder folder_;
  FakeClock clock_{1'790'000'000'000};
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, EventIsInTheStateWhenItsPostReturns) {
  for (int i = 0; i < 100; ++i) {
    const std::string user = "u" + std::to_string(i);
    ASSERT_TRUE(engine_->post_and_wait({event(user, "a")}).ok());
    ASSERT_TRUE(engine_->user(user, 10).ok());
    ASSERT_EQ(engine_->user(user, 10)->history.size(), 1u);
  }
}

TEST_F(EngineTest, WhatComesFromManyThreadsIsAllThere) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(engine_->post_and_wait({event("u" + std::to_string(t), "i" + std::to_string(i))}).ok());
        engine_->recommend({.user_id = "u" + std::to_string(t)}, {});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) EXPECT_EQ(engine_->user("u" + std::to_string(t), 1000)->history_size, 50u);
}

TEST_F(EngineTest, WithinALittleMemoryEverybodyIsKnownAndNothingNewIsTakenIn) {
  for (int batch = 0; batch < 20; ++batch) {
    std::vector<Record> records;
    for (int i = 0; i < 500; ++i)
      records.push_back(event(fmt::format("u{}", 500 * batch + i), fmt::format("i{}", i % 7)));
    ASSERT_TRUE(engine_->post_and_wait(std::move(records)).ok());
  }
  ASSERT_EQ(engine_->status().users_in_memory, 10'000u);
  ASSERT_TRUE(engine_->stop().ok());
  engine_.reset();

  options_.memory_bytes = 1 << 20;  // the program itself is larger
  open();
  EXPECT_EQ(engine_->status().users, 10'000u);
  EXPECT_LT(engine_->status().users_in_memory, 9'000u);
  for (int i = 0; i < 10'000; i += 97) {
    const Result<UserView> user = engine_->user(fmt::format("u{}", i), 10);
    ASSERT_TRUE(user.ok()) << i;
    EXPECT_EQ(user->history_size, 1u);
    EXPECT_EQ(user->history.at(0).item_id, fmt::format("i{}", i % 500 % 7));
    EXPECT_TRUE(engine_->life_story(fmt::format("u{}", i), clock_.now_ms()).ok());
  }
  EXPECT_EQ(engine_->post_and_wait({event("u1", "a")}).status().code(), Code::resource_exhausted);
  std::promise<bool> erased;
  engine_->erase_user("u2", [&](const Result<AppendOutcome>& outcome) { erased.set_value(outcome.ok()); });
  EXPECT_TRUE(erased.get_future().get()) << "an erasure is not refused";
  EXPECT_FALSE(engine_->user("u2", 10).ok());
  ASSERT_TRUE(engine_->stop().ok());
  engine_.reset();

  options_.memory_bytes = SIZE_MAX;
  open();
  EXPECT_EQ(engine_->status().users_in_memory, 9'999u);
  EXPECT_TRUE(engine_->post_and_wait({event("u1", "a")}).ok());
}

TEST_F(EngineTest, WhatAKilledSnapshotLeftIsRemoved) {
  engine_.reset();
  for (const char* name : {"state.snapshot.77.0.tmp", "lives.snapshot.77.1.tmp", "training.state.78.0.tmp"})
    ASSERT_TRUE(write_file_atomically(folder_.path() / name, "somebody's").ok());
  open();
  EXPECT_FALSE(fs::exists(folder_.path() / "state.snapshot.77.0.tmp"));
  EXPECT_FALSE(fs::exists(folder_.path() / "lives.snapshot.77.1.tmp"));
  EXPECT_TRUE(fs::exists(folder_.path() / "training.state.78.0.tmp")) << "a training may be at it";
}

TEST_F(EngineTest, ClientsCannotUseUpTheEventTypes) {
  std::vector<Record> records;
  for (int i = 0; i < 10'000; ++i) {
    records.push_back(event("u", "a"));
    records.back().type = fmt::format("type {}", i);
    EXPECT_TRUE(engine_->check_type(records.back()).ok());
  }
  ASSERT_TRUE(engine_->post_and_wait(records).ok());
  EXPECT_TRUE(engine_->check_type(records.front()).ok()) << "one that is known";
  EXPECT_EQ(engine_->check_type(event("u", "a")).code(), Code::invalid_argument);
}

TEST_F(EngineTest, PopularItemComesFirst) {
  std::vector<Record> records;
  for (int i = 0; i < 10; ++i) records.push_back(event("u" + std::to_string(i), "hit"));
  records.push_back(event("u1", "miss"));
  ASSERT_TRUE(engine_->post_and_wait(records).ok());
  EXPECT_TRUE(soon([&] {
    const ServedRecommendation served = engine_->recommend({.user_id = "new"}, {});
    return served.recommendation().items.size() == 2 && served.recommendation().items[0].item_id == "hit" &&
           served.recommendation().items[0].score > served.recommendation().items[1].score;
  }));
}

TEST_F(EngineTest, AnonymousHistoryIsUsedWhenTheUserHasNone) {
  ASSERT_TRUE(engine_->post_and_wait({event("anonymous", "a"), event("other", "b")}).ok());
  const ServedRecommendation served =
      engine_->recommend({.user_id = "unheard"}, {.anonymous_id = "anonymous", .context = ""});
  ASSERT_EQ(served.recommendation().items.size(), 1u);
  EXPECT_EQ(served.recommendation().items[0].item_id, "b");
}

TEST_F(EngineTest, SlateWithoutAUserIsLoggedAndCredited) {
  ASSERT_TRUE(engine_->post_and_wait({event("u", "a")}).ok());
  const std::string id = to_hex(engine_->recommend({}, {}).id);
  Record click = event("passer-by", "a");
  std::get<Event>(click.payload).recommendation_id = id;
  ASSERT_TRUE(engine_->post_and_wait({click}).ok());
  const Result<SlateView> slate = engine_->slate(id);
  ASSERT_TRUE(slate.ok());
  EXPECT_EQ(slate->slate.user, "");
  EXPECT_EQ(slate->items, std::vector<std::string>{"a"});
  ASSERT_EQ(slate->feedback.size(), 1u);
  EXPECT_EQ(slate->feedback[0].user_id, "passer-by");
  ASSERT_TRUE(engine_->stop().ok());
  engine_.reset();
  open();
  EXPECT_TRUE(engine_->slate(id).ok());
}

TEST_F(EngineTest, SnapshotIsSavedAfterSoManyRecords) {
  engine_.reset();
  options_.snapshot_every_records = 5;
  open();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(engine_->post_and_wait({event("u", "a")}).ok());
  EXPECT_TRUE(soon([&] { return engine_->status().snapshot_offset >= 5; }));
  EXPECT_TRUE(fs::exists(folder_.path() / "state.snapshot"));
}

TEST_F(EngineTest, ErasureRewritesTheSnapshotSoon) {
  ASSERT_TRUE(engine_
                  ->post_and_wait({event("una", "a"),
                                   {random_message_id(), 1000, "una", {}, {}, UserTraits{R"({"name":"Secret"})"}}})
                  .ok());
  ASSERT_TRUE(engine_->stop().ok());
  engine_.reset();
  const auto snapshot = [&] { return read_file(folder_.path() / "state.snapshot").value(); };
  const auto lives = [&] { return read_file(folder_.path() / "lives.snapshot").value(); };
  ASSERT_TRUE(has(snapshot(), "Secret"));
  const size_t lives_before = lives().size();
  open();
  std::atomic<bool> erased{false};
  engine_->erase_user("una", [&](const Result<AppendOutcome>& outcome) { erased = outcome.ok(); });
  EXPECT_TRUE(soon([&] { return erased.load(); }));
  EXPECT_TRUE(soon([&] { return snapshot().find("Secret") == std::string::npos; }));
  EXPECT_TRUE(soon([&] { return lives().size() < lives_before; }));
}

TEST_F(EngineTest, StagesMoveByEventsAndByTimeAloneAndARestartKnowsThem) {
  const auto order = [&](const char* user) {
    return Record{random_message_id(), clock_.now_ms(), user, {}, "Order Completed", Event{}};
  };
  ASSERT_TRUE(engine_->post_and_wait({order("una"), event("oto", "a")}).ok());
  EXPECT_EQ(engine_->recommend({.user_id = "una"}, {}).standing.stage, Stage::activation);
  EXPECT_EQ(engine_->recommend({.user_id = "nobody"}, {}).standing, Standing());
  EXPECT_TRUE(has(engine_->metrics_text(), "perennial_lifecycle_users{stage=\"activation\"} 1"));
  EXPECT_TRUE(
      has(engine_->metrics_text(), "perennial_lifecycle_transitions_total{from=\"acquisition\",to=\"activation\"} 1"));
  const TimeMs then = clock_.now_ms();
  clock_.advance(61 * 86'400'000LL);
  EXPECT_EQ(engine_->recommend({.user_id = "una"}, {}).standing.overlay, Overlay::at_risk) << "at once, when asked";
  EXPECT_TRUE(soon([&] {
    return engine_->metrics_text().find("overlay_users{overlay=\"at_risk\"} 1") != std::string::npos;
  })) << "oto never did anything of value";
  ASSERT_TRUE(engine_->stop().ok());
  engine_.reset();
  ASSERT_TRUE(fs::exists(folder_.path() / "lives.snapshot"));
  open();
  const LifeStory story = engine_->life_story("una", clock_.now_ms()).value();
  ASSERT_EQ(story.changes.size(), 2U);
  EXPECT_EQ(story.changes[0].cause, "Order Completed");
  EXPECT_EQ(story.changes[0].transition.time, then);
  EXPECT_EQ(story.changes[1].cause, "silence");
  EXPECT_EQ(engine_->count_stages_at(then).in(Stage::activation), 1);
  EXPECT_EQ(engine_->count_stages_at(then - 1).all(), 0);
}

TEST_F(EngineTest, AForecastOfChurnTurnsTheListTowardsWinningBack) {
  engine_.reset();
  options_.objectives.enabled = true;
  options_.objectives.overlays[static_cast<size_t>(Overlay::at_risk)].revisit = 2;
  open();
  ASSERT_TRUE(
      engine_->post_and_wait({{random_message_id(), clock_.now_ms(), "una", {}, "Order Completed", Event{}}}).ok());
  const auto revisit = [&] { return engine_->recommend({.user_id = "una"}, {}).objective.objective.weights.revisit; };
  EXPECT_EQ(revisit(), 0) << "nothing is forecast";
  const SimulatedShop shop(3000, 500, 21);
  ASSERT_TRUE(save_forecasts(folder_.path(), Forecasts::fit(shop.definition(), shop.subjects(), shop.until())).ok());
  ASSERT_TRUE(engine_->stop().ok());
  engine_.reset();
  open();
  const double at_first = revisit();
  EXPECT_GT(at_first, 0);
  EXPECT_LT(at_first, 2);
  clock_.advance(40 * 86'400'000LL);
  EXPECT_GT(revisit(), at_first) << "silence makes churn likelier";
}

TEST_F(EngineTest, ASnapshotOfOtherSignalsIsMadeAnew) {
  ASSERT_TRUE(engine_->post_and_wait({event("una", "a"), event("una", "b"), event("una", "c")}).ok());
  EXPECT_EQ(engine_->recommend({.user_id = "una"}, {}).standing.stage, Stage::acquisition);
  ASSERT_TRUE(engine_->stop().ok());
  engine_.reset();
  DefinitionText views;
  views.signals["value"] = "Product Viewed";
  options_.stages = make_definition(views).value();
  open();
  EXPECT_EQ(engine_->recommend({.user_id = "una"}, {}).standing.stage, Stage::retention);
}

TEST_F(EngineTest, NewModelIsLoadedWhenItIsPublishedAndABadOneIsNot) {
  engine_.reset();
  std::atomic<int> loads{0};
  options_.watch_every_seconds = 0;
  options_.load_model = [&](const fs::path& folder, const Dictionary&, const Dictionary&) {
    ++loads;
    EXPECT_EQ(folder, folder_.path());
    return Result<std::shared_ptr<const ServingModel>>(data_loss("it is broken"));
  };
  open();
  EXPECT_EQ(loads, 0) << "there is no model to load";
  ASSERT_TRUE(make_folder(folder_.path() / "models").ok());
  ASSERT_TRUE(write_file_atomically(folder_.path() / "models" / "current", "one").ok());
  EXPECT_TRUE(soon([&] { return loads == 1; }));
  EXPECT_TRUE(
      soon([&] { return engine_->metrics_text().find("perennial_model_loads_failed_total 1") != std::string::npos; }));
  EXPECT_EQ(engine_->status().model, "none");
  ASSERT_TRUE(write_file_atomically(folder_.path() / "models" / "current", "two").ok());
  EXPECT_TRUE(soon([&] { return loads == 2; }));
  ASSERT_TRUE(engine_->stop().ok());
  EXPECT_EQ(loads, 2) << "the same file is loaded once";
}

TEST_F(EngineTest, AnswersKnowWhatHappenedSinceTheLastOneAsAFreshStartDoes) {
  engine_.reset();
  options_.load_model = load_serving_model;
  options_.history_limit = 64;
  ModelConfig config = small_config();
  config.event_types = {"Product Viewed", "Order Completed"};
  config.id = "random";
  std::vector<std::string> items;
  for (int item = 0; item < config.items; ++item) items.push_back(fmt::format("item-{}", item));
  open();
  for (const std::string& item : items) ASSERT_TRUE(engine_->post_and_wait({event("first", item)}).ok());
  ASSERT_TRUE(save_model(folder_.path(), config, random_weights(config, 1), items, "").ok());
  engine_.reset();
  open();
  const auto scores_of = [&](const std::string& user) {
    const RecommendRequest request{.user_id = user, .count = 20, .exclude_seen = false};
    std::map<std::string, float> scores;
    for (const RecommendedItem& item : engine_->recommend(request, {}).recommendation().items)
      if (item.source == ItemSource::transformer) scores[item.item_id] = item.score;
    return scores;
  };
  Random random(3);
  std::map<std::string, std::map<std::string, float>> answers;
  for (int step = 0; step < 400; ++step) {
    const std::string user = fmt::format("u{}", random.below(5));
    clock_.advance(static_cast<TimeMs>(random.below(1'000'000)));
    Record record = event(user, items[random.below(items.size())]);
    if (random.chance(0.1)) record.time -= static_cast<TimeMs>(random.below(10'000'000));
    if (random.chance(0.02))
      record = {random_message_id(), clock_.now_ms(), user, {}, {}, IdentityMerge{fmt::format("u{}", random.below(5))}};
    ASSERT_TRUE(engine_->post_and_wait({record}).ok());
    if (random.chance(0.5)) answers[user] = scores_of(user);
  }
  for (int user = 0; user < 5; ++user) answers[fmt::format("u{}", user)] = scores_of(fmt::format("u{}", user));
  EXPECT_NE(engine_->metrics_text().find("perennial_user_vectors "), std::string::npos);
  engine_.reset();
  open();
  for (const auto& [user, before] : answers) {
    const auto anew = scores_of(user);
    ASSERT_EQ(anew.size(), items.size()) << user;
    for (const auto& [item, score] : anew) EXPECT_NEAR(before.at(item), score, 1e-3) << user << " " << item;
  }
}

/// Whatever happens between two questions: explained lists are made anew each time.
TEST_F(EngineTest, ListsThatAreKeptAreThoseThatWouldBeMadeNow) {
  engine_.reset();
  options_.watch_every_seconds = 0;
  options_.load_model = load_serving_model;
  options_.objectives.enabled = true;
  options_.objectives.stages[static_cast<size_t>(Stage::activation)] = {.money = 0.5, .breadth = 1};
  options_.objectives.overlays[static_cast<size_t>(Overlay::at_risk)].breadth = 2;
  ModelConfig config = small_config();
  config.event_types = {"Product Viewed", "Order Completed"};
  config.features = {"trait:plan=pro", "device:mobile"};
  for (int hour = 0; hour < 24; ++hour) config.features.push_back(hour_feature(hour));
  for (int day = 0; day < 7; ++day) config.features.push_back(weekday_feature(day));
  std::vector<std::string> items;
  for (int item = 0; item < config.items + 3; ++item) items.push_back(fmt::format("item-{}", item));
  open();
  for (const std::string& item : items) ASSERT_TRUE(engine_->post_and_wait({event("first", item)}).ok());
  items.resize(static_cast<size_t>(config.items));
  const auto publish = [&](uint64_t seed) {
    config.id = fmt::format("model-{}", seed);
    ASSERT_TRUE(save_model(folder_.path(), config, random_weights(config, seed), items, "").ok());
    ASSERT_TRUE(soon([&] { return engine_->status().model == config.id; }));
  };
  Random random(5);
  const auto some_user = [&] { return fmt::format("u{}", random.below(4)); };
  const auto some_item = [&] { return items[random.below(items.size())]; };
  const auto some_record = [&] {
    Record record = event(some_user(), some_item());
    switch (random.below(8)) {
      case 0:
        record.time -= static_cast<TimeMs>(random.below(10'000'000));
        break;
      case 1:
        record.type = "dislike";
        break;
      case 2:
        record.type = "Order Completed";
        break;
      case 3:
        record = {random_message_id(), clock_.now_ms(), some_user(), {}, {}, UserTraits{R"({"plan": "pro"})"}};
        break;
      case 4:
        record = {random_message_id(), clock_.now_ms(), "visitor", {}, {}, IdentityMerge{some_user()}};
        break;
      case 5:
      case 6:
        record = {random_message_id(),
                  clock_.now_ms(),
                  {},
                  some_item(),
                  {},
                  ItemUpsert{fmt::format(R"({{"price": {}, "category": "c{}", "available": {}}})", random.below(100),
                                         random.below(3), random.chance(0.8))}};
        break;
      default:
        break;
    }
    return record;
  };
  const auto told = [&](RecommendRequest request, bool explain) {
    request.explain = explain;
    const ServedRecommendation served = engine_->recommend(request, {});
    std::string text = served.recommendation().model + served.recommendation().fallback;
    const Result<json::value> shown = parse_json("{" + served.list->members + "}");
    EXPECT_TRUE(shown.ok());
    const json::array& items_shown = shown->get_object().at("items").get_array();
    for (const char* member : {"variant", "stage", "overlay", "objective"})
      text += json::serialize(shown->get_object().at(member));
    for (size_t i = 0; i < served.recommendation().items.size(); ++i) {
      const RecommendedItem& item = served.recommendation().items[i];
      const json::value* price = find_field(items_shown.at(i).get_object(), "price");
      text += fmt::format(" {} {:.3f} {} {};", item.item_id, item.score, source_name(item.source),
                          price == nullptr ? "-" : json::serialize(*price));
    }
    return text;
  };
  for (int step = 0; step < 1500; ++step) {
    if (step % 500 == 0) publish(static_cast<uint64_t>(step));
    if (step % 300 == 100) {
      const std::string rules = fmt::format(
          R"({{"rules": [{{"name": "a", "pin": ["later-{}"], "exclude": ["{}"]}},)"
          R"({{"name": "b", "surfaces": ["cart"], "boost": [{{"filter": {{"category": "c1"}}, "by": 2}}]}}]}})",
          step, some_item());
      ASSERT_TRUE(write_file_atomically(folder_.path() / "rules.json", rules).ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(250));  // until it has been read
    }
    if (step % 300 == 200) {
      ASSERT_TRUE(engine_->post_and_wait({event("u0", fmt::format("later-{}", step - 100))}).ok());
    }
    if (random.chance(0.02)) {
      options_.objectives.enabled = random.chance(0.8);
      options_.objectives.stages[static_cast<size_t>(Stage::activation)].money = random.uniform();
      engine_->set_objectives(options_.objectives);
    }
    if (random.chance(0.01)) {
      std::promise<void> erased;
      engine_->erase_user(some_user(), [&](const Result<AppendOutcome>&) { erased.set_value(); });
      erased.get_future().wait();
    }
    if (random.chance(0.1)) clock_.advance(static_cast<TimeMs>(random.below(10'000'000)));
    if (random.chance(0.5)) {
      ASSERT_TRUE(engine_->post_and_wait({some_record()}).ok());
    }
    RecommendRequest request{.user_id = random.chance(0.2) ? "visitor" : some_user(),
                             .count = random.chance(0.7) ? 5 : 25,
                             .exclude_seen = random.chance(0.8)};
    if (random.chance(0.1)) request.user_id = "nobody";
    if (random.chance(0.1)) request.context.device = "mobile";
    if (random.chance(0.1)) request.similar_to = some_item();
    if (random.chance(0.1)) request.controls.filter.ranges = {{"price", 20, 80}};
    if (random.chance(0.1)) request.controls.pin = {items[3]};
    if (random.chance(0.1)) request.surface = "cart";
    if (random.chance(0.05)) request.session_items = {some_item()};
    std::string kept, made;
    for (int attempt = 0; attempt < 3 && (attempt == 0 || kept != made); ++attempt) {  // popularity may come between
      kept = told(request, false);
      made = told(request, true);
    }
    ASSERT_EQ(kept, made) << "step " << step;
  }
  const std::string metrics = engine_->metrics_text();
  const size_t at = metrics.find("\nperennial_recommend_kept_total ");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::stod(metrics.substr(at + 32)), 50);
  EXPECT_NE(engine_->recommend({}, {}).id, engine_->recommend({}, {}).id);
}

TEST_F(EngineTest, AnErasedUsersListsAreForgottenUnderEveryName) {
  const auto kept_bytes = [&] {
    const std::string metrics = engine_->metrics_text();
    return std::stod(metrics.substr(metrics.find("\nperennial_kept_list_bytes ") + 27));
  };
  ASSERT_TRUE(engine_->post_and_wait({event("visitor", "a"), event("u", "b")}).ok());
  engine_->recommend({.user_id = "visitor"}, {});
  const Record merge{random_message_id(), clock_.now_ms(), "visitor", {}, {}, IdentityMerge{"u"}};
  ASSERT_TRUE(engine_->post_and_wait({merge}).ok());
  engine_->recommend({.user_id = "u"}, {});
  EXPECT_GT(kept_bytes(), 0);
  std::promise<void> erased;
  engine_->erase_user("u", [&](const Result<AppendOutcome>&) { erased.set_value(); });
  erased.get_future().wait();
  EXPECT_EQ(kept_bytes(), 0);
}

TEST_F(EngineTest, AStrangersListFollowsWhatBecomesPopular) {
  ASSERT_TRUE(engine_->post_and_wait({event("u", "a"), event("v", "a"), event("v", "b")}).ok());
  const auto first = [&] { return engine_->recommend({}, {}).recommendation().items.at(0).item_id; };
  EXPECT_TRUE(soon([&] { return first() == "a"; }));
  ASSERT_TRUE(engine_->post_and_wait({event("w", "b"), event("x", "b")}).ok());
  EXPECT_TRUE(soon([&] { return first() == "b"; }));
}

TEST_F(EngineTest, AnItemThatIsPinnedBeforeItIsKnownComesToTheFrontOnceItIs) {
  engine_.reset();
  options_.load_model = load_serving_model;
  open();
  ASSERT_TRUE(engine_->post_and_wait({event("u", "a"), event("v", "b"), event("v", "c")}).ok());
  engine_.reset();
  ASSERT_TRUE(publish_bias_model(folder_.path(), "model", {"a", "b", "c"}, {0, 2, 1}).ok());
  open();
  const auto first = [&] {
    RecommendRequest request{.user_id = "u", .count = 2};  // as many as the model has that u has not seen
    request.controls.pin = {"later"};
    return engine_->recommend(request, {}).recommendation().items.at(0).item_id;
  };
  EXPECT_EQ(first(), "b");
  EXPECT_EQ(first(), "b");
  ASSERT_TRUE(engine_->post_and_wait({event("v", "later")}).ok());
  EXPECT_EQ(first(), "later");
}

TEST_F(EngineTest, RulesThatExploreGiveAnotherListEachTime) {
  std::vector<Record> records;
  for (int item = 0; item < 20; ++item) records.push_back(event("u", fmt::format("i{}", item)));
  ASSERT_TRUE(engine_->post_and_wait(records).ok());
  engine_.reset();
  ASSERT_TRUE(
      write_file_atomically(folder_.path() / "rules.json", R"({"rules": [{"name": "try", "explore": 1}]})").ok());
  open();
  std::set<std::string> first;
  for (int i = 0; i < 50; ++i) first.insert(engine_->recommend({}, {}).recommendation().items.at(0).item_id);
  EXPECT_GT(first.size(), 5u);
}

TEST_F(EngineTest, PublishedModelsAreSwappedWhileRequestsGoOn) {
  engine_.reset();
  options_.watch_every_seconds = 0;
  options_.load_model = load_serving_model;
  open();
  ASSERT_TRUE(engine_->post_and_wait({event("u", "a"), event("v", "b"), event("v", "c")}).ok());
  const auto served = [&] { return engine_->recommend({.user_id = "u"}, {}).recommendation(); };
  EXPECT_EQ(served().fallback, "no_model");

  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread traffic([&] {
    while (!done) {
      const Recommendation each = served();
      const bool first_wins = each.model == "first" && each.items.at(0).item_id == "b";
      const bool second_wins = each.model == "second" && each.items.at(0).item_id == "c";
      wrong += !(first_wins || second_wins || each.model == "none") || each.items.size() != 2;
    }
  });
  ASSERT_TRUE(publish_bias_model(folder_.path(), "first", {"a", "b", "c"}, {0, 2, 1}).ok());
  EXPECT_TRUE(soon([&] { return served().model == "first"; }));
  ASSERT_TRUE(publish_bias_model(folder_.path(), "second", {"a", "b", "c"}, {0, 1, 2}).ok());
  EXPECT_TRUE(soon([&] { return served().model == "second"; }));
  done = true;
  traffic.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(served().items.at(0).source, ItemSource::transformer);

  ASSERT_TRUE(publish_bias_model(folder_.path(), "of other data", {"x", "y", "z"}, {0, 1, 2}).ok());
  EXPECT_TRUE(
      soon([&] { return engine_->metrics_text().find("perennial_model_loads_failed_total 1") != std::string::npos; }));
  EXPECT_EQ(served().model, "second") << "the model before stays";
}

}  // namespace
}  // namespace perennial
