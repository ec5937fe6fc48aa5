#include "actions/journey.h"

#include <gtest/gtest.h>

#include "actions/action.h"
#include "actions/eligibility.h"
#include "base/text.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
const TimeMs kStart = parse_iso8601("2026-03-02").value();

class JourneyTest : public testing::Test {
 protected:
  JourneyTest() {
    texts_ = {{"actions.letter.channel", "mail"},      {"actions.letter.worth", "10"},
              {"actions.letter.goal", "value"},        {"actions.letter.repeat", "9 per 1d"},
              {"actions.offer.channel", "mail"},       {"actions.offer.worth", "10"},
              {"actions.offer.goal", "value"},         {"actions.offer.repeat", "9 per 1d"},
              {"journeys.j.trigger", "signal review"}, {"journeys.j.steps", "letter, wait 5d, offer"},
              {"journeys.j.exit", "upgrade"},          {"journeys.j.patience", "2d"}};
    defaults_.holdout_share = 0;
  }

  void fact(const char* signal, TimeMs time) {
    facts_.add(definition_.find_signal(signal).value(), time, ++offset_, 0);
  }

  void given(const char* name, TimeMs time) {
    StoredRecord record;
    record.user = 1;
    record.time = time;
    record.payload = Action{fmt::format("id {}", time), name, "mail", 1, ""};
    contacts_.apply(record);
  }

  /// "letter", "offer", or "" when nothing is due.
  std::string due(TimeMs now) {
    const ActionRules rules = make_action_rules(texts_, defaults_, definition_).value();
    const Eligibility eligibility(rules, contacts_, definition_);
    UserNow user{.id = "una", .standing = standing_at(definition_, facts_, now)};
    user.trait = [](std::string_view) { return nullptr; };
    user.forecast = [this](std::string_view) { return forecast_; };
    user.contacts = contacts_.of(1);
    user.facts = &facts_;
    std::string found;
    for (uint16_t action = 0; action < rules.actions.size(); ++action) {
      const Suppression why = eligibility.of(action, user, now);
      if (why == Suppression::none) found += rules.actions[action].name;
      EXPECT_TRUE(why == Suppression::none || why == Suppression::journey || allow_other_) << suppression_name(why);
    }
    return found;
  }

  const Definition definition_ = preset("e-commerce").value();
  ActionTexts texts_;
  ActionRules defaults_;
  UserFacts facts_;
  Contacts contacts_{400 * kDay};
  std::optional<double> forecast_;
  Offset offset_ = 0;
  bool allow_other_ = false;
};

TEST_F(JourneyTest, GoesStepByStepWithItsWaits) {
  EXPECT_EQ(due(kStart), "");
  fact("review", kStart);
  EXPECT_EQ(due(kStart - 1), "");
  EXPECT_EQ(due(kStart), "letter");
  EXPECT_EQ(due(kStart + kDay), "letter");
  given("letter", kStart + kDay);
  EXPECT_EQ(due(kStart + kDay), "");
  EXPECT_EQ(due(kStart + 6 * kDay - 1), "") << "five days after the letter, not after the beginning";
  EXPECT_EQ(due(kStart + 6 * kDay), "offer");
  given("offer", kStart + 6 * kDay);
  for (int day = 6; day < 60; ++day) EXPECT_EQ(due(kStart + day * kDay), "") << day;
}

TEST_F(JourneyTest, WhatNobodyGotToIsPassedOver) {
  fact("review", kStart);
  EXPECT_EQ(due(kStart + 2 * kDay), "letter");
  EXPECT_EQ(due(kStart + 2 * kDay + 1), "");
  EXPECT_EQ(due(kStart + 7 * kDay), "offer");
  EXPECT_EQ(due(kStart + 9 * kDay + 1), "");
}

TEST_F(JourneyTest, AnExitEndsIt) {
  fact("review", kStart);
  fact("upgrade", kStart + kDay);
  EXPECT_EQ(due(kStart + kDay - 1), "letter");
  EXPECT_EQ(due(kStart + kDay), "");
  EXPECT_EQ(due(kStart + 7 * kDay), "");
}

TEST_F(JourneyTest, WhileItLastsItDoesNotBeginAnew) {
  fact("review", kStart);
  given("letter", kStart);
  fact("review", kStart + 3 * kDay);
  EXPECT_EQ(due(kStart + 3 * kDay), "");
  EXPECT_EQ(due(kStart + 5 * kDay), "offer");
  // It lasts 5 days of waiting and twice its patience of two.
  fact("review", kStart + 9 * kDay + 1);
  EXPECT_EQ(due(kStart + 9 * kDay + 1), "letter");
}

TEST_F(JourneyTest, OfAStageItBeginsWhenTheUserComesToIt) {
  texts_["journeys.j.trigger"] = "stage activation";
  fact("active", kStart - kDay);
  EXPECT_EQ(due(kStart), "");
  fact("value", kStart);
  EXPECT_EQ(due(kStart), "letter");
  given("letter", kStart);
  EXPECT_EQ(due(kStart + 5 * kDay), "offer");
  fact("value", kStart + 5 * kDay);  // has gone on to retention
  EXPECT_EQ(due(kStart + 5 * kDay), "");
}

TEST_F(JourneyTest, OfTheFirstStageItBeginsWithTheUser) {
  texts_["journeys.j.trigger"] = "stage acquisition";
  fact("active", kStart);
  EXPECT_EQ(due(kStart), "letter");
  given("letter", kStart + kDay);
  EXPECT_EQ(due(kStart + 6 * kDay), "offer");
  fact("value", kStart + 6 * kDay);
  EXPECT_EQ(due(kStart + 6 * kDay), "");
}

TEST_F(JourneyTest, AfterAnExitANewEventBeginsItAnew) {
  fact("review", kStart);
  fact("upgrade", kStart + kDay);
  fact("review", kStart + 2 * kDay);
  EXPECT_EQ(due(kStart + 2 * kDay), "letter");
}

TEST_F(JourneyTest, OneContactIsOneStep) {
  for (const char* key : {"channel", "worth", "goal", "repeat"}) texts_.erase(std::string("actions.offer.") + key);
  texts_["journeys.j.steps"] = "letter, letter";
  fact("review", kStart);
  given("letter", kStart);
  EXPECT_EQ(due(kStart + 1), "letter");
  given("letter", kStart + 1);
  EXPECT_EQ(due(kStart + 2), "");
}

TEST_F(JourneyTest, OfAnOverlayItBeginsWithTheSilence) {
  texts_["journeys.j.trigger"] = "overlay churned";
  fact("active", kStart);
  fact("value", kStart);
  const TimeMs churned = kStart + definition_.churned_after_ms;
  EXPECT_EQ(due(churned - kDay), "");
  EXPECT_EQ(due(churned + kDay), "letter");
  EXPECT_EQ(due(churned + 4 * kDay), "") << "nobody got to it in time";
  EXPECT_EQ(due(churned + 7 * kDay), "offer");
  fact("active", churned + 7 * kDay);
  EXPECT_EQ(due(churned + 7 * kDay + 1), "");
}

TEST_F(JourneyTest, OfAForecastItBeginsWhenItSaysSo) {
  texts_["journeys.j.trigger"] = "forecast churn >= 0.3";
  fact("active", kStart);
  EXPECT_EQ(due(kStart), "");
  forecast_ = 0.29;
  EXPECT_EQ(due(kStart), "");
  forecast_ = 0.3;
  EXPECT_EQ(due(kStart), "letter");
  given("letter", kStart);
  forecast_ = 0.1;  // goes on all the same
  EXPECT_EQ(due(kStart + 4 * kDay), "");
  EXPECT_EQ(due(kStart + 5 * kDay), "offer");
}

TEST_F(JourneyTest, TheArbitersRulesHoldInItToo) {
  texts_["arbiter.caps.mail"] = "1 per 6d";
  allow_other_ = true;
  fact("review", kStart);
  given("letter", kStart);
  EXPECT_EQ(due(kStart + 5 * kDay), "");
  EXPECT_EQ(due(kStart + 6 * kDay), "offer") << "still within its patience";
  texts_["arbiter.consent.mail"] = "newsletter";
  EXPECT_EQ(due(kStart + 6 * kDay), "");
}

TEST_F(JourneyTest, ErrorsNameTheKeyAndTheWayOut) {
  const auto error = [&](const std::string& key, const std::string& text) {
    ActionTexts texts = texts_;
    texts[key] = text;
    return make_action_rules(texts, defaults_, definition_).status().message();
  };
  EXPECT_EQ(error("journeys.j.trigger", "stage activaton"),
            "journeys.j.trigger: want a stage, an overlay, a signal of [lifecycle] or a forecast, such as 'stage "
            "activation', 'overlay churned', 'signal value' or 'forecast churn >= 0.3', got 'stage activaton'");
  EXPECT_EQ(error("journeys.j.trigger", "forecast chrun >= 0.3"),
            "journeys.j.trigger: 'chrun' is no forecast: did you mean 'churn'?");
  EXPECT_EQ(error("journeys.j.steps", "letter, wait 5d, ofer"),
            "journeys.j.steps: 'ofer' is neither an action nor 'wait' and a period: did you mean 'offer'?");
  EXPECT_EQ(error("journeys.j.steps", "letter, wait 5d"), "journeys.j.steps: a wait at the end waits for nothing");
  EXPECT_EQ(error("journeys.j.steps", "wait soon, letter").substr(0, 17), "journeys.j.steps:");
  EXPECT_EQ(error("journeys.j.exit", "valeu"), "journeys.j.exit: 'valeu' is no signal of [lifecycle]");
  EXPECT_EQ(error("journeys.j.exits", "value"), "journeys.j.exits: a journey has no 'exits': did you mean 'exit'?");
  texts_["journeys.j.trigger"] = "forecast churn >= 0.3";
  EXPECT_EQ(error("journeys.j.steps", "wait 3d, letter"),
            "journeys.j.steps: a journey that a forecast begins can't begin with a wait");
  EXPECT_EQ(error("journeys.k.steps", "letter"), "journeys.k.trigger is missing: when it begins");
  EXPECT_EQ(error("journeys.k.trigger", "signal value"), "journeys.k.steps is missing: what it is made of");
}

}  // namespace
}  // namespace perennial
