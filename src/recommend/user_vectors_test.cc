#include "recommend/user_vectors.h"

#include <gtest/gtest.h>

#include <atomic>
#include <shared_mutex>
#include <thread>

#include "base/temporary_folder.h"
#include "model/random_weights.h"

namespace perennial {
namespace {

constexpr int32_t kItems = 20;
constexpr size_t kHistoryLimit = 30;

/// Profiles as records make them, and vectors told of each record.
class UserVectorsTest : public testing::Test {
 protected:
  UserVectorsTest() {
    for (const char* type : {"Product Viewed", "Order Completed", "Product Clicked"}) types_.add(type);
    for (int item = 0; item < kItems + 2; ++item) items_.add(fmt::format("item-{}", item));
    for (int user = 0; user < 64; ++user) users_.add(fmt::format("user-{}", user));
    profiles_ = std::make_unique<Profiles>(EventRoles(), types_, kHistoryLimit);
    model_ = make_model(1, 2);
  }

  std::shared_ptr<const ServingModel> make_model(uint64_t seed, int32_t members) {
    ModelConfig config = small_config();
    config.width = 32;  // as the fused kernels take it
    config.feed_forward = 48;
    config.window = 6;
    config.items = kItems;
    config.event_types = {"Product Viewed", "Order Completed"};
    config.members = members;
    SafetensorsFile weights = random_weights(config, seed);
    for (int32_t member = 1; member < members; ++member)
      for (auto& [name, tensor] : random_weights(config, seed + 100 * static_cast<uint64_t>(member)).tensors)
        weights.tensors.emplace(member_prefix(member) + name, std::move(tensor));
    std::vector<std::string> names;
    for (uint32_t item = 0; item < static_cast<uint32_t>(kItems); ++item) names.push_back(items_.name(item));
    StoredModel stored;
    stored.ensemble = Ensemble::create(config, weights).value();
    stored.item_names = names;
    return ServingModel::create(std::move(stored), items_, types_).value();
  }

  void apply(UserVectors& vectors, StoredRecord record) {
    record.offset = ++offset_;
    const UserId before = profiles_->resolve(record.user);
    const HistoryChange change = profiles_->apply(record);
    vectors.changed(before, change);
    if (const UserId after = profiles_->resolve(record.user); after != before) vectors.changed(after, change);
  }

  void event(UserVectors& vectors, UserId user, ItemId item, TimeMs time, EventTypeId type = 0) {
    StoredRecord record;
    record.user = user;
    record.item = item;
    record.type = type;
    record.time = time;
    record.payload = Event{};
    apply(vectors, record);
  }

  void expect_current(UserVectors& vectors, UserId user, const std::string& where) {
    const Found<Profile> profile = profiles_->find(user);
    if (profile == nullptr) return;
    const std::vector<float> got = vectors.history_vector(model_, profiles_->resolve(user), *profile);
    std::vector<float> want = model_->ensemble().history_vector(model_->tokens_of(*profile));
    want.resize(model_->ensemble().vector_width());
    ASSERT_EQ(got.size(), want.size());
    for (size_t d = 0; d < got.size(); ++d) ASSERT_NEAR(got[d], want[d], 1e-4) << where << ", number " << d;
  }

  /// Two events and a request after each: from then on the user has keys and values, where the budget lets them.
  void ask_and_act(UserVectors& vectors, UserId user) {
    event(vectors, user, 3, 1'000);
    expect_current(vectors, user, "first");
    event(vectors, user, 4, 2'000);
    expect_current(vectors, user, "second");
  }

  Dictionary types_, items_, users_;
  std::unique_ptr<Profiles> profiles_;
  std::shared_ptr<const ServingModel> model_;
  Offset offset_ = 0;
};

TEST_F(UserVectorsTest, AreThoseOfTheWholeHistoryWhateverHappens) {
  for (const size_t budget : {size_t{0}, size_t{100'000}, size_t{10'000'000}}) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      profiles_ = std::make_unique<Profiles>(EventRoles(), types_, kHistoryLimit);
      UserVectors vectors(budget);
      Random random(seed);
      TimeMs now = 1'700'000'000'000;
      for (int step = 0; step < 800; ++step) {
        const auto user = static_cast<UserId>(random.below(12));
        now += static_cast<TimeMs>(random.below(100'000'000));
        const double dice = random.uniform();
        if (dice < 0.6) {
          event(vectors, user, static_cast<ItemId>(random.below(kItems + 2)), random.chance(0.1) ? kNoTime : now,
                static_cast<EventTypeId>(random.below(3)));
        } else if (dice < 0.65) {  // late
          event(vectors, user, static_cast<ItemId>(random.below(kItems)),
                now - static_cast<TimeMs>(random.below(3'000'000'000)));
        } else if (dice < 0.66) {
          StoredRecord merge;
          merge.user = user;
          merge.into = static_cast<UserId>(random.below(12));
          merge.payload = IdentityMerge{};
          apply(vectors, merge);
        } else if (dice < 0.67) {
          StoredRecord erasure;
          erasure.user = user;
          erasure.payload = Erasure{};
          apply(vectors, erasure);
        } else if (dice < 0.68) {
          model_ = make_model(random.below(3), 1 + static_cast<int32_t>(random.below(2)));
        } else if (dice < 0.8) {
          if (const Found<Profile> profile = profiles_->find(user))
            vectors.catch_up(model_, profiles_->resolve(user), *profile);
        } else {
          expect_current(vectors, user, fmt::format("budget {} seed {} step {}", budget, seed, step));
        }
      }
    }
  }
}

TEST_F(UserVectorsTest, ARequestAfterNothingHappenedComputesNothing) {
  UserVectors vectors(1 << 20);
  event(vectors, 1, 3, 1'000);
  for (int i = 0; i < 5; ++i) expect_current(vectors, 1, "same");
  EXPECT_EQ(vectors.counts().whole, 1);
  EXPECT_EQ(vectors.counts().reads, 5);
  EXPECT_EQ(vectors.counts().caches, 0) << "who has not acted yet has no keys and values";
}

TEST_F(UserVectorsTest, WhoActsBetweenRequestsIsAppendedTo) {
  UserVectors vectors(1 << 20);
  ask_and_act(vectors, 1);
  EXPECT_EQ(vectors.counts().caches, 1);
  for (TimeMs time = 3'000; time < 60'000; time += 1'000) {
    event(vectors, 1, static_cast<ItemId>(time / 1'000 % kItems), time);
    if (time % 2'000 == 0) vectors.catch_up(model_, 1, *profiles_->find(1));
    expect_current(vectors, 1, fmt::format("at {}", time));
  }
  EXPECT_EQ(vectors.counts().whole, 2);
  EXPECT_EQ(vectors.counts().appended, 57);
}

TEST_F(UserVectorsTest, AnImportOfManyEventsIsReadAtOnce) {
  UserVectors vectors(1 << 20);
  ask_and_act(vectors, 1);
  for (TimeMs time = 3'000; time < 100'000; time += 1'000) event(vectors, 1, 5, time);
  vectors.catch_up(model_, 1, *profiles_->find(1));
  expect_current(vectors, 1, "after");
  EXPECT_EQ(vectors.counts().whole, 3);
  EXPECT_EQ(vectors.counts().appended, 0);
}

TEST_F(UserVectorsTest, TheBudgetHoldsAndKeysGoBeforeVectors) {
  constexpr size_t kBudget = 400'000;
  UserVectors vectors(kBudget);
  for (UserId user = 0; user < 60; ++user) {
    ask_and_act(vectors, user);
    ASSERT_LE(vectors.counts().bytes, static_cast<int64_t>(kBudget)) << user;
  }
  EXPECT_LT(vectors.counts().caches, 60);
  EXPECT_GT(vectors.counts().caches, 0);
  EXPECT_EQ(vectors.counts().vectors, 60);
}

TEST_F(UserVectorsTest, WhatIsLetGoLeavesTheBooks) {
  UserVectors vectors(400'000);
  for (UserId user = 0; user < 60; ++user) ask_and_act(vectors, user);
  for (UserId user = 0; user < 60; ++user) event(vectors, user, 5, 500);  // late
  EXPECT_EQ(vectors.counts().caches, 0);
  EXPECT_LT(vectors.counts().bytes, 60 * 400);
  const int64_t whole = vectors.counts().whole;
  for (TimeMs time = 3'000; time < 23'000; time += 1'000) {
    event(vectors, 7, 6, time);
    expect_current(vectors, 7, fmt::format("at {}", time));
  }
  EXPECT_EQ(vectors.counts().whole, whole + 1);
  EXPECT_EQ(vectors.counts().appended, 19);
}

TEST_F(UserVectorsTest, ABudgetBelowACacheKeepsVectorsAlone) {
  UserVectors vectors(16 * 1'000);
  event(vectors, 1, 3, 1'000);
  for (TimeMs time = 2'000; time < 9'000; time += 1'000) {
    event(vectors, 1, 4, time);
    expect_current(vectors, 1, fmt::format("at {}", time));
    expect_current(vectors, 1, "again");
  }
  EXPECT_EQ(vectors.counts().caches, 0);
  EXPECT_EQ(vectors.counts().vectors, 1);
  EXPECT_EQ(vectors.counts().whole, 7);
}

TEST_F(UserVectorsTest, AnErasedUsersVectorIsGone) {
  UserVectors vectors(1 << 20);
  event(vectors, 1, 3, 1'000);
  expect_current(vectors, 1, "before");
  StoredRecord erasure;
  erasure.user = 1;
  erasure.payload = Erasure{};
  apply(vectors, erasure);
  event(vectors, 1, 7, 500);  // the id lives again, with a history that is as long
  expect_current(vectors, 1, "after");
}

TEST_F(UserVectorsTest, ManyThreadsReadWhileOneWrites) {
  UserVectors vectors(200'000);  // too little for all: they push each other out
  std::mutex turn;               // as the server's gate: readers together, the writer alone and not kept waiting
  std::shared_mutex gate;
  for (UserId user = 0; user < 16; ++user) event(vectors, user, static_cast<ItemId>(user), 1'000);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (uint64_t seed = 0; seed < 3; ++seed)
    readers.emplace_back([&, seed] {
      Random random(seed);
      while (!done) {
        turn.lock();
        const std::shared_lock lock(gate);
        turn.unlock();
        const auto user = static_cast<UserId>(random.below(16));
        if (random.chance(0.3))
          vectors.catch_up(model_, user, *profiles_->find(user));
        else
          expect_current(vectors, user, "while written");
      }
    });
  Random random(9);
  for (TimeMs time = 2'000; time < 6'000'000; time += 1'000) {
    const std::lock_guard next(turn);
    const std::unique_lock lock(gate);
    const TimeMs when = random.chance(0.1) ? time / 2 : time;
    event(vectors, static_cast<UserId>(random.below(16)), static_cast<ItemId>(random.below(kItems)), when);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  for (UserId user = 0; user < 16; ++user) expect_current(vectors, user, "at the end");
  EXPECT_LE(vectors.counts().bytes, 200'000);
}

}  // namespace
}  // namespace perennial
