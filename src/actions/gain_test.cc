#include "actions/gain.h"

#include <gtest/gtest.h>

#include "actions/actions_fixture.h"
#include "base/random.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

const TimeMs kSince = parse_iso8601("2026-03-01").value();
const TimeMs kAt = kSince + 60 * kDay;
constexpr double kShare = 0.2;

/// Users of whom some buy before, and after with the chance that their arm has.
class GainTest : public ActionsFixture {
 protected:
  void draw(int users, double buys_acted_on, double buys_held_out) {
    Random random(1);
    for (int i = 0; i < users; ++i) {
      const std::string name = fmt::format("user-{}", i);
      const UserId user = users_.add(name);
      const bool out = is_held_out(kActionHoldout, kShare, name);
      event(user, kSince - 20 * kDay, "Product Viewed");
      if (random.chance(0.3)) event(user, kSince - 10 * kDay, "Order Completed", 2000);
      if (random.chance(out ? buys_held_out : buys_acted_on)) event(user, kSince + 40 * kDay, "Order Completed", 5000);
    }
  }

  [[nodiscard]] GainReport report() const { return measure_gain(lives_, users_, kShare, kSince, kAt); }
  static const MeasuredGain& of(const GainReport& report, GainMeasure measure) {
    return report.measures[static_cast<size_t>(measure)];
  }
};

TEST_F(GainTest, IsTheDifferenceOfTheArms) {
  draw(10'000, 0.5, 0.4);
  const GainReport found = report();
  EXPECT_EQ(found.acted_on + found.held_out, 10'000);
  EXPECT_GT(found.sample_ratio_p_value, 0.001);
  const MeasuredGain& converted = of(found, GainMeasure::converted);
  EXPECT_NEAR(converted.acted_on, 0.5, 0.02);
  EXPECT_NEAR(converted.held_out, 0.4, 0.04);
  EXPECT_TRUE(converted.gain.covers(0.1));
  EXPECT_GT(converted.gain.low, 0);
  EXPECT_TRUE(of(found, GainMeasure::revenue).gain.covers(5));
  EXPECT_TRUE(of(found, GainMeasure::retained).gain.covers(0.1)) << "the orders are within the last 30 days";
}

TEST_F(GainTest, WithoutAnyGainTheIntervalHoldsNothing) {
  draw(5000, 0.4, 0.4);
  const GainReport found = report();
  for (const MeasuredGain& measured : found.measures) EXPECT_TRUE(measured.gain.covers(0));
}

TEST_F(GainTest, WhatIsBeforeOrAfterTheTimeDoesNotCount) {
  const UserId user = users_.add("una");
  event(user, kSince, "Order Completed", 100);
  event(user, kAt + 1, "Order Completed", 100);
  const UserId late = users_.add("late");
  event(late, kAt + 1, "Order Completed", 100);
  const GainReport found = report();
  EXPECT_EQ(found.acted_on + found.held_out, 1);
  EXPECT_EQ(of(found, GainMeasure::converted).acted_on + of(found, GainMeasure::converted).held_out, 0);
  EXPECT_EQ(of(found, GainMeasure::revenue).reason.substr(0, 14), "not measurable");
}

TEST_F(GainTest, CountsWhatWasDoneAndWhatBecameOfIt) {
  ActionTallies tallies(kSince, kAt);
  const auto log = [&](TimeMs time, Payload payload) {
    StoredRecord record;
    record.user = 1;
    record.time = time;
    record.payload = std::move(payload);
    tallies.apply(record, action_details(record));
  };
  const auto give = [&](const char* id, TimeMs time, const char* name = "letter",
                        const char* details = R"({"cost":0.5})") {
    log(time, Action{id, name, "mail", 1, details});
  };
  const auto became = [&](const char* id, const char* outcome) { log(kAt + kDay, Delivery{id, outcome, ""}); };
  give("before", kSince - 1);
  give("first", kSince, "invite");
  give("after", kAt + 1);
  give("nothing", kAt, kNoAction);
  for (const char* id : {"a", "b", "c", "d"}) give(id, kAt);
  give("a", kAt);  // again
  give("n", kAt, "note", R"({"chances":{"note":0.5,"nothing":0.5}})");
  became("before", kDelivered);
  became("a", kDelivered);
  became("a", kDelivered);
  became("a", kDeliveryFailed);  // it was there
  became("b", kDeliveryFailed);
  became("b", "opened");  // of somebody's own
  became("c", kDeliveryFailed);
  became("c", kSentAgain);
  became("c", kDelivered);
  ASSERT_EQ(tallies.by_action().size(), 3U);
  EXPECT_EQ(tallies.by_action().at("invite").given, 1);
  const ActionTally& letter = tallies.by_action().at("letter");
  EXPECT_EQ(letter.given, 4);
  EXPECT_EQ(letter.drawn, 0);
  EXPECT_EQ(letter.delivered, 2);
  EXPECT_EQ(letter.failed, 1);
  EXPECT_EQ(letter.cost, 2);
  EXPECT_EQ(tallies.by_action().at("note").drawn, 1);
}

TEST_F(GainTest, WhatWasDrawnTellsOfEachAction) {
  Random random(5);
  for (int i = 0; i < 6000; ++i) {
    const UserId user = users_.add(fmt::format("user-{}", i));
    event(user, kSince - kDay, "Product Viewed");
    // Good customers get the letter more often: by plain means it would look better than it is.
    const bool good = random.chance(0.5);
    const double chance = good ? 0.8 : 0.2;
    const bool letter = random.chance(chance);
    drawn(user, kSince, letter ? 0 : kDoNothing, {{0, chance}, {kDoNothing, 1 - chance}});
    if (random.chance((good ? 0.5 : 0.1) + (letter ? 0.2 : 0))) event(user, kSince + kDay, "Order Completed", 1000);
  }
  const DrawnGain found = measure_drawn(letter(), trials_, lives_, kSince + 14 * kDay);
  EXPECT_EQ(found.draws, 6000);
  const auto& [retained, converted, revenue] = found.measures;
  EXPECT_TRUE(converted.gain.covers(0.2)) << converted.gain.low << ' ' << converted.gain.high;
  EXPECT_GT(converted.gain.low, 0.1);
  EXPECT_NEAR(converted.acted_on, 0.5, 0.04);
  EXPECT_NEAR(converted.held_out, 0.3, 0.04);
  EXPECT_NEAR(revenue.gain.value, 10 * converted.gain.value, 1e-9);
  EXPECT_EQ(retained.gain.value, converted.gain.value) << "they came for nothing else";
  const DrawnGain none = measure_drawn(note(), trials_, lives_, kSince + 14 * kDay);
  EXPECT_EQ(none.measures[0].reason, "not measurable: 0 draws of it and 0 of nothing are over, want 30");
}

TEST_F(GainTest, ArmsThatAreNotAsTheyWereDrawnAreNoted) {
  for (int i = 0; i < 4000; ++i) {
    const std::string name = fmt::format("user-{}", i);
    if (is_held_out(kActionHoldout, kShare, name) && i % 2 == 0) continue;  // half of the held out were lost
    event(users_.add(name), kSince - kDay, "Product Viewed");
  }
  EXPECT_LT(report().sample_ratio_p_value, 0.001);
}

}  // namespace
}  // namespace perennial
