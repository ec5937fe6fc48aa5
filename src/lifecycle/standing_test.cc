// The function and its sweep against one that looks at every event anew at every hour, under random streams with late
// events and merges.
#include "lifecycle/standing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"

namespace perennial {
namespace {

constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kStart = 1'700'000'400'000 / kHour * kHour;
constexpr int kHours = 24 * 60;

struct SimpleEvent {
  TimeMs time;
  Offset offset;
  uint8_t signal;
  int64_t minor;
};

/// Written from the words of definition.h, without care for speed.
class SimpleStanding {
 public:
  SimpleStanding(const Definition& definition, const std::vector<SimpleEvent>& events)
      : definition_(definition), events_(events) {}

  Standing at(TimeMs now) const {
    Standing standing;
    for (size_t stage = 1; stage < kStages; ++stage)
      if (rule_holds(definition_.rules[stage], now)) standing.stage = static_cast<Stage>(stage);
    if (standing.stage != Stage::acquisition) standing.overlay = overlay(now);
    return standing;
  }

 private:
  double measure(const Condition& condition, TimeMs after, TimeMs until) const {
    double count = 0;
    double sum = 0;
    std::set<int64_t> periods;
    for (const SimpleEvent& event : events_) {
      if (event.signal != condition.signal || event.time <= after || event.time > until) continue;
      ++count;
      sum += static_cast<double>(event.minor) / 100;
      const int64_t day = event.time / (24 * kHour);
      periods.insert(condition.measure == Measure::days ? day : (day + 3) / 7);
    }
    if (condition.measure == Measure::count) return count;
    return condition.measure == Measure::sum ? sum : static_cast<double>(periods.size());
  }

  bool condition_holds(const Condition& condition, TimeMs now) const {
    const TimeMs window = condition.window_ms == 0 ? now : condition.window_ms;
    const double last = measure(condition, now - window, now);
    if (!condition.growth) return last >= condition.at_least;
    TimeMs first = now + 1;
    for (const SimpleEvent& event : events_)
      if (event.signal == condition.signal) first = std::min(first, event.time);
    double earlier = 0;
    int lived = 0;
    for (int i = 1; i <= 3; ++i) {
      if (first > now - (i + 1) * window) break;
      earlier += measure(condition, now - (i + 1) * window, now - i * window);
      ++lived;
    }
    return lived > 0 && earlier > 0 && last >= condition.at_least * earlier / lived;
  }

  bool rule_holds(const StageRule& rule, TimeMs now) const {
    for (const auto& all : rule.alternatives) {
      bool holds = true;
      for (const Condition& condition : all) holds = holds && condition_holds(condition, now);
      if (holds) return true;
    }
    return false;
  }

  Overlay overlay(TimeMs now) const {
    std::vector<TimeMs> times;
    for (const SimpleEvent& event : events_)
      if (event.signal == definition_.activity && event.time <= now) times.push_back(event.time);
    if (times.empty()) return Overlay::none;
    std::sort(times.begin(), times.end());
    const TimeMs silence = now - times.back();
    if (silence >= definition_.churned_after_ms) return Overlay::churned;
    if (silence >= definition_.at_risk_after_ms) return Overlay::at_risk;
    for (size_t i = 1; i < times.size(); ++i)
      if (times[i] - times[i - 1] >= definition_.churned_after_ms && now - times[i] < definition_.won_back_for_ms)
        return Overlay::won_back;
    return Overlay::none;
  }

  const Definition& definition_;
  const std::vector<SimpleEvent>& events_;
};

Definition test_definition(const char* retention, const char* expansion) {
  Definition definition;
  definition.signals = {{"active", {"view"}}, {"value", {"order"}}, {"referral", {"invite"}}};
  definition.rules[1] = parse_rule("value >= 1 or days(active) >= 3 within 5d", definition.signals).value();
  definition.rules[2] = parse_rule(retention, definition.signals).value();
  definition.rules[3] = parse_rule(expansion, definition.signals).value();
  definition.rules[4] = parse_rule("referral >= 2 within 10d and value >= 1", definition.signals).value();
  definition.at_risk_after_ms = 4 * 24 * kHour;
  definition.churned_after_ms = 9 * 24 * kHour;
  definition.won_back_for_ms = 6 * 24 * kHour;
  EXPECT_TRUE(check(definition).ok());
  return definition;
}

std::vector<Definition> test_definitions() {
  return {test_definition("value >= 2 within 12d", "growth(sum(value)) >= 1.5 over 6d"),
          test_definition("weeks(active) >= 2 within 15d", "sum(value) >= 100 within 8d or value >= 5"),
          test_definition("days(active) >= 4 within 7d and value >= 1 within 20d", "growth(active) >= 1.2 over 4d")};
}

/// Bursts and silences, many events at one instant, refunds.
std::vector<SimpleEvent> random_events(Random& random) {
  std::vector<SimpleEvent> events;
  int hour = static_cast<int>(random.below(200));
  Offset offset = 0;
  while (hour < kHours) {
    const double draw = random.uniform();
    const uint8_t signal = draw < 0.7 ? 0 : draw < 0.92 ? 1 : 2;
    const int64_t minor = signal == 1 ? static_cast<int64_t>(random.below(9000)) - (random.chance(0.2) ? 6000 : 0) : 0;
    events.push_back({kStart + hour * kHour, ++offset, signal, minor});
    hour += static_cast<int>(random.chance(0.1) ? 100 + random.below(300) : random.below(30));
  }
  return events;
}

UserFacts facts_of(const std::vector<SimpleEvent>& events) {
  UserFacts facts;
  for (const SimpleEvent& event : events) facts.add(event.signal, event.time, event.offset, event.minor);
  return facts;
}

TEST(Standing, AgreesWithOneThatLooksAtEveryEventAnewAtEveryHour) {
  std::set<std::pair<Stage, Overlay>> seen;
  for (const Definition& definition : test_definitions()) {
    for (uint64_t seed = 0; seed < 25; ++seed) {
      SCOPED_TRACE(seed);
      Random random(seed);
      const std::vector<SimpleEvent> events = random_events(random);
      const SimpleStanding simple(definition, events);
      const UserFacts facts = facts_of(events);
      const std::vector<Transition> changes = transitions(definition, facts, kStart + kHours * kHour);
      size_t next = 0;
      Standing standing;
      for (int hour = 0; hour <= kHours; ++hour) {
        const TimeMs now = kStart + hour * kHour;
        const Standing expected = simple.at(now);
        seen.insert({expected.stage, expected.overlay});
        ASSERT_EQ(standing_at(definition, facts, now), expected) << "hour " << hour;
        const bool changed = expected != standing;
        if (changed) {
          ASSERT_LT(next, changes.size()) << "hour " << hour;
          EXPECT_EQ(changes[next].from, standing);
          EXPECT_EQ(changes[next].to, expected);
          ASSERT_EQ(changes[next].time, now);
          ++next;
        }
        ASSERT_TRUE(next == changes.size() || changes[next].time > now) << "a change that is none, hour " << hour;
        standing = expected;
      }
      EXPECT_EQ(next, changes.size());
    }
  }
  EXPECT_GE(seen.size(), 15U) << "the streams must bring users everywhere";
}

TEST(Standing, TheNextChangeIsNeverMissedAndNeverInThePast) {
  const Definition definition = test_definitions().front();
  for (uint64_t seed = 100; seed < 120; ++seed) {
    Random random(seed);
    const std::vector<SimpleEvent> events = random_events(random);
    // As of an instant, without the events after it: what would time alone bring?
    for (int i = 0; i < 20; ++i) {
      const TimeMs now = kStart + static_cast<TimeMs>(random.below(kHours)) * kHour;
      std::vector<SimpleEvent> known = events;
      std::erase_if(known, [&](const SimpleEvent& event) { return event.time > now; });
      const UserFacts facts = facts_of(known);
      const SimpleStanding simple(definition, known);
      const TimeMs next = next_change(definition, facts, now);
      ASSERT_GT(next, now);
      for (TimeMs at = now; at < std::min(next, now + kHours * kHour); at += kHour)
        ASSERT_EQ(simple.at(at), simple.at(now)) << "seed " << seed;
    }
  }
}

TEST(Standing, LateEventsAndMergesGiveTheSameFacts) {
  for (uint64_t seed = 200; seed < 220; ++seed) {
    Random random(seed);
    const std::vector<SimpleEvent> events = random_events(random);
    std::vector<SimpleEvent> shuffled = events;
    random.shuffle(std::span(shuffled));
    UserFacts late;
    UserFacts other;
    for (const SimpleEvent& event : shuffled)
      (random.chance(0.5) ? late : other).add(event.signal, event.time, event.offset, event.minor);
    late.merge(other);
    const UserFacts in_order = facts_of(events);
    for (uint8_t signal = 0; signal < 3; ++signal) {
      const auto a = late.of(signal);
      const auto b = in_order.of(signal);
      ASSERT_EQ(a.size(), b.size());
      for (size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].time, b[i].time);
        EXPECT_EQ(a[i].offset, b[i].offset);
        EXPECT_EQ(a[i].total_minor, b[i].total_minor);
      }
    }
  }
}

TEST(Standing, NobodyWithoutFactsGoesAnywhere) {
  const Definition definition = preset("e-commerce").value();
  const UserFacts none;
  EXPECT_EQ(standing_at(definition, none, kStart), Standing());
  EXPECT_EQ(next_change(definition, none, kStart), kNeverChanges);
  EXPECT_TRUE(transitions(definition, none, kStart).empty());
}

TEST(Standing, ALifeInAShop) {
  const Definition definition = preset("e-commerce").value();
  const uint8_t active = *definition.find_signal("active");
  const uint8_t value = *definition.find_signal("value");
  const TimeMs day = 24 * kHour;
  UserFacts facts;
  const auto order = [&](int64_t at, Offset offset) {
    facts.add(active, kStart + at * day, offset, 0);
    facts.add(value, kStart + at * day, offset, 5000);
  };
  facts.add(active, kStart, 1, 0);
  order(1, 2);
  order(30, 3);
  order(300, 4);
  const std::vector<Transition> life = transitions(definition, facts, kStart + 1000 * day);
  const auto expect = [&](size_t i, int64_t at, Stage stage, Overlay overlay, Offset offset) {
    ASSERT_LT(i, life.size());
    EXPECT_EQ((life[i].time - kStart) / day, at) << i;
    EXPECT_EQ(life[i].to, (Standing{stage, overlay})) << i << " " << overlay_name(life[i].to.overlay);
    EXPECT_EQ(life[i].offset, offset) << i;
  };
  expect(0, 1, Stage::activation, Overlay::none, 2);
  expect(1, 30, Stage::retention, Overlay::none, 3);
  expect(2, 90, Stage::retention, Overlay::at_risk, 0);
  expect(3, 150, Stage::retention, Overlay::churned, 0);
  expect(4, 300, Stage::retention, Overlay::won_back, 4);
  expect(5, 360, Stage::retention, Overlay::at_risk, 0);
  expect(6, 395, Stage::activation, Overlay::at_risk, 0);
  expect(7, 420, Stage::activation, Overlay::churned, 0);
  EXPECT_EQ(life.size(), 8U);
}

}  // namespace
}  // namespace perennial
