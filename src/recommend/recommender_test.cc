#include "recommend/recommender.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr EventTypeId kViewed = 0;
constexpr EventTypeId kNotInterested = 1;
constexpr TimeMs kNow = 1'700'000'000'000;

class RecommenderTest : public ::testing::Test {
 protected:
  RecommenderTest() {
    types_.add("Product Viewed");
    types_.add("Not Interested");
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
  EXPECT_EQ(last_.items[0].source, "popular");
  EXPECT_EQ(last_.model, "none");
  EXPECT_EQ(last_.recommendation_id.size(), 32U);
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

TEST_F(RecommenderTest, AnEmptyShopAnswersWithAnEmptyList) {
  const Dictionary no_items;
  const Recommender recommender(no_items);
  EXPECT_TRUE(recommender.recommend(state_, std::nullopt, {}, kNow).items.empty());
}

}  // namespace
}  // namespace perennial
