// A shop's forecasts as a whole: reasons instead of failures, no look ahead, JSON and back, one user's answers.
#include "forecast/forecasts.h"

#include <gtest/gtest.h>

#include "forecast/simulated_shop.h"

namespace perennial {
namespace {

const SimulatedShop& shop() {
  static const SimulatedShop one(3000, 500, 21);
  return one;
}

const Forecasts& forecasts() {
  static const Forecasts made = Forecasts::fit(shop().definition(), shop().subjects(), shop().until());
  return made;
}

const QuestionForecast& find(const Forecasts& made, std::string_view name) {
  for (const QuestionForecast& forecast : made.questions())
    if (forecast.question.name == name) return forecast;
  std::abort();
}

TEST(Forecasts, AnswerWhatTheLogCanAndSayWhyNotTheRest) {
  for (const char* name : {"activate_30d", "return_7d", "return_30d", "buy_30d", "spend_90d", "churn"})
    EXPECT_EQ(find(forecasts(), name).reason, "") << name;
  EXPECT_NE(find(forecasts(), "upgrade_90d").reason.find("came true for 0 of"), std::string::npos);
}

TEST(Forecasts, AShortLogLacksOnlyTheLongQuestions) {
  const SimulatedShop young(3000, 70, 22);
  const Forecasts made = Forecasts::fit(young.definition(), young.subjects(), young.until());
  EXPECT_EQ(find(made, "return_7d").reason, "");
  EXPECT_EQ(find(made, "return_30d").reason, "");
  EXPECT_EQ(find(made, "spend_90d").reason, "the log is 70 days long, spend_90d needs 180");
  EXPECT_EQ(find(made, "churn").reason, "the log is 70 days long, churn needs 240");
  EXPECT_EQ(made.predict("spend_90d", young.subjects()[1], young.until()).status().message(),
            "the log is 70 days long, spend_90d needs 180");
}

TEST(Forecasts, NobodyGivesReasonsAndNoFailure) {
  const Forecasts made = Forecasts::fit(shop().definition(), {}, shop().until());
  for (const QuestionForecast& forecast : made.questions()) EXPECT_NE(forecast.reason, "") << forecast.question.name;
  EXPECT_FALSE(made.survival("active", shop().subjects()[1], shop().until(), 30).ok());
}

TEST(Forecasts, OweNothingToFactsAfterTheEnd) {
  SimulatedShop other(3000, 500, 21);
  const TimeMs until = SimulatedShop::time_of(400);
  const std::string before = json::serialize(Forecasts::fit(other.definition(), other.subjects(), until).to_json());
  other.add_later_facts(until);
  EXPECT_EQ(json::serialize(Forecasts::fit(other.definition(), other.subjects(), until).to_json()), before);
}

TEST(Forecasts, SurviveJson) {
  const std::string text = json::serialize(forecasts().to_json());
  const Forecasts read = Forecasts::read(shop().definition(), parse_json_object(text).value()).value();
  EXPECT_EQ(read.until(), forecasts().until());
  ASSERT_EQ(read.questions().size(), forecasts().questions().size());
  int answered = 0;
  for (const QuestionForecast& forecast : forecasts().questions())
    for (size_t i = 1; i < shop().subjects().size(); i += 37) {
      const Subject& subject = shop().subjects()[i];
      const auto want = forecasts().predict(forecast.question.name, subject, shop().until());
      const auto got = read.predict(forecast.question.name, subject, shop().until());
      ASSERT_EQ(got.ok(), want.ok());
      if (!want.ok()) continue;
      ++answered;
      EXPECT_NEAR(got->value, want->value, 1e-9 * (1 + want->value));
      EXPECT_EQ(got->by->family, want->by->family);
    }
  EXPECT_GT(answered, 200);
  const auto& quality = *find(read, "return_30d").candidates.front().probability;
  const auto& original = *find(forecasts(), "return_30d").candidates.front().probability;
  EXPECT_NEAR(quality.auc, original.auc, 1e-12);
  EXPECT_NEAR(quality.calibration_slope->low, original.calibration_slope->low, 1e-12);
  EXPECT_EQ(read.survival("value", shop().subjects()[1], shop().until(), 10).ok(),
            forecasts().survival("value", shop().subjects()[1], shop().until(), 10).ok());
}

TEST(Forecasts, OfAnotherDefinitionOrBrokenJsonAreRefused) {
  Definition other = shop().definition();
  other.churned_after_ms += 1;
  EXPECT_EQ(Forecasts::read(other, forecasts().to_json()).status().code(), Code::failed_precondition);
  for (const char* field : {"format_version", "questions", "next_events"}) {
    json::object object = forecasts().to_json();
    object[field] = "nonsense";
    EXPECT_EQ(Forecasts::read(shop().definition(), object).status().code(), Code::invalid_argument) << field;
  }
  json::object object = forecasts().to_json();
  auto& question = object["questions"].as_array()[1].as_object();
  question["candidates"].as_array()[0].as_object()["model"] = json::object{{"visits", {{"r", -1}}}};
  EXPECT_EQ(Forecasts::read(shop().definition(), object).status().code(), Code::invalid_argument);
}

TEST(Forecasts, OfOneUserComeWithTheirQuality) {
  double sum = 0;
  int users = 0;
  for (const Subject& subject : shop().subjects()) {
    const Result<Prediction> prediction = forecasts().predict("return_30d", subject, shop().until());
    if (!prediction.ok()) continue;
    EXPECT_GT(prediction->value, 0);
    EXPECT_LT(prediction->value, 1);
    EXPECT_TRUE(prediction->by->probability.has_value());
    sum += prediction->value;
    ++users;
  }
  const ProbabilityQuality& quality = *find(forecasts(), "return_30d").candidates.front().probability;
  EXPECT_NEAR(sum / users, static_cast<double>(quality.positives) / static_cast<double>(quality.users), 0.05);
  EXPECT_EQ(forecasts().predict("return_9d", shop().subjects()[1], shop().until()).status().code(), Code::not_found);
  EXPECT_NE(forecasts().predict("churn", shop().subjects()[0], shop().until()).status().message().find("not asked"),
            std::string::npos);
}

TEST(Forecasts, ARivalSpeaksWhereItsForecastIsKnownAndElseTheNextBest) {
  const auto rivals = [](const Exam& exam) {
    std::vector<Rival> all;
    if (exam.question.name == "return_30d") all.push_back({"oracle", exam.first.answers, exam.second.answers});
    return all;
  };
  const Forecasts made = Forecasts::fit(shop().definition(), shop().subjects(), shop().until(), rivals);
  EXPECT_EQ(find(made, "return_30d").candidates.front().family, "oracle");
  const RawForecast raw = [](const Question&, std::string_view family) {
    return family == "oracle" ? std::optional(1.0) : std::nullopt;
  };
  const Subject& subject = shop().subjects()[1];
  EXPECT_EQ(made.predict("return_30d", subject, shop().until(), raw)->by->family, "oracle");
  EXPECT_GT(made.predict("return_30d", subject, shop().until(), raw)->value, 0.9);
  EXPECT_NE(made.predict("return_30d", subject, shop().until())->by->family, "oracle");
}

TEST(Forecasts, SurvivalFallsFromTheMomentOfAskingAndSlowerAfterSilence) {
  const auto curve_at = [](TimeMs now) {
    static UserFacts facts;
    if (facts.empty())
      for (int day = 0; day < 40; day += 8) facts.add(0, SimulatedShop::time_of(day), 1, 0);
    return forecasts().survival("active", {1, kShopOpens, &facts}, now, 60, 7).value();
  };
  const std::vector<SurvivalPoint> soon = curve_at(SimulatedShop::time_of(33));
  const std::vector<SurvivalPoint> late = curve_at(SimulatedShop::time_of(300));
  ASSERT_EQ(soon.size(), 9);
  EXPECT_EQ(soon[0].days, 1);
  EXPECT_EQ(soon[1].days, 8);
  for (size_t i = 0; i < soon.size(); ++i) {
    EXPECT_LT(soon[i].probability, i == 0 ? 1 : soon[i - 1].probability);
    EXPECT_LT(soon[i].probability, late[i].probability);
    EXPECT_GT(soon[i].probability, 0);
  }
  EXPECT_LT(soon.back().probability, 0.3);
  EXPECT_GT(late.back().probability, 0.8);
  const UserFacts none;
  EXPECT_FALSE(forecasts().survival("active", {2, kShopOpens, &none}, shop().until(), 60).ok());
  EXPECT_EQ(forecasts().survival("share", {2, kShopOpens, &none}, shop().until(), 60).status().code(), Code::not_found);
}

}  // namespace
}  // namespace perennial
