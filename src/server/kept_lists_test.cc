#include "server/kept_lists.h"

#include <gtest/gtest.h>

#include <string>

namespace perennial {
namespace {

std::shared_ptr<const ServedList> list(const std::string& text, bool asks_popularity = false) {
  auto made = std::make_shared<ServedList>();
  made->members = text;
  made->recommendation.asks_popularity = asks_popularity;
  return made;
}

std::string text_of(const std::shared_ptr<const ServedList>& list) { return list ? list->members : "none"; }

ListKey of_user(UserId user) { return {.basis = {.user = user, .count = 10}}; }

TEST(KeptLists, WhatDiffersInAnyPartIsAnotherList) {
  KeptLists lists(1 << 20);
  lists.keep(of_user(1), list("kept"));
  EXPECT_EQ(text_of(lists.find(of_user(1))), "kept");
  const auto differs = [&](auto change) {
    ListKey key = of_user(1);
    change(key);
    return lists.find(key) == nullptr;
  };
  EXPECT_TRUE(differs([](ListKey& key) { key.basis.user = 2; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.user_changes; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.model_version; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.outcomes_version; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.item_changes; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.silence; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.hour; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.weekday; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.device; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.basis.count; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.basis.exclude_seen = false; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.basis.similar_to = "a"; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.basis.weights.money = 1; }));
  EXPECT_TRUE(differs([](ListKey& key) { ++key.rules_version; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.surface = "cart"; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.standing.stage = Stage::advocacy; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.weights_told.money = 1; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.variant = "holdout"; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.basis.controls.pin = {"a"}; }));
  EXPECT_TRUE(differs([](ListKey& key) { key.basis.controls.filter.ranges = {{"price", 0, 1}}; }));
  EXPECT_EQ(text_of(lists.find(of_user(1))), "kept");
}

TEST(KeptLists, PopularityMattersToThoseWhoAskedIt) {
  KeptLists lists(1 << 20);
  ListKey later = of_user(1);
  ++later.basis.popularity.version;
  lists.keep(of_user(1), list("of the model"));
  EXPECT_EQ(text_of(lists.find(later)), "of the model");
  lists.keep(of_user(1), list("filled up", true));
  EXPECT_EQ(text_of(lists.find(of_user(1))), "filled up");
  EXPECT_EQ(lists.find(later), nullptr);
  later = of_user(1);
  ++later.basis.popularity.items;
  EXPECT_EQ(lists.find(later), nullptr);
}

TEST(KeptLists, TheNewerStaysAndTheOldestGo) {
  KeptLists lists(1 << 20);
  lists.keep(of_user(1), list("before"));
  ListKey after = of_user(1);
  ++after.basis.item_changes;
  lists.keep(after, list("after"));
  EXPECT_EQ(lists.find(of_user(1)), nullptr);
  EXPECT_EQ(text_of(lists.find(after)), "after");
  const size_t of_one = lists.bytes();
  for (UserId user = 2; user < 2000; ++user) lists.keep(of_user(user), list(std::string(1000, 'x')));
  EXPECT_GT(lists.bytes(), (1 << 20) * 3 / 4);
  EXPECT_LE(lists.bytes(), 1 << 20);
  EXPECT_EQ(lists.find(after), nullptr);
  EXPECT_NE(lists.find(of_user(1999)), nullptr);
  lists.set_budget(100 << 10);
  EXPECT_LE(lists.bytes(), 100 << 10);
  EXPECT_GT(lists.bytes(), of_one);
  lists.forget(1999);
  EXPECT_EQ(lists.find(of_user(1999)), nullptr);
  EXPECT_NE(lists.find(of_user(1998)), nullptr);
  lists.set_budget(0);
  EXPECT_EQ(lists.bytes(), 0u);
}

TEST(KeptLists, ListsThatAreAskedForByTurnsStandSideBySide) {
  KeptLists lists(1 << 20);
  ListKey cart = of_user(1);
  cart.surface = "cart";
  ListKey mobile = of_user(1);
  mobile.basis.device = 2;
  ListKey filtered = of_user(1);
  filtered.basis.controls.exclude = {"a"};
  ListKey filtered_otherwise = of_user(1);
  filtered_otherwise.basis.controls.exclude = {"b"};
  const std::vector<ListKey> keys{of_user(1), cart, mobile, filtered, filtered_otherwise};
  for (const ListKey& key : keys) lists.keep(key, list(key.surface));
  for (const ListKey& key : keys) EXPECT_NE(lists.find(key), nullptr);
}

TEST(KeptLists, OneThatTakesTooMuchIsNotKept) {
  KeptLists lists(1 << 20);
  lists.keep(of_user(1), list("small"));
  ListKey large = of_user(1);
  large.surface = "large";
  lists.keep(large, list(std::string(50'000, 'x')));
  EXPECT_EQ(lists.find(large), nullptr);
  EXPECT_NE(lists.find(of_user(1)), nullptr);
}

TEST(KeptLists, WhatARequestAskedWithCounts) {
  KeptLists lists(8 << 20);
  for (UserId user = 0; user < 1000; ++user) {
    ListKey key = of_user(user);
    key.basis.controls.exclude.assign(1000, std::string(20, 'x'));
    lists.keep(key, list("short"));
  }
  EXPECT_LE(lists.bytes(), 8 << 20);
  int found = 0;
  for (UserId user = 0; user < 1000; ++user) {
    ListKey key = of_user(user);
    key.basis.controls.exclude.assign(1000, std::string(20, 'x'));
    found += lists.find(key) != nullptr;
  }
  EXPECT_LE(found, 160) << "of 52 kB and more each, in eight megabytes";
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace perennial
