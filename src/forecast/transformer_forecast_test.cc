#include "forecast/transformer_forecast.h"

#include <gtest/gtest.h>

#include <set>

#include "forecast/simulated_shop.h"
#include "forecast/user_forecasts.h"

namespace perennial {
namespace {

constexpr TimeMs kStart = 1'700'000'000'000;

Definition shop_definition() { return preset("e-commerce").value(); }

size_t outcome_at(const ForecastHeadConfig& config, std::string_view name) {
  return static_cast<size_t>(std::find(config.outcomes.begin(), config.outcomes.end(), name) - config.outcomes.begin());
}

TEST(HeadConfig, AsksEveryQuestionOfTheDefinition) {
  const Definition definition = shop_definition();
  const ForecastHeadConfig config = head_config(definition);
  HeadForecast forecast;
  forecast.survival.assign(config.hazard_days.size(), 0.75);
  forecast.outcomes.assign(config.outcomes.size(), 0.25);
  forecast.spend = 12;
  for (const Question& question : questions_of(definition)) {
    const std::optional<double> answer = answer_of(forecast, config, question);
    ASSERT_TRUE(answer.has_value()) << question.name;
    EXPECT_EQ(*answer, question.outcome == Outcome::churns     ? 0.75
                       : question.kind() == OutcomeKind::money ? 12
                                                               : 0.25)
        << question.name;
  }
  EXPECT_EQ(answer_of(forecast, config, {"return_8d", Outcome::returns, 8 * kMsOfDay}), std::nullopt);
  EXPECT_EQ(std::set<std::string>(config.features.begin(), config.features.end()).size(), config.features.size());
}

TEST(HeadFeatures, LookAtNoLaterFact) {
  SimulatedShop shop(60, 300, 5);
  const HeadFeatures features(shop.definition());
  const TimeMs now = SimulatedShop::time_of(150);
  std::vector<std::vector<double>> before;
  for (const Subject& subject : shop.subjects()) before.push_back(features.of(shop.definition(), subject, now));
  shop.add_later_facts(now);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(features.of(shop.definition(), shop.subjects()[i], now), before[i]) << i;
    EXPECT_EQ(before[i].size(), features.names().size());
  }
}

class HeadLabelsTest : public testing::Test {
 protected:
  HeadLabels at(TimeMs now, TimeMs until) { return labels_of(config_, definition_, {1, kStart, &facts_}, now, until); }
  void add(const char* signal, double day, int64_t minor = 0) {
    facts_.add(*definition_.find_signal(signal), kStart + static_cast<TimeMs>(day * kMsOfDay), ++offset_, minor);
  }

  Definition definition_ = shop_definition();
  ForecastHeadConfig config_ = head_config(definition_);
  UserFacts facts_;
  Offset offset_ = 0;
};

TEST_F(HeadLabelsTest, TheEventEndsTheIntervalsThatAreSeen) {
  add("active", 0);
  add("active", 4);
  const HeadLabels labels = at(kStart, kStart + 400 * kMsOfDay);
  ASSERT_TRUE(labels.came);
  EXPECT_EQ(config_.hazard_days[labels.hazards_seen - 1], 5) << "between day 3 and day 5";
}

TEST_F(HeadLabelsTest, WhatIsNotOverIsNotKnown) {
  add("active", 0);
  add("active", 4);
  const HeadLabels early = at(kStart, kStart + 3 * kMsOfDay + 1);
  EXPECT_FALSE(early.came);
  EXPECT_EQ(config_.hazard_days[early.hazards_seen - 1], 3);
  for (const float outcome : early.outcomes) EXPECT_EQ(outcome, -1);
  EXPECT_EQ(early.spend, -1);
}

TEST_F(HeadLabelsTest, AnEventInAnIntervalThatIsNotOverIsNotKnown) {
  add("active", 0);
  add("active", 4);
  const HeadLabels labels = at(kStart, kStart + 4 * kMsOfDay + kMsOfDay / 2);
  EXPECT_FALSE(labels.came) << "else only the unfinished intervals with an event would count";
  EXPECT_EQ(config_.hazard_days[labels.hazards_seen - 1], 3);
}

TEST_F(HeadLabelsTest, OutcomesAreAnswersOfThoseAsked) {
  add("active", 0);
  add("value", 10, 2500);
  add("upgrade", 50);
  const HeadLabels labels = at(kStart, kStart + 100 * kMsOfDay);
  EXPECT_EQ(labels.outcomes[outcome_at(config_, "activate_30d")], 1);
  EXPECT_EQ(labels.outcomes[outcome_at(config_, "buy_30d")], 1);
  EXPECT_EQ(labels.outcomes[outcome_at(config_, "upgrade_90d")], 1);
  EXPECT_EQ(labels.outcomes[outcome_at(config_, "refer_90d")], 0);
  EXPECT_EQ(labels.spend, 25);
  const HeadLabels later = at(kStart + 51 * kMsOfDay, kStart + 400 * kMsOfDay);
  EXPECT_EQ(later.outcomes[outcome_at(config_, "activate_30d")], -1) << "activated already: not asked";
  EXPECT_EQ(later.outcomes[outcome_at(config_, "upgrade_90d")], -1) << "upgraded already";
  EXPECT_EQ(later.outcomes[outcome_at(config_, "buy_30d")], 0);
  EXPECT_EQ(later.spend, 0);
}

TEST(UserForecasts, TellValueFamilyAndQualityOrTheReason) {
  const SimulatedShop shop(3000, 500, 21);
  const Forecasts forecasts = Forecasts::fit(shop.definition(), shop.subjects(), shop.until());
  const UserForecasts told = forecasts_of(forecasts, shop.definition(), shop.subjects()[1], "una", shop.until());
  ASSERT_EQ(told.answers.size(), questions_of(shop.definition()).size());
  for (const ForecastAnswer& answer : told.answers) {
    EXPECT_NE(answer.value.has_value(), !answer.reason.empty()) << answer.question.name;
    EXPECT_EQ(quality_in_words(answer).empty(), !answer.value.has_value()) << answer.question.name;
  }
  EXPECT_EQ(told.survival.size(), 90U);
  const json::object object = to_json(told);
  EXPECT_EQ(object.at("user_id"), "una");
  const json::object& upgrade = object.at("forecasts").as_array().at(6).as_object();
  EXPECT_EQ(upgrade.at("question"), "upgrade_90d");
  EXPECT_TRUE(upgrade.at("value").is_null());
  EXPECT_TRUE(upgrade.contains("reason"));
}

}  // namespace
}  // namespace perennial
