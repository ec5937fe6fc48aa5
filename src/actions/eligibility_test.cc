#include "actions/eligibility.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
const TimeMs kNoon = parse_iso8601("2026-03-02T12:00:00Z").value();

/// A user who may have the action "welcome" by e-mail, until a test says otherwise.
class EligibilityTest : public testing::Test {
 protected:
  EligibilityTest() {
    texts_ = {{"actions.welcome.channel", "email"}, {"actions.welcome.worth", "10"},
              {"actions.welcome.goal", "value"},    {"actions.welcome.repeat", "1 per 30d"},
              {"actions.nudge.channel", "email"},   {"actions.nudge.worth", "1"},
              {"actions.nudge.goal", "active"},     {"actions.poke.channel", "push"},
              {"actions.poke.worth", "1"},          {"actions.poke.goal", "active"}};
    defaults_.holdout_share = 0;
  }

  void had(const char* name, const char* channel, TimeMs time) {
    StoredRecord record;
    record.user = 1;
    record.time = time;
    record.payload = Action{fmt::format("id {}", time), name, channel, 1, ""};
    contacts_.apply(record);
  }

  Suppression why_not(const char* action = "welcome", TimeMs now = kNoon) {
    const ActionRules rules = make_action_rules(texts_, defaults_, shop_).value();
    UserNow view{.id = "una", .standing = standing_};
    view.trait = [this](std::string_view trait) {
      const auto found = traits_.find(std::string(trait));
      return found == traits_.end() ? nullptr : &found->second;
    };
    view.forecast = [this](std::string_view question) {
      const auto found = forecasts_.find(std::string(question));
      return found == forecasts_.end() ? std::nullopt : std::optional(found->second);
    };
    view.contacts = contacts_.of(1);
    return Eligibility(rules, contacts_, shop_).of(rules.find(action).value(), view, now);
  }

  const Definition shop_ = preset("e-commerce").value();
  ActionTexts texts_;
  ActionRules defaults_;
  Standing standing_;
  std::map<std::string, std::string> traits_;
  std::map<std::string, double> forecasts_;
  Contacts contacts_{60 * kDay};
};

TEST_F(EligibilityTest, WithoutRulesEverybodyMay) { EXPECT_EQ(why_not(), Suppression::none); }

TEST_F(EligibilityTest, TheControlGroupNever) {
  defaults_.holdout_share = 1;
  EXPECT_EQ(why_not(), Suppression::holdout);
  defaults_.holdout_share = share_of(kActionHoldout, "una");
  EXPECT_EQ(why_not(), Suppression::none);
}

TEST_F(EligibilityTest, OnlyInItsTime) {
  texts_["actions.welcome.from"] = "2026-03-02T12:00:00Z";
  texts_["actions.welcome.until"] = "2026-03-03T12:00:00Z";
  EXPECT_EQ(why_not("welcome", kNoon - 1), Suppression::expired);
  EXPECT_EQ(why_not("welcome", kNoon), Suppression::none);
  EXPECT_EQ(why_not("welcome", kNoon + kDay), Suppression::expired);
}

TEST_F(EligibilityTest, OnlyInItsStagesAndOverlays) {
  texts_["actions.welcome.stages"] = "retention";
  texts_["actions.welcome.overlays"] = "at_risk";
  standing_ = {Stage::retention, Overlay::at_risk};
  EXPECT_EQ(why_not(), Suppression::none);
  standing_ = {Stage::retention, Overlay::none};
  EXPECT_EQ(why_not(), Suppression::stage);
  standing_ = {Stage::activation, Overlay::at_risk};
  EXPECT_EQ(why_not(), Suppression::stage);
}

TEST_F(EligibilityTest, OnlyWithItsTraits) {
  struct Case {
    const char* condition;
    const char* value;  // of the trait "t"; null: unknown
    bool holds;
  };
  const Case cases[] = {{"t", "\"x\"", true},         {"t", nullptr, false},
                        {"t", "null", false},         {"!t", nullptr, true},
                        {"!t", "1", false},           {"t = DE", "\"DE\"", true},
                        {"t = DE", "\"D\"", false},   {"t = DE", nullptr, false},
                        {"t = true", "true", true},   {"t != DE", "\"FR\"", true},
                        {"t != DE", "\"DE\"", false}, {"t != DE", nullptr, true},
                        {"t >= 18", "18", true},      {"t >= 18", "17.9", false},
                        {"t >= 18", "\"20\"", true},  {"t >= 18", "\"old\"", false},
                        {"t < 18", "17", true},       {"t < 18", "18", false},
                        {"t < 18", "\"old\"", false}, {"t = a\"b", R"("a\"b")", true}};
  for (const auto& [condition, value, holds] : cases) {
    texts_["actions.welcome.traits"] = condition;
    traits_.clear();
    if (value != nullptr) traits_["t"] = value;
    EXPECT_EQ(why_not(), holds ? Suppression::none : Suppression::trait)
        << condition << " of " << (value == nullptr ? "nothing" : value);
  }
}

TEST_F(EligibilityTest, OnlyWithItsForecasts) {
  texts_["actions.welcome.forecasts"] = "churn >= 0.3, buy_30d < 0.5";
  EXPECT_EQ(why_not(), Suppression::forecast) << "not known";
  forecasts_ = {{"churn", 0.3}, {"buy_30d", 0.49}};
  EXPECT_EQ(why_not(), Suppression::none);
  forecasts_["churn"] = 0.29;
  EXPECT_EQ(why_not(), Suppression::forecast);
  forecasts_ = {{"churn", 0.3}, {"buy_30d", 0.5}};
  EXPECT_EQ(why_not(), Suppression::forecast);
}

TEST_F(EligibilityTest, OnlyWithConsent) {
  texts_["arbiter.consent.email"] = "newsletter";
  for (const char* said : {"false", "\"true\"", "1", "null"}) {
    traits_["newsletter"] = said;
    EXPECT_EQ(why_not(), Suppression::consent) << said;
  }
  EXPECT_EQ(why_not("poke"), Suppression::none) << "another channel";
  traits_["newsletter"] = "true";
  EXPECT_EQ(why_not(), Suppression::none);
}

TEST_F(EligibilityTest, NotAgainSoSoon) {
  had("welcome", "email", kNoon);
  EXPECT_EQ(why_not("welcome", kNoon + 30 * kDay - 1), Suppression::repeat);
  EXPECT_EQ(why_not("welcome", kNoon + 30 * kDay), Suppression::none);
  EXPECT_EQ(why_not("nudge"), Suppression::none);
}

TEST_F(EligibilityTest, NotTooManyOfAChannelOrOfAll) {
  texts_["arbiter.caps.email"] = "2 per 7d";
  texts_["arbiter.caps.all"] = "3 per 7d";
  had("nudge", "email", kNoon);
  EXPECT_EQ(why_not("welcome", kNoon + 1), Suppression::none);
  had("of_before", "email", kNoon + 1);  // an action that is declared no more counts all the same
  EXPECT_EQ(why_not("welcome", kNoon + 2), Suppression::cap);
  EXPECT_EQ(why_not("poke", kNoon + 2), Suppression::none);
  had("poke", "push", kNoon + 2);
  EXPECT_EQ(why_not("poke", kNoon + 31 * kDay), Suppression::none);
  EXPECT_EQ(why_not("welcome", kNoon + 7 * kDay - 1), Suppression::cap);
  EXPECT_EQ(why_not("welcome", kNoon + 7 * kDay), Suppression::none);
}

TEST_F(EligibilityTest, NotInTheQuietHoursOfTheUsersOwnDay) {
  texts_["arbiter.quiet_hours.all"] = "21:00-08:00";
  EXPECT_EQ(why_not(), Suppression::none);
  traits_["timezone"] = "\"Asia/Tokyo\"";  // 21:00 there
  EXPECT_EQ(why_not(), Suppression::quiet_hours);
  EXPECT_EQ(why_not("welcome", kNoon - 1), Suppression::none);
  traits_["timezone"] = "\"nowhere\"";
  EXPECT_EQ(why_not(), Suppression::none) << "the arbiter's own zone, which is UTC";
  defaults_.time_zone = "Asia/Tokyo";
  EXPECT_EQ(why_not(), Suppression::quiet_hours);
}

}  // namespace
}  // namespace perennial
