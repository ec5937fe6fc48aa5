// Every family: fits the answers of its questions, looks at no later fact, survives JSON, refuses nonsense.
#include <gtest/gtest.h>

#include <algorithm>

#include "forecast/chooser.h"
#include "forecast/simulated_shop.h"

namespace perennial {
namespace {

const TimeMs kOrigin = SimulatedShop::time_of(300);

struct Fitted {
  Question question;
  const Family* family;
  Asked asked;
  std::unique_ptr<Model> model;
};

/// Each family on each question that the simulated shop can answer.
std::vector<Fitted> fit_all(const SimulatedShop& shop) {
  std::vector<Fitted> all;
  for (const Question& question : questions_of(shop.definition())) {
    if (question.outcome == Outcome::upgrades || question.outcome == Outcome::refers) continue;
    for (const Family& family : classical_families()) {
      if (!family.suits(question)) continue;
      Fitted& one = all.emplace_back(Fitted{question, &family, {}, nullptr});
      one.asked = ask(shop.definition(), question, shop.subjects(), kOrigin, shop.until());
      one.model = family.fit({shop.definition(), one.question, shop.subjects(), one.asked}).value();
    }
  }
  return all;
}

std::vector<double> forecasts_of(const SimulatedShop& shop, const Fitted& one, const Model& model) {
  std::vector<double> forecasts;
  for (const Subject& subject : one.asked.subjects)
    forecasts.push_back(model.forecast(shop.definition(), subject, kOrigin));
  return forecasts;
}

TEST(Classical, EveryQuestionHasItsFamilies) {
  const auto families = [](const char* name) {
    const std::vector<Question> all = questions_of(preset("e-commerce").value());
    const auto question = std::find_if(all.begin(), all.end(), [&](const Question& one) { return one.name == name; });
    std::vector<std::string_view> names;
    for (const Family& family : classical_families())
      if (family.suits(*question)) names.push_back(family.name);
    return names;
  };
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(families("activate_30d"), Names{"rfm_logistic"});
  EXPECT_EQ(families("upgrade_90d"), Names{"rfm_logistic"});
  EXPECT_EQ(families("churn"), (Names{"rfm_logistic", "mbg_nbd", "mbg_logistic"}));
  EXPECT_EQ(families("spend_90d"), (Names{"two_part", "mbg_nbd_gamma_gamma", "mbg_two_part"}));
  EXPECT_EQ(find_family("transformer"), nullptr);
}

TEST(Classical, ForecastsOrderUsersWellAndMeanWhatTheySay) {
  const SimulatedShop shop(4000, 420, 31);
  for (const Fitted& one : fit_all(shop)) {
    const std::vector<double> forecasts = forecasts_of(shop, one, *one.model);
    const auto sum = [](const std::vector<double>& values) {
      double total = 0;
      for (const double value : values) total += value;
      return total;
    };
    EXPECT_NEAR(sum(forecasts) / sum(one.asked.answers), 1, 0.2) << one.question.name << " " << one.family->name;
    if (one.question.kind() == OutcomeKind::money)
      EXPECT_GT(normalised_gini(forecasts, one.asked.answers).value(), 0.6) << one.family->name;
    else
      EXPECT_GT(area_under_curve(forecasts, one.asked.answers).value(), 0.75)
          << one.question.name << " " << one.family->name;
  }
}

TEST(Classical, ModelsLookAtNoLaterFact) {
  SimulatedShop shop(1500, 420, 32);
  const std::vector<Fitted> all = fit_all(shop);
  std::vector<std::vector<double>> before;
  for (const Fitted& one : all) before.push_back(forecasts_of(shop, one, *one.model));
  shop.add_later_facts(kOrigin);
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(forecasts_of(shop, all[i], *all[i].model), before[i]) << all[i].question.name << all[i].family->name;
}

TEST(Classical, FitsLookAtNoLaterFact) {
  SimulatedShop shop(1500, 420, 33);
  std::vector<Fitted> all = fit_all(shop);
  shop.add_later_facts(kOrigin);
  for (Fitted& one : all) {
    const auto again = one.family->fit({shop.definition(), one.question, shop.subjects(), one.asked}).value();
    EXPECT_EQ(json::serialize(again->to_json()), json::serialize(one.model->to_json())) << one.family->name;
  }
}

TEST(Classical, ModelsSurviveJsonAndBrokenOnesAreRefused) {
  const SimulatedShop shop(1500, 420, 34);
  for (const Fitted& one : fit_all(shop)) {
    const json::object object = one.model->to_json();
    const auto read = one.family->read(shop.definition(), one.question, object).value();
    const std::vector<double> want = forecasts_of(shop, one, *one.model);
    const std::vector<double> got = forecasts_of(shop, one, *read);
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-9 * (1 + want[i])) << one.family->name;
    for (const auto& field : object) {
      json::object broken = object;
      broken.erase(field.key());
      EXPECT_EQ(one.family->read(shop.definition(), one.question, broken).status().code(), Code::invalid_argument)
          << one.family->name << " without " << std::string(field.key());
    }
  }
}

TEST(Classical, UsersWithoutAnyOccasionGetTheMeanOfTheirKind) {
  const SimulatedShop shop(3000, 420, 35);
  for (const Fitted& one : fit_all(shop)) {
    if (one.question.name != "buy_30d" || one.family->name != "mbg_nbd") continue;
    const uint8_t value = *shop.definition().find_signal("value");
    double strangers = 1;
    double positives = 0.5;
    for (size_t i = 0; i < one.asked.subjects.size(); ++i) {
      const std::span<const Fact> facts = one.asked.subjects[i].facts->of(value);
      if (!facts.empty() && facts.front().time <= kOrigin) continue;
      ++strangers;
      positives += one.asked.answers[i];
    }
    const UserFacts none;
    EXPECT_DOUBLE_EQ(one.model->forecast(shop.definition(), {1, kShopOpens, &none}, kOrigin), positives / strangers);
  }
}

}  // namespace
}  // namespace perennial
