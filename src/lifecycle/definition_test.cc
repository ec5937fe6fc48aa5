#include "lifecycle/definition.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;

const std::vector<Signal> kSignals = {{"active", {"Product Viewed"}}, {"value", {"Order Completed"}}};

testing::AssertionResult refused(const Status& status, std::string_view words) {
  if (status.ok()) return testing::AssertionFailure() << "accepted";
  if (status.code() != Code::invalid_argument) return testing::AssertionFailure() << code_name(status.code());
  if (status.message().find(words) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no '" << words << "' in: " << status.message();
}

TEST(Rule, OneCountEver) {
  const StageRule rule = parse_rule("value >= 2", kSignals).value();
  ASSERT_EQ(rule.alternatives.size(), 1U);
  const Condition& condition = rule.alternatives[0].at(0);
  EXPECT_EQ(condition.measure, Measure::count);
  EXPECT_EQ(condition.signal, 1);
  EXPECT_EQ(condition.at_least, 2);
  EXPECT_EQ(condition.window_ms, 0);
}

TEST(Rule, AndBindsCloserThanOr) {
  const StageRule rule =
      parse_rule("weeks(active)>=3 within 60d and value >= 1 or growth(sum(value)) >= 1.5 over 2w", kSignals).value();
  ASSERT_EQ(rule.alternatives.size(), 2U);
  ASSERT_EQ(rule.alternatives[0].size(), 2U);
  EXPECT_EQ(rule.alternatives[0][0].measure, Measure::weeks);
  EXPECT_EQ(rule.alternatives[0][0].window_ms, 60 * kDay);
  ASSERT_EQ(rule.alternatives[1].size(), 1U);
  EXPECT_TRUE(rule.alternatives[1][0].growth);
  EXPECT_EQ(rule.alternatives[1][0].measure, Measure::sum);
  EXPECT_EQ(rule.alternatives[1][0].at_least, 1.5);
  EXPECT_EQ(rule.alternatives[1][0].window_ms, 14 * kDay);
}

TEST(Rule, ErrorsPointAtThePlace) {
  const auto rule = [](std::string_view text) { return parse_rule(text, kSignals).status(); };
  EXPECT_TRUE(refused(rule(""), "want a signal at character 1, got the end"));
  EXPECT_TRUE(refused(rule("orders >= 1"), "'orders' at character 1 is no signal: there are active, value"));
  EXPECT_TRUE(refused(rule("value > 1"), "want '>=' at character 7, got '> 1'"));
  EXPECT_TRUE(refused(rule("value >= some"), "want a number above 0 at character 10"));
  EXPECT_TRUE(refused(rule("value >= 0"), "a number above 0"));
  EXPECT_TRUE(refused(rule("value >= 1.5"), "a whole number"));
  EXPECT_TRUE(refused(rule("value >= 1 within 3 months"), "want a period such as"));
  EXPECT_TRUE(refused(rule("value >= 1 but active >= 1"), "want 'and', 'or' or the end at character 12"));
  EXPECT_TRUE(refused(rule("growth(value) >= 2"), "want 'over' and a period"));
  EXPECT_TRUE(refused(rule("weeks(value >= 2"), "want ')' at character 13"));
  EXPECT_TRUE(refused(rule("value >= 1 and"), "want a signal"));
}

TEST(Period, UnitsAndLimits) {
  EXPECT_EQ(parse_period("36h").value(), 36 * kDay / 24);
  EXPECT_EQ(parse_period(" 2w ").value(), 14 * kDay);
  EXPECT_EQ(parse_period("1y").value(), 365 * kDay);
  EXPECT_EQ(parse_period("0.5d").value(), kDay / 2);
  for (const char* bad : {"", "d", "90", "90 days", "-1d", "0d", "1000y", "1e99d"})
    EXPECT_TRUE(refused(parse_period(bad).status(), "want 36h, 90d, 2w or 1y")) << bad;
}

TEST(Preset, EachIsSound) {
  for (const char* name : {"e-commerce", "content", "social", "ads", "saas"}) {
    const Result<Definition> definition = preset(name);
    ASSERT_TRUE(definition.ok()) << name << ": " << definition.status().message();
    EXPECT_TRUE(check(*definition).ok()) << name;
  }
  EXPECT_TRUE(refused(preset("shop").status(), "e-commerce, content, social, ads, saas"));
}

TEST(Definition, WhatTheConfigurationSaysStandsOverThePreset) {
  DefinitionText text;
  text.signals = {{"value", "Order Completed, subscription_renewed ,"}, {"quiz", "Quiz Solved"}};
  text.stages = {{"advocacy", "quiz >= 3 within 30d"}};
  text.at_risk_after = "10d";
  text.currency = "JPY";
  const Result<Definition> definition = make_definition(text);
  ASSERT_TRUE(definition.ok()) << definition.status().message();
  const auto value = definition->find_signal("value");
  EXPECT_EQ(definition->signals[*value].event_types,
            (std::vector<std::string>{"Order Completed", "subscription_renewed"}));
  EXPECT_EQ(definition->rules[4].alternatives[0][0].signal, *definition->find_signal("quiz"));
  EXPECT_EQ(definition->rules[1].text, preset("e-commerce")->rules[1].text);
  EXPECT_EQ(definition->at_risk_after_ms, 10 * kDay);
  EXPECT_EQ(definition->minor_units, 1);
}

TEST(Definition, ErrorsNameTheKey) {
  const auto made = [](auto change) {
    DefinitionText text;
    change(text);
    return make_definition(text).status();
  };
  EXPECT_TRUE(refused(made([](DefinitionText& t) { t.preset = "shop"; }), "lifecycle.preset: 'shop'"));
  EXPECT_TRUE(refused(made([](DefinitionText& t) { t.stages["loyalty"] = "value >= 1"; }), "lifecycle.stages.loyalty"));
  EXPECT_TRUE(refused(made([](DefinitionText& t) { t.stages["retention"] = "orders >= 2"; }),
                      "lifecycle.stages.retention: 'orders' at character 1"));
  EXPECT_TRUE(refused(made([](DefinitionText& t) { t.signals["value"] = " , "; }),
                      "lifecycle.signals.value: it has no event types"));
  EXPECT_TRUE(refused(made([](DefinitionText& t) { t.churned_after = "soon"; }), "lifecycle.churned_after: 'soon'"));
  EXPECT_TRUE(refused(made([](DefinitionText& t) { t.churned_after = "30d"; }), "lifecycle.churned_after: it must be"));
}

TEST(Definition, CheckSaysWhatIsWrong) {
  const Definition good = preset("e-commerce").value();
  const auto with = [&](auto change) {
    Definition definition = good;
    change(definition);
    return check(definition);
  };
  EXPECT_TRUE(refused(with([](Definition& d) { d.signals.clear(); }), "lifecycle.signals: there is none"));
  EXPECT_TRUE(refused(with([](Definition& d) { d.signals[1].name = "active"; }), "there twice"));
  EXPECT_TRUE(refused(with([](Definition& d) { d.signals[1].name = "My Value"; }), "small letters"));
  EXPECT_TRUE(refused(with([](Definition& d) { d.signals[1].event_types.clear(); }), "has no event types"));
  EXPECT_TRUE(refused(with([](Definition& d) { d.rules[2] = {}; }), "lifecycle.stages.retention: it has no rule"));
  EXPECT_TRUE(refused(with([](Definition& d) { d.churned_after_ms = d.at_risk_after_ms; }), "at risk"));
  EXPECT_TRUE(refused(with([](Definition& d) { d.won_back_for_ms = d.churned_after_ms + 1; }), "overlap"));
  EXPECT_TRUE(refused(with([](Definition& d) { d.at_risk_after_ms = 0; }), "above 0"));
}

TEST(Definition, AStageThatAHigherOneEmptiesIsRefused) {
  const auto with = [](const char* retention, const char* expansion) {
    DefinitionText text;
    text.stages = {{"retention", retention}, {"expansion", expansion}};
    return make_definition(text).status();
  };
  EXPECT_TRUE(with("value >= 2 within 1y", "value >= 3 within 1y").ok());
  EXPECT_TRUE(with("value >= 3 within 1y", "value >= 3 within 30d").ok());
  EXPECT_TRUE(with("sum(value) >= 3 within 30d", "sum(value) >= 3 within 1y").ok()) << "there are refunds";
  for (const char* expansion :
       {"value >= 3 within 1y", "value >= 2 within 1y", "value >= 3", "upgrade >= 1 or value >= 2"}) {
    const Status refused = with("value >= 3 within 1y and share >= 1", expansion);
    EXPECT_NE(refused.message().find("lifecycle.stages.retention: nobody would ever be in it"), std::string::npos)
        << expansion << ": " << refused.message();
  }
}

TEST(Definition, ARuleThatWaitsForAStageIsRefused) {
  DefinitionText text;
  text.stages["retention"] = "activation >= 1 within 30d";
  EXPECT_NE(make_definition(text).status().message().find("'activation' at character 1 is a stage"), std::string::npos);
}

}  // namespace
}  // namespace perennial
