#include "lifecycle/lives.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kStart = 1'700'000'000'000;

class LivesTest : public testing::Test {
 protected:
  LivesTest() {
    for (const char* type : {"Product Viewed", "order_completed", "Sofa Tried Out"}) types_.add(type);
  }

  StoredRecord record(UserId user, TimeMs time, Payload payload, EventTypeId type = kNoEventType) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.time = time;
    record.type = type;
    record.payload = std::move(payload);
    return record;
  }
  StoredRecord event(UserId user, TimeMs time, EventTypeId type, int64_t minor = 0) {
    Event event;
    if (minor != 0) event.amount = Money{minor, "USD"};
    return record(user, time, event, type);
  }
  StoredRecord merge(UserId from, UserId into) {
    StoredRecord merge = record(from, kStart, IdentityMerge{});
    merge.into = into;
    return merge;
  }

  Dictionary types_;
  Lives lives_{preset("e-commerce").value(), types_};
  Offset offset_ = 0;
};

TEST_F(LivesTest, TypesCountAsTheirSignalsHoweverTheyAreSpelt) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(event(1, kStart + 1, 1, 5000));
  lives_.apply(event(1, kStart + 2, 2));
  const Life* life = lives_.find(1);
  ASSERT_NE(life, nullptr);
  EXPECT_EQ(life->facts.of(*lives_.definition().find_signal("active")).size(), 2U);
  const auto value = life->facts.of(*lives_.definition().find_signal("value"));
  ASSERT_EQ(value.size(), 1U);
  EXPECT_EQ(value[0].total_minor, 5000);
  EXPECT_EQ(life->first_seen, kStart);
}

TEST_F(LivesTest, AnonymousVisitorsCountAndBecomeTheirUser) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(event(2, kStart + kDay, 1, 100));
  EXPECT_EQ(count_stages(lives_, kStart + kDay).in(Stage::acquisition), 1);
  EXPECT_EQ(count_stages(lives_, kStart + kDay).in(Stage::activation), 1);
  lives_.apply(merge(1, 2));
  const StageCounts counts = count_stages(lives_, kStart + kDay);
  EXPECT_EQ(counts.all(), 1);
  EXPECT_EQ(counts.in(Stage::activation), 1);
  EXPECT_EQ(lives_.find(1), lives_.find(2));
  EXPECT_EQ(lives_.find(1)->first_seen, kStart);
}

TEST_F(LivesTest, ThePastIsCountedAsItWas) {
  lives_.apply(event(1, kStart, 1, 100));
  lives_.apply(event(2, kStart + 10 * kDay, 0));
  EXPECT_EQ(count_stages(lives_, kStart - 1).all(), 0);
  EXPECT_EQ(count_stages(lives_, kStart).all(), 1);
  EXPECT_EQ(count_stages(lives_, kStart + 200 * kDay).users[1][static_cast<size_t>(Overlay::churned)], 1);
}

TEST_F(LivesTest, AnErasedUserLeavesNothing) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(event(2, kStart, 0));
  lives_.apply(merge(1, 2));
  lives_.apply(record(1, kStart, Erasure{}));
  EXPECT_EQ(lives_.size(), 0U);
  EXPECT_EQ(lives_.find(2), nullptr);
}

TEST_F(LivesTest, EventsWithoutATimeMakeAUserKnownAndNoMore) {
  lives_.apply(event(1, kNoTime, 1, 100));
  ASSERT_NE(lives_.find(1), nullptr);
  EXPECT_TRUE(lives_.find(1)->facts.empty());
  EXPECT_EQ(count_stages(lives_, kStart).in(Stage::acquisition), 1);
}

TEST_F(LivesTest, TheOrderInWhichRecordsArriveDoesNotMatter) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    std::vector<StoredRecord> stream;
    for (int i = 0; i < 300; ++i)
      stream.push_back(event(static_cast<UserId>(random.below(6)),
                             kStart + static_cast<TimeMs>(random.below(400)) * kDay,
                             static_cast<EventTypeId>(random.below(3)), static_cast<int64_t>(random.below(9000))));
    stream.push_back(merge(0, 1));
    stream.push_back(merge(2, 1));
    Lives in_order(lives_.definition(), types_);
    Lives shuffled(lives_.definition(), types_);
    for (const StoredRecord& one : stream) in_order.apply(one);
    random.shuffle(std::span(stream));
    for (const StoredRecord& one : stream) shuffled.apply(one);
    for (int day = 0; day < 500; day += 7)
      ASSERT_EQ(count_stages(in_order, kStart + day * kDay).users, count_stages(shuffled, kStart + day * kDay).users)
          << "seed " << seed << " day " << day;
  }
}

}  // namespace
}  // namespace perennial
