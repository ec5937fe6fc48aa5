#include "actions/planner.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "actions/trials.h"
#include "base/random.h"
#include "base/text.h"
#include "base/time_zone.h"

namespace perennial {
namespace {

constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kDay = 24 * kHour;
const TimeMs kStart = parse_iso8601("2026-03-02T12:00:00Z").value();

ActionEffect known_effect(double level, double error = 0.001, double untreated = 0.1) {
  ActionEffect effect;
  effect.level = level;
  effect.level_variance = error * error;
  effect.untreated.intercept = untreated;
  return effect;
}

/// Users without a past, whom a test may give traits and contacts.
class World {
 public:
  explicit World(int users, ActionTexts texts, double holdout = 0, double explore = 0)
      : users_(users), texts_(std::move(texts)) {
    ActionRules defaults;
    defaults.holdout_share = holdout;
    defaults.explore_share = explore;
    rules = make_action_rules(texts_, defaults, definition).value();
    traits.resize(static_cast<size_t>(users));
    for (int user = 0; user < users; ++user) names_.push_back(fmt::format("user-{}", user));
  }

  void each(const std::function<void(const PlannedUser&)>& visit, const Contacts& contacts) const {
    for (int user = 0; user < users_; ++user) {
      const auto at = static_cast<size_t>(user);
      PlannedUser planned;
      planned.view.id = names_[at];
      planned.view.contacts = contacts.of(static_cast<UserId>(user));
      planned.view.last_draw = contacts.last_draw(static_cast<UserId>(user));
      planned.view.trait = [&](std::string_view trait) -> const std::string* {
        const auto found = traits[at].find(std::string(trait));
        return found == traits[at].end() ? nullptr : &found->second;
      };
      planned.view.forecast = [](std::string_view) { return std::optional<double>(); };
      planned.subject = {static_cast<UserId>(user), 0, &nothing_known_};
      visit(planned);
    }
  }

  ActionPlan plan(const Effects& effects, const Contacts& contacts, TimeMs now) const {
    return Planner(rules, effects, contacts, definition, now)
        .plan([&](const auto& visit) { each(visit, contacts); }, 1)
        .value();
  }

  Definition definition = preset("e-commerce").value();
  ActionRules rules;
  std::vector<std::map<std::string, std::string>> traits;  // by user

 private:
  int users_;
  ActionTexts texts_;
  std::vector<std::string> names_;
  UserFacts nothing_known_;
};

/// "letter" costs 1 and 2 more when it is used, "note" costs nothing; both are for orders.
ActionTexts two_actions() {
  return {{"actions.letter.channel", "mail"}, {"actions.letter.worth", "100"},      {"actions.letter.goal", "value"},
          {"actions.letter.cost", "1"},       {"actions.letter.cost_of_goal", "2"}, {"actions.note.channel", "email"},
          {"actions.note.worth", "10"},       {"actions.note.goal", "value"}};
}

StoredRecord stored(const Decision& decision, const ActionRules& rules, TimeMs at) {
  Record record = action_record(decision, rules, fmt::format("user-{}", decision.user), at, at);
  StoredRecord made;
  made.time = at;
  made.user = decision.user;
  made.message_id = record.message_id;
  made.payload = record.payload;
  return made;
}

TEST(Planner, TheGainIsEffectTimesWorthLessWhatItCosts) {
  const World world(1, two_actions());
  const Contacts contacts(30 * kDay);
  const Effects effects = {known_effect(0.05, 0.01, 0.2), known_effect(0.01)};
  const Planner planner(world.rules, effects, contacts, world.definition, kStart);
  std::vector<Weighed> weighed;
  world.each([&](const PlannedUser& user) { weighed = planner.weigh(user, {}); }, contacts);
  ASSERT_EQ(weighed.size(), 2U);
  EXPECT_EQ(weighed[0].action, 0);
  EXPECT_NEAR(weighed[0].cost, 1 + 2 * 0.25, 1e-12) << "a quarter reach the goal with it";
  EXPECT_NEAR(weighed[0].gain.value, 0.05 * 100 - 1.5, 1e-12);
  EXPECT_NEAR(weighed[0].gain.high - weighed[0].gain.low, 2 * 1.96 * 0.01 * 98, 1e-3);
  EXPECT_NEAR(weighed[1].gain.value, 0.1, 1e-12);
}

TEST(Planner, DoingNothingCompetes) {
  const World world(10, two_actions());
  const Contacts contacts(30 * kDay);
  const ActionPlan none = world.plan({known_effect(0.005), known_effect(-0.01)}, contacts, kStart);
  EXPECT_TRUE(none.decisions.empty());
  EXPECT_EQ(none.suppressed[0][static_cast<size_t>(Suppression::no_gain)], 10);
  const ActionPlan best = world.plan({known_effect(0.05), known_effect(0.01)}, contacts, kStart);
  ASSERT_EQ(best.decisions.size(), 10U);
  for (const Decision& decision : best.decisions) EXPECT_EQ(decision.action, 0);
  EXPECT_EQ(best.suppressed[1][static_cast<size_t>(Suppression::outdone)], 10);
}

TEST(Planner, TheControlGroupGetsNothingNotEvenByChance) {
  const World world(2000, two_actions(), 0.5, 0.5);
  const Contacts contacts(30 * kDay);
  const ActionPlan plan = world.plan({known_effect(0.05), known_effect(0.01)}, contacts, kStart);
  EXPECT_NEAR(static_cast<double>(plan.held_out), 1000, 100);
  EXPECT_EQ(static_cast<int64_t>(plan.decisions.size()), plan.users - plan.held_out);
}

TEST(Planner, WhatIsSpentIsSpent) {
  ActionTexts texts = two_actions();
  texts["arbiter.budgets.all"] = "30 per 10d";
  texts["arbiter.budgets.note"] = "5 actions per 1d";
  const World world(100, texts);
  Contacts contacts(30 * kDay);
  const Effects effects = {known_effect(0.05), known_effect(0.01)};
  const ActionPlan first = world.plan(effects, contacts, kStart);
  double cost = 0;
  for (const Decision& decision : first.decisions) {
    cost += decision.cost;
    contacts.apply(stored(decision, world.rules, kStart));
  }
  EXPECT_LE(cost, 30);
  EXPECT_GT(cost, 28);
  EXPECT_GT(first.budgets[0].price, 0) << "one more unit of money would bring something";
  const ActionPlan second = world.plan(effects, contacts, kStart + kHour);
  EXPECT_TRUE(second.decisions.empty()) << "of money some cents are left, of notes none";
  const ActionPlan third = world.plan(effects, contacts, kStart + 2 * kDay);
  for (const Decision& decision : third.decisions) EXPECT_EQ(world.rules.actions[decision.action].name, "note");
  EXPECT_FALSE(world.plan(effects, contacts, kStart + 11 * kDay).decisions.empty());
}

TEST(Planner, ChancesAreThoseOfBeingTheBest) {
  const std::vector<Interval95> gains = {{1, 1 - 1.96, 1 + 1.96}, {0.5, 0.5 - 3.92, 0.5 + 3.92}, {-2, -2.98, -1.02}};
  const std::vector<double> chances = chances_of_being_best(gains);
  Random random(1);
  std::vector<double> counted(4);
  constexpr int kDraws = 400'000;
  for (int i = 0; i < kDraws; ++i) {
    const double drawn[] = {1 + random.normal(), 0.5 + 2 * random.normal(), -2 + 0.5 * random.normal(), 0};
    ++counted[static_cast<size_t>(std::max_element(std::begin(drawn), std::end(drawn)) - std::begin(drawn))];
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(chances[i], counted[i] / kDraws, 0.004) << i;
  EXPECT_EQ(chances_of_being_best({}), std::vector<double>{1});
}

TEST(Planner, WhatIsDrawnComesWithTheChancesThatItSays) {
  const World world(20'000, two_actions(), 0, 1);
  const Contacts contacts(30 * kDay);
  const ActionPlan plan = world.plan({known_effect(0.02, 0.02), known_effect(0.0, 0.05)}, contacts, kStart);
  ASSERT_EQ(plan.decisions.size(), 20'000U);
  std::map<uint16_t, double> drawn, expected;
  for (const Decision& decision : plan.decisions) {
    ++drawn[decision.action];
    double sum = 0;
    for (const auto& [action, chance] : decision.chances) {
      expected[action] += chance;
      sum += chance;
      EXPECT_GT(chance, 0.06) << "each comes up often enough to learn from";
      if (action == decision.action) {
        EXPECT_EQ(chance, decision.chance);
      }
    }
    EXPECT_NEAR(sum, 1, 1e-9);
  }
  for (const auto& [action, count] : expected) EXPECT_NEAR(drawn[action], count, 4 * std::sqrt(count)) << action;
}

TEST(Planner, InEachPeriodItIsDrawnForOthers) {
  const World world(1000, two_actions(), 0, 0.2);
  const Contacts contacts(30 * kDay);
  const Effects effects = {known_effect(0.02, 0.02), known_effect(0.0, 0.05)};
  const auto drawn = [&](TimeMs now) {
    std::vector<UserId> users;
    for (const Decision& decision : world.plan(effects, contacts, now).decisions)
      if (!decision.chances.empty()) users.push_back(decision.user);
    return users;
  };
  EXPECT_NEAR(static_cast<double>(drawn(kStart).size()), 200, 60);
  EXPECT_EQ(drawn(kStart), drawn(kStart));
  EXPECT_NE(drawn(kStart), drawn(kStart + 14 * kDay));
}

TEST(Planner, WhoWasDrawnIsLeftAloneUntilTheOutcomeIsKnown) {
  const World world(400, two_actions(), 0, 0.3);
  Contacts contacts(60 * kDay);
  const Effects effects = {known_effect(0.05), known_effect(0.02, 0.03)};
  std::set<UserId> drawn;
  for (const Decision& decision : world.plan(effects, contacts, kStart).decisions) {
    if (decision.chances.empty()) continue;
    drawn.insert(decision.user);
    contacts.apply(stored(decision, world.rules, kStart));
  }
  ASSERT_GT(drawn.size(), 60U);
  for (const TimeMs later : {kHour, kDay, 14 * kDay - 1}) {
    const ActionPlan plan = world.plan(effects, contacts, kStart + later);
    for (const Decision& decision : plan.decisions) EXPECT_FALSE(drawn.contains(decision.user)) << later;
    EXPECT_GT(plan.decisions.size(), 100U);
    EXPECT_EQ(plan.suppressed[0][static_cast<size_t>(Suppression::experiment)], static_cast<int64_t>(drawn.size()));
  }
  int back = 0;
  for (const Decision& decision : world.plan(effects, contacts, kStart + 14 * kDay).decisions)
    back += drawn.contains(decision.user) ? 1 : 0;
  EXPECT_GT(back, 0);
}

// ---------------------------------------------------------------------------------------------- no rule is ever broken

/// Random rules over four actions in two channels.
ActionTexts random_rules(Random& random) {
  ActionTexts texts;
  for (const auto& [name, channel] : {std::pair{"a", "email"}, {"b", "email"}, {"c", "push"}, {"d", "push"}}) {
    const std::string key = fmt::format("actions.{}.", name);
    texts[key + "channel"] = channel;
    texts[key + "worth"] = "10";
    texts[key + "goal"] = "value";
    texts[key + "within"] = "12h";
    texts[key + "cost"] = fmt::format("{:.2f}", random.uniform());
    texts[key + "repeat"] = fmt::format("{} per {}h", 1 + random.below(2), 12 + random.below(60));
  }
  texts["arbiter.caps.all"] = fmt::format("{} per {}h", 1 + random.below(3), 24 + random.below(48));
  texts["arbiter.caps.push"] = fmt::format("1 per {}h", 6 + random.below(30));
  texts["arbiter.budgets.all"] = fmt::format("{} per {}h", 5 + random.below(20), 10 + random.below(30));
  texts["arbiter.budgets.a"] = fmt::format("{} actions per {}h", 1 + random.below(9), 10 + random.below(30));
  texts["arbiter.quiet_hours.email"] = "20:00-09:00";
  texts["arbiter.consent.email"] = "newsletter";
  return texts;
}

struct Done {
  UserId user;
  TimeMs time;
  uint16_t action;
  double cost;
  std::string id;
};

/// What the rules say of one action that was done, counted anew from all that were done up to then.
void expect_allowed(const World& world, const std::vector<Done>& all, const Done& done) {
  const ActionRules& rules = world.rules;
  const auto of = [](const ActionSet& set, uint16_t action) { return std::ranges::find(set, action) != set.end(); };
  const auto lately = [&](TimeMs window, const auto& counts) {
    int64_t count = 0;
    for (const Done& other : all)
      count += other.time > done.time - window && other.time <= done.time && counts(other) ? 1 : 0;
    return count;
  };
  const Frequency& repeat = rules.actions[done.action].repeat;
  EXPECT_LE(lately(repeat.window_ms, [&](const Done& d) { return d.user == done.user && d.action == done.action; }),
            repeat.most);
  for (const Cap& cap : rules.caps)
    if (of(cap.actions, done.action)) {
      EXPECT_LE(lately(cap.frequency.window_ms,
                       [&](const Done& d) { return d.user == done.user && of(cap.actions, d.action); }),
                cap.frequency.most);
    }
  for (const BudgetRule& budget : rules.budgets) {
    double used = 0;
    for (const Done& other : all)
      if (other.time > done.time - budget.window_ms && other.time <= done.time && of(budget.actions, other.action))
        used += budget.counts ? 1 : other.cost;
    EXPECT_LE(used, budget.limit + 1e-4) << budget.scope;  // costs are kept as float
  }
  const auto& traits = world.traits[done.user];
  if (rules.actions[done.action].channel == "email") {
    EXPECT_EQ(traits.at("newsletter"), "true");
    const int minute = minute_of_day(trait_text(traits.at("timezone")), done.time);
    EXPECT_TRUE(minute >= 9 * 60 && minute < 20 * 60) << minute;
  }
}

TEST(Planner, NoRuleIsEverBroken) {
  const char* zones[] = {"\"UTC\"", "\"Asia/Tokyo\"", "\"America/Lima\""};
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Random random(seed);
    World world(40, random_rules(random), 0.05, 0.3);
    for (auto& traits : world.traits) {
      traits["newsletter"] = random.chance(0.6) ? "true" : "false";
      traits["timezone"] = zones[random.below(3)];
    }
    Contacts contacts(longest_window(world.rules));
    std::vector<Done> all;
    TimeMs now = kStart;
    for (int step = 0; step < 60; ++step) {
      now += static_cast<TimeMs>(random.uniform() * 4 * kHour);
      Effects effects;
      for (int action = 0; action < 4; ++action) effects.push_back(known_effect(0.1 * random.normal() + 0.05, 0.05));
      std::string& consent = world.traits[random.below(40)]["newsletter"];
      consent = consent == "true" ? "false" : "true";
      const size_t before = all.size();
      for (const Decision& decision : world.plan(effects, contacts, now).decisions) {
        const StoredRecord record = stored(decision, world.rules, now);
        contacts.apply(record);
        if (decision.action != kDoNothing)
          all.push_back(
              {decision.user, now, decision.action, decision.cost, std::get<Action>(record.payload).action_id});
      }
      for (size_t i = before; i < all.size(); ++i) expect_allowed(world, all, all[i]);
    }
    EXPECT_GT(all.size(), 40U) << "rules that nothing passes test nothing";
  }
}

}  // namespace
}  // namespace perennial
