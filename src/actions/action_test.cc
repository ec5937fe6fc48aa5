#include "actions/action.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;

Definition shop() { return preset("e-commerce").value(); }

ActionTexts two_actions() {
  return {{"actions.welcome.channel", "email"},      {"actions.welcome.cost", "0.02"},
          {"actions.welcome.worth", "10"},           {"actions.welcome.goal", "value"},
          {"actions.welcome.stages", "acquisition"}, {"actions.push_back.channel", "push"},
          {"actions.push_back.goal", "sum(value)"},  {"actions.push_back.worth", "0.3"}};
}

ActionTexts with(const std::string& key, const std::string& text) {
  ActionTexts texts = two_actions();
  texts[key] = text;
  return texts;
}

std::string error_of(const ActionTexts& texts) { return make_action_rules(texts, {}, shop()).status().message(); }

TEST(ActionRules, ReadsWhatIsDeclared) {
  ActionTexts texts = two_actions();
  texts["actions.welcome.kind"] = "discount";
  texts["actions.welcome.cost_of_goal"] = "5";
  texts["actions.welcome.within"] = "7d";
  texts["actions.welcome.traits"] = "email, !phone, country = DE, plan != club, age >= 18, orders < 3";
  texts["actions.welcome.forecasts"] = "churn >= 0.3, buy_30d < 0.5";
  texts["actions.welcome.overlays"] = "none, at_risk";
  texts["actions.welcome.repeat"] = "2 per 60d";
  texts["actions.welcome.from"] = "2026-11-01";
  texts["actions.welcome.until"] = "2026-12-01";
  texts["actions.welcome.expected_effect"] = "0.01";
  texts["actions.welcome.expected_deviation"] = "0.02";
  texts["actions.welcome.payload"] = R"({ "template": "w1" })";
  texts["arbiter.caps.all"] = "3 per 7d";
  texts["arbiter.caps.email"] = "1 per 1d";
  texts["arbiter.budgets.all"] = "500 per 30d";
  texts["arbiter.budgets.push"] = "20000 actions per 1d";
  texts["arbiter.quiet_hours.all"] = "21:30-08:00";
  texts["arbiter.consent.email"] = "newsletter";
  const ActionRules rules = make_action_rules(texts, {}, shop()).value();
  ASSERT_EQ(rules.actions.size(), 2U);
  EXPECT_EQ(rules.find("welcome"), 1);
  EXPECT_EQ(rules.find("nobody"), std::nullopt);
  const ActionSpec& welcome = rules.actions[1];
  EXPECT_EQ(welcome.kind, ActionKind::discount);
  EXPECT_EQ(welcome.cost_of_goal, 5);
  EXPECT_EQ(welcome.goal.within_ms, 7 * kDay);
  EXPECT_FALSE(welcome.goal.money);
  EXPECT_TRUE(rules.actions[0].goal.money);
  EXPECT_EQ(welcome.stages, (std::array<bool, kStages>{true, false, false, false, false}));
  EXPECT_EQ(welcome.overlays, (std::array<bool, kOverlays>{true, true, false, false}));
  EXPECT_EQ(rules.actions[0].stages, (std::array<bool, kStages>{true, true, true, true, true}));
  ASSERT_EQ(welcome.traits.size(), 6U);
  using Is = TraitCondition::Is;
  const Is wanted[] = {Is::known, Is::unknown, Is::equal, Is::different, Is::at_least, Is::below};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(welcome.traits[i].is, wanted[i]) << i;
  EXPECT_EQ(welcome.traits[2].value, "DE");
  EXPECT_EQ(welcome.traits[5].trait, "orders");
  EXPECT_EQ(welcome.traits[5].number, 3);
  ASSERT_EQ(welcome.forecasts.size(), 2U);
  EXPECT_TRUE(welcome.forecasts[0].at_least);
  EXPECT_FALSE(welcome.forecasts[1].at_least);
  EXPECT_EQ(welcome.forecasts[1].bound, 0.5);
  EXPECT_EQ(welcome.repeat.most, 2);
  EXPECT_EQ(welcome.until - welcome.from, 30 * kDay);
  EXPECT_EQ(welcome.expected.mean, 0.01);
  EXPECT_EQ(welcome.payload, R"({"template":"w1"})");
  ASSERT_EQ(rules.caps.size(), 2U);
  EXPECT_EQ(rules.caps[0].actions, (ActionSet{0, 1}));
  EXPECT_EQ(rules.caps[1].actions, ActionSet{1});
  ASSERT_EQ(rules.budgets.size(), 2U);
  EXPECT_FALSE(rules.budgets[0].counts);
  EXPECT_TRUE(rules.budgets[1].counts);
  EXPECT_EQ(rules.budgets[1].limit, 20'000);
  EXPECT_EQ(rules.quiet_hours[0].from, 21 * 60 + 30);
  EXPECT_EQ(rules.quiet_hours[0].until, 8 * 60);
  EXPECT_EQ(rules.consents[0].trait, "newsletter");
  EXPECT_EQ(longest_window(rules), 60 * kDay);
}

TEST(ActionRules, ASlateHasItems) {
  const ActionRules usual = make_action_rules(with("actions.welcome.kind", "slate"), {}, shop()).value();
  EXPECT_EQ(usual.actions[*usual.find("welcome")].items, 5);
  ActionTexts texts = with("actions.welcome.kind", "slate");
  texts["actions.welcome.items"] = "12";
  const ActionRules rules = make_action_rules(texts, {}, shop()).value();
  EXPECT_EQ(rules.actions[*rules.find("welcome")].items, 12);
  EXPECT_EQ(rules.actions[*rules.find("push_back")].items, 0);
}

TEST(QuietHours, MayGoOverMidnight) {
  const QuietHours night{{}, 21 * 60, 8 * 60}, noon{{}, 12 * 60, 14 * 60};
  for (const int minute : {21 * 60, 23 * 60 + 59, 0, 8 * 60 - 1}) EXPECT_TRUE(night.contain(minute)) << minute;
  for (const int minute : {21 * 60 - 1, 8 * 60, 12 * 60}) EXPECT_FALSE(night.contain(minute)) << minute;
  EXPECT_TRUE(noon.contain(12 * 60));
  EXPECT_FALSE(noon.contain(14 * 60));
}

TEST(ActionRules, NothingDeclaredIsNothingToDo) { EXPECT_TRUE(make_action_rules({}, {}, shop())->actions.empty()); }

TEST(ActionRules, ErrorsNameTheKeyAndTheWayOut) {
  const std::pair<ActionTexts, std::string> cases[] = {
      {with("actions.welcome.chanel", "email"),
       "actions.welcome.chanel: an action has no 'chanel': did you mean 'channel'?"},
      {with("actions.Welcome.channel", "email"),
       "actions.Welcome.channel: 'Welcome' can't be the name of an action: want small letters, digits, _ and -, and "
       "not "
       "'all'"},
      {with("actions.welcome.goal", "valeu"),
       "actions.welcome.goal: 'valeu' is no signal: did you mean 'value'? 'sum(...)' of one stands for its money"},
      {with("actions.welcome.cost", "-1"), "actions.welcome.cost: want a number from 0 to 1000000000, got '-1'"},
      {with("actions.welcome.stages", "activation, loyalty"),
       "actions.welcome.stages: 'loyalty' is not one of acquisition, activation, retention, expansion, advocacy"},
      {with("actions.welcome.forecasts", "chrun >= 0.3"),
       "actions.welcome.forecasts: 'chrun' is no forecast: did you mean 'churn'?"},
      {with("actions.welcome.traits", "age >= old"),
       "actions.welcome.traits: want a trait, '>=' and a number, got 'age >= old'"},
      {with("actions.welcome.repeat", "often"),
       "actions.welcome.repeat: want a number from 1 to 1,000 per a period, such as '2 per 7d', got 'often'"},
      {with("actions.welcome.payload", "[1]"), "actions.welcome.payload: want a JSON object, got '[1]'"},
      {with("actions.welcome.kind", "letter"),
       "actions.welcome.kind: want one of message, offer, discount, invite, slate, got 'letter'"},
      {with("actions.welcome.items", "60"), "actions.welcome.items: want a number from 1 to 50, got 60"},
      {with("actions.welcome.items", "5"),
       "actions.welcome.items: only a slate has items, write actions.welcome.kind = \"slate\""},
      {with("actions.third.goal", "value"),
       "actions.third.channel is missing: what the action is sent through, such as \"email\""},
      {with("actions.email.channel", "letter"),
       "actions.email.worth is missing: what one user who reaches the goal is worth, in money; for goals like "
       "\"sum(value)\", what one unit of it is"},
      {with("actions.welcome.until", "1970-01-01"), "actions.welcome.until is not after its 'from'"},
      {with("actions.welcome.channel", "push_back"),
       "actions.welcome.channel: 'push_back' is the name of an action too: limits could not tell them apart"},
      {with("actions.welcome.traits", "age > 18"),
       "actions.welcome.traits: want a trait, alone, with '!' before it, or with =, !=, >= or < and a value, got 'age "
       "> "
       "18'"},
      {with("actions.welcome.expected_effect", "5"),
       "actions.welcome.expected_effect is on a chance: want a number from -1 to 1, such as 0.05 for 5 %"},
      {with("actions.push_back.cost_of_goal", "6"),
       "actions.push_back.cost_of_goal is a share of the money where that is the goal: want a number from 0 to 1"},
      {with("arbiter.caps.mail", "1 per 7d"),
       "arbiter.caps.mail: 'mail' is neither 'all' nor a channel nor an action: did you mean 'email'?"},
      {with("arbiter.budgets.all", "500"),
       "arbiter.budgets.all: want money or a number of actions per a period, such as '500 per 30d' or '20000 actions "
       "per "
       "1d', got '500'"},
      {with("arbiter.quiet_hours.all", "22-8"),
       "arbiter.quiet_hours.all: want two times of the day that differ, such as '21:00-08:00', got '22-8'"},
      {with("arbiter.consent.email", " "), "arbiter.consent.email: want the name of a trait that must be true"},
  };
  for (const auto& [texts, message] : cases) EXPECT_EQ(error_of(texts), message);
  ActionRules elsewhere;
  elsewhere.time_zone = "Mars/Olympus";
  EXPECT_EQ(make_action_rules(two_actions(), elsewhere, shop()).status().message(),
            "arbiter.time_zone: 'Mars/Olympus' is no time zone: write one such as Europe/Berlin");
}

}  // namespace
}  // namespace perennial
