// The watch under random streams and a clock that moves, against looking at everybody anew.
#include "lifecycle/stage_watch.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace perennial {
namespace {

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kHour = 60 * kMinute;
constexpr TimeMs kDay = 24 * kHour;
constexpr TimeMs kStart = 1'700'000'400'000 / kHour * kHour;

class StageWatchTest : public testing::Test {
 protected:
  StageWatchTest() {
    for (const char* type : {"Product Viewed", "Order Completed", "Product Reviewed"}) types_.add(type);
    for (int user = 0; user < 12; ++user) users_.add(fmt::format("user-{}", user));
  }

  void apply(UserId user, TimeMs time, Payload payload, EventTypeId type, TimeMs now, UserId into = kNoId) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.into = into;
    record.time = time;
    record.type = type;
    record.payload = std::move(payload);
    lives_.apply(record);
    watch_.touched(lives_.touched(), now);
  }

  Definition definition() {
    DefinitionText text;
    text.at_risk_after = "5d";
    text.churned_after = "15d";
    text.won_back_for = "7d";
    text.stages["retention"] = "value >= 2 within 10d";
    text.stages["expansion"] = "growth(sum(value)) >= 1.5 over 7d";
    return make_definition(text).value();
  }

  Dictionary types_;
  Dictionary users_;
  Lives lives_{definition(), types_, users_};
  StageWatch watch_{lives_, kStart};
  Offset offset_ = 0;
};

TEST_F(StageWatchTest, KnowsAtEachMomentWhatLookingAtEverybodyWouldTell) {
  Random random(11);
  for (TimeMs now = kStart + kMinute; now < kStart + 200 * kDay; now += kHour) {
    while (watch_.advance(now, 2)) {
    }
    if (random.chance(0.15)) {
      const auto user = static_cast<UserId>(random.below(12));
      const TimeMs late = random.chance(0.3) ? static_cast<TimeMs>(random.below(400)) * kHour : 0;
      const TimeMs early = random.chance(0.1) ? 20 * kHour : 0;  // a client's clock that goes fast
      Event event;
      event.amount = Money{static_cast<int64_t>(random.below(9000)), "USD"};
      apply(user, now - kMinute - late + early, event, static_cast<EventTypeId>(random.below(3)), now);
    }
    if (random.chance(0.001))
      apply(static_cast<UserId>(random.below(12)), now, IdentityMerge{}, kNoEventType, now,
            static_cast<UserId>(random.below(12)));
    if (random.chance(0.001)) apply(static_cast<UserId>(random.below(12)), now, Erasure{}, kNoEventType, now);
    StageCounts wanted;
    lives_.for_each([&](UserId, const Life& life) { ++wanted.of(standing_at(lives_.definition(), life.facts, now)); });
    ASSERT_EQ(watch_.counts().users, wanted.users) << "hour " << (now - kStart) / kHour;
  }
}

TEST_F(StageWatchTest, AStartKnowsWhatAllTheEventsSinceTheBeginningTold) {
  apply(1, kStart, Event(), 1, kStart);
  apply(2, kStart, Event(), 0, kStart);
  const StageWatch started(lives_, kStart);
  EXPECT_EQ(started.counts().users, watch_.counts().users);
  EXPECT_EQ(started.moves(), StageMoves{});
}

TEST_F(StageWatchTest, MovesAreCountedByEventsAndByTimeAlone) {
  apply(1, kStart, Event(), 1, kStart);
  apply(1, kStart + kHour, Event(), 1, kStart + kHour);
  EXPECT_EQ(watch_.moves()[0][1], 1);  // acquisition to activation
  EXPECT_EQ(watch_.moves()[1][2], 1);
  watch_.advance(kStart + 10 * kDay + kHour + kMinute);  // one of the two orders has left the window
  EXPECT_EQ(watch_.moves()[2][1], 1);
  EXPECT_EQ(watch_.counts().in(Stage::activation), 1);
}

}  // namespace
}  // namespace perennial
