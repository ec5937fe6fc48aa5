#include "recommend/recommender.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/temporary_folder.h"
#include "model/bias_model.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr EventTypeId kViewed = 0;
constexpr EventTypeId kNotInterested = 1;
constexpr EventTypeId kOrdered = 2;
constexpr TimeMs kNow = 1'700'000'000'000;

class RecommenderTest : public ::testing::Test {
 protected:
  RecommenderTest() {
    types_.add("Product Viewed");
    types_.add("Not Interested");
    types_.add("Order Completed");
    for (int item = 0; item < 6; ++item) items_.add(fmt::format("item-{}", item));
  }

  void view(UserId user, ItemId item, TimeMs time) { event(user, item, time, kViewed); }

  void event(UserId user, ItemId item, TimeMs time, EventTypeId type) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.item = item;
    record.type = type;
    record.time = time;
    record.payload = Event{};
    state_.apply(record);
  }

  void item_record(ItemId item, Payload payload) {
    StoredRecord record;
    record.offset = ++offset_;
    record.item = item;
    record.payload = std::move(payload);
    state_.apply(record);
  }

  void describe(ItemId item, const char* fields) { item_record(item, ItemUpsert{fields}); }

  /// Of 60 who look at each of the six items, `buyers[item]` buy it. The lookers are strangers to each other.
  void looks_and_orders(const std::vector<int>& buyers) {
    for (ItemId item = 0; item < buyers.size(); ++item)
      for (UserId user = 0; user < 60; ++user) {
        const UserId id = 1'000 + item * 100 + user;
        view(id, item, kNow - 20 * kDay);
        if (static_cast<int>(user) < buyers[item]) event(id, item, kNow - 20 * kDay + 1, kOrdered);
      }
    view(9'999, 5, kNow);  // so that those encounters are over
    recommender_.refresh_outcomes(state_, {.value = {false, false, true}, .sharing = {}});
  }

  /// A model that ranks by these biases.
  void use_model(const std::vector<float>& biases) {
    std::vector<std::string> names;
    for (ItemId item = 0; item < biases.size(); ++item) names.push_back(items_.name(item));
    ASSERT_TRUE(publish_bias_model(folder_.path(), "biases", names, biases).ok());
    Result<std::shared_ptr<const ServingModel>> model = load_serving_model(folder_.path(), items_, types_);
    ASSERT_TRUE(model.ok()) << model.status().message();
    recommender_.set_model(*std::move(model));
  }

  static RecommendRequest aiming(const ObjectiveWeights& weights, int count = 6) {
    return {.count = count, .exclude_seen = false, .objective = {"first_value", weights}};
  }

  std::vector<std::string> ids(std::optional<UserId> user, RecommendRequest request = {}) {
    recommender_.refresh_popularity(state_);
    last_ = recommender_.recommend(state_, user, request, kNow);
    std::vector<std::string> ids;
    for (const RecommendedItem& item : last_.items) ids.push_back(item.item_id);
    return ids;
  }

  static bool shows(const std::vector<std::string>& ids, const char* item) {
    return std::count(ids.begin(), ids.end(), item) > 0;
  }

  Dictionary types_;
  Dictionary items_;
  State state_{EventRoles(), types_, 64};
  TemporaryFolder folder_;
  Recommender recommender_{items_};
  Recommendation last_;
  Offset offset_ = 0;
};

TEST_F(RecommenderTest, WithoutAModelAnUnknownUserGetsWhatIsPopularAndIsTold) {
  view(0, 2, kNow);
  view(1, 2, kNow);
  view(1, 4, kNow);
  EXPECT_EQ(ids(std::nullopt, {.count = 2}), (std::vector<std::string>{"item-2", "item-4"}));
  EXPECT_EQ(last_.fallback, "no_model");
  EXPECT_EQ(last_.items[0].source, ItemSource::popular);
  EXPECT_EQ(last_.model, "none");
}

TEST_F(RecommenderTest, ItemsNewerThanTheModelComeBehindThoseThatItKnows) {
  use_model({-1, -2, -3, -4});  // of six
  view(0, 5, kNow);
  RecommendRequest all{.count = 6};
  all.exclude_seen = false;
  EXPECT_EQ(ids(0, all), (std::vector<std::string>{"item-0", "item-1", "item-2", "item-3", "item-5", "item-4"}));
  EXPECT_EQ(last_.items[3].source, ItemSource::transformer);
  EXPECT_EQ(last_.items[4].source, ItemSource::popular);
}

TEST_F(RecommenderTest, OldEventsWeighLessThanNewOnes) {
  view(0, 1, kNow - 90 * kDay);
  view(1, 1, kNow - 90 * kDay);
  view(2, 3, kNow);
  EXPECT_EQ(ids(std::nullopt, {.count = 1}), (std::vector<std::string>{"item-3"}));
}

TEST_F(RecommenderTest, SeenItemsAreLeftOutOnWishOnly) {
  view(0, 2, kNow);
  view(0, 4, kNow);
  view(1, 5, kNow);
  const auto without = ids(0, {.count = 6});
  EXPECT_EQ(std::count(without.begin(), without.end(), "item-2"), 0);
  EXPECT_EQ(std::count(without.begin(), without.end(), "item-4"), 0);
  EXPECT_EQ(std::count(without.begin(), without.end(), "item-5"), 1);
  RecommendRequest all{.count = 6};
  all.exclude_seen = false;
  const auto with = ids(0, all);
  EXPECT_EQ(std::count(with.begin(), with.end(), "item-2"), 1);
}

TEST_F(RecommenderTest, WhatTheUserSpokeAgainstIsNotShownToThemUntilTheyComeBackToIt) {
  view(1, 2, kNow);
  event(0, 2, kNow - 1, kNotInterested);
  RecommendRequest all{.count = 6};
  all.exclude_seen = false;
  EXPECT_FALSE(shows(ids(0, all), "item-2"));
  EXPECT_TRUE(shows(ids(1, all), "item-2")) << "it is another user's word";
  view(0, 2, kNow);
  EXPECT_TRUE(shows(ids(0, all), "item-2"));
}

TEST_F(RecommenderTest, WithdrawnAndDeletedItemsAreNeverShown) {
  view(0, 1, kNow);
  view(1, 2, kNow);
  view(2, 3, kNow);
  item_record(1, ItemUpsert{R"({"available":false})"});
  item_record(2, ItemDelete{});
  const auto shown = ids(std::nullopt, {.count = 6});
  EXPECT_EQ(std::count(shown.begin(), shown.end(), "item-1"), 0);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), "item-2"), 0);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), "item-3"), 1);
}

TEST_F(RecommenderTest, AnObjectiveMovesWhatTheModelRanks) {
  use_model({0.5F, 0.2F, 0.3F, 0.15F, 0.1F, -9});
  looks_and_orders({3, 30, 3, 3, 40, 40});
  view(0, 0, kNow - kDay);
  RecommendRequest request = aiming({.conversion = 1});
  request.explain = true;
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-4", "item-1", "item-0", "item-2", "item-3", "item-5"}));
  const RecommendedItem& first = last_.items[0];
  EXPECT_EQ(first.source, ItemSource::transformer);
  EXPECT_NEAR(first.score - first.adjustment, 0.1, 1e-6) << "the model's own score can be told";
  EXPECT_GT(first.adjustment, 0);
  ASSERT_FALSE(first.reasons.empty());
  EXPECT_EQ(first.reasons[0].code, "objective");
  EXPECT_EQ(first.reasons[0].text, "A good first choice");
  EXPECT_EQ(first.reasons[0].evidence, "conversion");
  EXPECT_TRUE(last_.items[2].reasons.empty()) << "it was not lifted";
  EXPECT_EQ(last_.items[5].item_id, "item-5") << "bought by most, but liked far less than the others";
}

TEST_F(RecommenderTest, AnObjectiveMovesWhatIsPopularToo) {
  looks_and_orders({3, 3, 40, 3, 3, 3});
  for (UserId user = 0; user < 40; ++user) view(user, 1, kNow);
  EXPECT_EQ(ids(std::nullopt, aiming({}, 1)), (std::vector<std::string>{"item-1"}));
  const float plain = last_.items[0].score;
  const std::vector<std::string> moved = ids(std::nullopt, aiming({.conversion = 1}));
  EXPECT_EQ(moved[0], "item-2");
  EXPECT_EQ(moved[1], "item-1");
  EXPECT_EQ(last_.fallback, "no_model");
  EXPECT_NEAR(last_.items[1].score / std::exp(last_.items[1].adjustment), plain, 1e-3);
  for (size_t i = 1; i < last_.items.size(); ++i) EXPECT_LE(last_.items[i].score, last_.items[i - 1].score);
}

TEST_F(RecommenderTest, WhatNobodyTouchedComesLastWhateverTheObjective) {
  view(0, 3, kNow);
  for (ItemId item = 0; item < 6; ++item) describe(item, item == 3 ? R"({"category":"a"})" : R"({"category":"b"})");
  recommender_.refresh_outcomes(state_, {});
  EXPECT_EQ(ids(0, aiming({.breadth = 100})),
            (std::vector<std::string>{"item-3", "item-0", "item-1", "item-2", "item-4", "item-5"}));
}

TEST_F(RecommenderTest, WithoutWeightsTheListIsThePlainOneToTheBit) {
  use_model({0.5F, 0.4F, 0.1F + 0.2F, 0.3F, 1e-7F, -9});
  looks_and_orders({3, 30, 3, 3, 40, 40});
  view(0, 0, kNow - kDay);
  for (const std::optional<UserId> user : {std::optional<UserId>(0), std::optional<UserId>()}) {
    const auto plain_ids = ids(user, {.exclude_seen = false});
    const Recommendation plain = last_;
    EXPECT_EQ(ids(user, aiming({}, 10)), plain_ids);
    for (size_t i = 0; i < plain.items.size(); ++i) {
      EXPECT_EQ(last_.items[i].score, plain.items[i].score);
      EXPECT_EQ(last_.items[i].adjustment, 0);
    }
  }
}

TEST_F(RecommenderTest, BreadthLooksAtTheUsersOwnCategories) {
  use_model({0.5F, 0.4F, 0.3F, 0.2F, 0.1F, 0});
  for (ItemId item = 0; item < 6; ++item) describe(item, item < 3 ? R"({"category":"a"})" : R"({"category":"b"})");
  view(0, 0, kNow - kDay);
  view(1, 4, kNow - kDay);
  recommender_.refresh_outcomes(state_, {});
  EXPECT_EQ(ids(0, aiming({.breadth = 1}, 3)), (std::vector<std::string>{"item-3", "item-0", "item-1"}));
  EXPECT_EQ(ids(1, aiming({.breadth = 1}, 3)), (std::vector<std::string>{"item-0", "item-1", "item-2"}));
}

TEST_F(RecommenderTest, AnEmptyShopAnswersWithAnEmptyList) {
  const Dictionary no_items;
  Recommender recommender(no_items);
  EXPECT_TRUE(recommender.recommend(state_, std::nullopt, {}, kNow).items.empty());
}

TEST_F(RecommenderTest, FiltersAndListsOfIdsLeaveWhatTheyAllow) {
  use_model({6, 5, 4, 3, 2, 1});
  view(0, 5, kNow);
  for (const ItemId item : {1U, 3U, 4U}) describe(item, R"({"brand":"acme"})");
  RecommendRequest request;
  request.controls.filter = parse_item_filter(parse_json_object(R"({"brand":"acme"})").value()).value();
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-1", "item-3", "item-4"}));
  request.controls.exclude = {"item-1", "unheard of"};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-3", "item-4"}));
  request.controls.include = std::vector<std::string>{"item-4", "item-0", "unheard of"};
  EXPECT_EQ(ids(0, request), std::vector<std::string>{"item-4"});
  describe(4, R"({"brand":"other"})");
  recommender_.item_changed(4);
  EXPECT_EQ(ids(0, request), std::vector<std::string>{});
  EXPECT_EQ(ids(std::nullopt, request), std::vector<std::string>{}) << "what is popular is filtered too";
}

TEST_F(RecommenderTest, SeenLongAgoMayComeAgain) {
  use_model({6, 5, 4, 3, 2, 1});
  view(0, 0, kNow - 40 * kDay);
  view(0, 1, kNow - 5 * kDay);
  EXPECT_EQ(ids(0, {.count = 2}), (std::vector<std::string>{"item-2", "item-3"}));
  EXPECT_EQ(ids(0, {.count = 2, .seen_within = 30 * kDay}), (std::vector<std::string>{"item-0", "item-2"}));
  event(0, 0, kNow, kNotInterested);
  EXPECT_EQ(ids(0, {.count = 2, .seen_within = 30 * kDay}), (std::vector<std::string>{"item-2", "item-3"}));
}

TEST_F(RecommenderTest, PinnedItemsComeFirstIfTheyMayBeShown) {
  use_model({6, 5, 4, 3, 2, 1});
  view(0, 5, kNow);
  describe(2, R"({"available":false})");
  RecommendRequest request{.count = 4, .explain = true};
  request.controls.pin = {"item-4", "item-2", "item-5", "item-4", "unheard of"};
  request.controls.exclude = {"item-1"};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-4", "item-5", "item-0", "item-3"}));
  EXPECT_EQ(last_.items[0].source, ItemSource::pinned);
  EXPECT_EQ(last_.items[0].reasons.at(0).code, "pinned");
  EXPECT_EQ(last_.items[2].source, ItemSource::transformer);
  items_.add("newer than the model");
  request.controls.pin = {"newer than the model"};
  EXPECT_EQ(ids(0, request).at(0), "newer than the model");
}

TEST_F(RecommenderTest, BoostsBringItemsFromFarBelow) {
  std::vector<float> biases;
  for (int item = 0; item < 2000; ++item) {
    if (item >= 6) items_.add(fmt::format("item-{}", item));
    biases.push_back(static_cast<float>(-0.01 * item));
  }
  use_model(biases);
  view(0, 0, kNow);
  describe(1999, R"({"brand":"acme"})");
  for (const ItemId item : {1U, 2U}) describe(item, R"({"brand":"other"})");
  RecommendRequest request{.count = 3, .explain = true};
  const auto brand = [](const char* name) { return parse_item_filter(json::object{{"brand", name}}).value(); };
  request.controls.boosts = {{brand("acme"), 10, "launch"}};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-1", "item-2", "item-3"})) << "20 below";
  request.controls.boosts[0].by = 19.975;
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-1", "item-1999", "item-2"}));
  EXPECT_EQ(last_.items[1].reasons.at(0).code, "boosted");
  EXPECT_EQ(last_.items[1].reasons.at(0).evidence, "launch");
  EXPECT_NEAR(last_.items[1].adjustment, 19.975, 1e-5);
  request.controls.boosts = {{brand("other"), -30, ""}};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-3", "item-4", "item-5"}));
}

TEST_F(RecommenderTest, CapsHoldOverPinnedModelledAndPopularItems) {
  use_model({6, 5, 4});  // of three of the six
  view(0, 5, kNow);
  for (const ItemId item : {0U, 1U, 2U, 3U}) describe(item, R"({"category":"shoes"})");
  RecommendRequest request{.count = 6, .exclude_seen = false};
  request.controls.most_a_category = 2;
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-0", "item-1", "item-5", "item-4"}));
  request.controls.pin = {"item-3"};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-3", "item-0", "item-5", "item-4"}));
}

TEST_F(RecommenderTest, ExplorationShowsOthersAndLogsHowLikelyThatWas) {
  use_model({0.6F, 0.5F, 0.4F, 0.3F, 0.2F, 0.1F});
  view(0, 5, kNow);
  RecommendRequest request{.count = 1, .explain = true};
  request.controls.exploration = 1;
  std::set<std::string> seen;
  for (int round = 0; round < 200; ++round) {
    seen.insert(ids(0, request).at(0));
    EXPECT_EQ(last_.items[0].source, ItemSource::exploration);
    EXPECT_FLOAT_EQ(last_.items[0].propensity, 0.2F);
    EXPECT_EQ(last_.items[0].reasons.at(0).code, "exploration");
  }
  EXPECT_EQ(seen.size(), 5U) << "all but what was seen";
}

TEST_F(RecommenderTest, DiversityWithoutAModelGoesByCategory) {
  for (UserId user = 0; user < 6; ++user)
    for (ItemId item = 0; item < 6 - user; ++item) view(user, item, kNow);
  for (const ItemId item : {0U, 1U}) describe(item, R"({"category":"shoes"})");
  RecommendRequest request{.count = 3};
  EXPECT_EQ(ids(std::nullopt, request), (std::vector<std::string>{"item-0", "item-1", "item-2"}));
  request.controls.diversity = 1;
  EXPECT_EQ(ids(std::nullopt, request), (std::vector<std::string>{"item-0", "item-2", "item-3"}));
}

TEST_F(RecommenderTest, CapsFindWhatStandsFarBehindAFullCategory) {
  std::vector<float> biases;
  for (ItemId item = 0; item < 1500; ++item) {
    if (item >= 6) items_.add(fmt::format("item-{}", item));
    if (item < 1499) describe(item, R"({"category":"shoes"})");
    biases.push_back(static_cast<float>(-0.001 * item));
  }
  use_model(biases);
  view(0, 0, kNow);
  RecommendRequest request{.count = 3};
  request.controls.most_a_category = 2;
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-1", "item-2", "item-1499"}));
  EXPECT_EQ(ids(std::nullopt, request), (std::vector<std::string>{"item-0", "item-1", "item-1499"})) << "popular too";
}

TEST_F(RecommenderTest, WithoutCategoriesACapHoldsNothingBack) {
  use_model({6, 5, 4, 3, 2, 1});
  view(0, 5, kNow);
  RecommendRequest request{.count = 4};
  request.controls.most_a_category = 1;
  request.controls.pin = {"item-3"};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-3", "item-0", "item-1", "item-2"}));
}

TEST_F(RecommenderTest, WhatTwoFiltersBuryLeavesTheRestInFront) {
  std::vector<float> biases;
  for (ItemId item = 0; item < 1300; ++item) {
    if (item >= 6) items_.add(fmt::format("item-{}", item));
    describe(item, item < 600 ? R"({"brand":"a"})" : item < 1200 ? R"({"brand":"b"})" : R"({"brand":"c"})");
    biases.push_back(item < 1200 ? 1 : -2);
  }
  use_model(biases);
  view(0, 0, kNow);
  RecommendRequest request{.count = 2};
  for (const char* brand : {"a", "b"})
    request.controls.boosts.push_back({parse_item_filter(json::object{{"brand", brand}}).value(), -5, ""});
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-1200", "item-1201"}));
}

TEST_F(RecommenderTest, PinsNeitherComeAgainOnTheNextPageNorAgainstTheUsersWill) {
  use_model({6, 5, 4, 3, 2, 1});
  view(0, 5, kNow);
  event(0, 1, kNow, kNotInterested);
  RecommendRequest request{.count = 2};
  request.controls.pin = {"item-1", "item-3"};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-3", "item-0"}));
  request.shown = {3, 0};
  EXPECT_EQ(ids(0, request), (std::vector<std::string>{"item-2", "item-4"}));
}

TEST_F(RecommenderTest, PinsThatFillTheListLeaveNothingToAsk) {
  use_model({6, 5, 4, 3, 2, 1});
  RecommendRequest request{.count = 1, .similar_to = "item-2"};
  request.controls.pin = {"item-3"};
  request.controls.diversity = 1;
  EXPECT_EQ(ids(std::nullopt, request), std::vector<std::string>{"item-3"});
}

TEST_F(RecommenderTest, SessionItemsCountAsSeenAndStandForTheMissingUser) {
  use_model({6, 5, 4, 3, 2, 1});
  RecommendRequest request{.count = 2, .session_items = {"item-0", "unheard of", "item-2"}, .session_type = kViewed};
  EXPECT_EQ(ids(std::nullopt, request), (std::vector<std::string>{"item-1", "item-3"}));
  EXPECT_EQ(last_.fallback, "");
  EXPECT_EQ(last_.items[0].source, ItemSource::transformer);
}

TEST_F(RecommenderTest, DiversityCountsWhatIsPinnedAbove) {
  for (UserId user = 0; user < 6; ++user)
    for (ItemId item = 0; item < 6 - user; ++item) view(user, item, kNow);
  for (const ItemId item : {0U, 5U}) describe(item, R"({"category":"shoes"})");
  RecommendRequest request{.count = 2};
  request.controls.pin = {"item-5"};
  EXPECT_EQ(ids(std::nullopt, request), (std::vector<std::string>{"item-5", "item-0"}));
  request.controls.diversity = 5;
  EXPECT_EQ(ids(std::nullopt, request), (std::vector<std::string>{"item-5", "item-1"}));
}

TEST_F(RecommenderTest, GreatBoostsLeaveScoresFinite) {
  view(1, 2, kNow);
  RecommendRequest request{.count = 1};
  describe(2, R"({"brand":"acme"})");
  for (int i = 0; i < 16; ++i)
    request.controls.boosts.push_back({parse_item_filter(json::object{{"brand", "acme"}}).value(), 10, ""});
  EXPECT_EQ(ids(std::nullopt, request), std::vector<std::string>{"item-2"});
  EXPECT_TRUE(std::isfinite(last_.items[0].score));
}

}  // namespace
}  // namespace perennial
