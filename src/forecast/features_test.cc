// Features know the past and nothing else.
#include "forecast/features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "forecast/simulated_shop.h"

namespace perennial {
namespace {

Question question_of(const Definition& definition, std::string_view name) {
  const std::vector<Question> all = questions_of(definition);
  return *std::find_if(all.begin(), all.end(), [&](const Question& one) { return one.name == name; });
}

TEST(Features, AreEqualWithAndWithoutLaterFacts) {
  SimulatedShop shop(300, 200, 5);
  const TimeMs now = SimulatedShop::time_of(120);
  for (const Question& question : questions_of(shop.definition())) {
    const Features features(shop.definition(), question);
    std::vector<Subject> asked;
    for (const Subject& subject : shop.subjects())
      if (subject.first_seen <= now) asked.push_back(subject);
    const auto all_at = [&](TimeMs time) {
      std::vector<std::vector<double>> rows;
      for (const Subject& subject : asked) rows.push_back(features.of(shop.definition(), subject, time));
      return rows;
    };
    const std::vector<std::vector<double>> before = all_at(now);
    shop.add_later_facts(now);
    EXPECT_EQ(all_at(now), before) << question.name;
    EXPECT_NE(all_at(now + 10 * kMsOfDay), before) << question.name;
    for (const std::vector<double>& row : before)
      for (const double value : row) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(Features, OfAUserAreAsComputedByHand) {
  const Definition definition = preset("e-commerce").value();
  const Features features(definition, question_of(definition, "buy_30d"));
  const TimeMs now = kShopOpens + 50 * kMsOfDay;
  UserFacts facts;
  facts.add(*definition.find_signal("value"), now - 40 * kMsOfDay, 1, 1500);
  facts.add(*definition.find_signal("value"), now - 20 * kMsOfDay, 2, 500);
  const std::vector<double> row = features.of(definition, {1, kShopOpens, &facts}, now);
  ASSERT_EQ(row.size(), features.names().size());
  const auto value = [&](std::string_view name) {
    const auto found = std::find(features.names().begin(), features.names().end(), name);
    EXPECT_NE(found, features.names().end()) << name;
    return row[static_cast<size_t>(found - features.names().begin())];
  };
  EXPECT_DOUBLE_EQ(value("log_age"), std::log1p(50));
  EXPECT_EQ(value("retention"), 1);
  EXPECT_EQ(value("activation"), 0);
  EXPECT_EQ(value("active.none"), 1);
  EXPECT_DOUBLE_EQ(value("active.log_recency"), std::log1p(50));
  EXPECT_EQ(value("value.none"), 0);
  EXPECT_DOUBLE_EQ(value("value.log_recency"), std::log1p(20));
  EXPECT_DOUBLE_EQ(value("value.log_gap"), std::log1p(20));
  EXPECT_DOUBLE_EQ(value("value.log_overdue"), 0);
  EXPECT_DOUBLE_EQ(value("value.log_count_30d"), std::log1p(1));
  EXPECT_DOUBLE_EQ(value("value.log_count_90d"), std::log1p(2));
  EXPECT_DOUBLE_EQ(value("value.log_money"), std::log1p(20));
}

TEST(Features, EachSignalIsThereOnce) {
  const Definition definition = preset("e-commerce").value();
  for (const Question& question : questions_of(definition)) {
    std::vector<std::string> names = Features(definition, question).names();
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << question.name;
  }
}

}  // namespace
}  // namespace perennial
