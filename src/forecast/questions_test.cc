// Each question's answer and whom it is asked of, at the edges of its interval.
#include "forecast/questions.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

constexpr TimeMs kNow = 1'700'000'000'000;

Definition shop() { return preset("e-commerce").value(); }

Question find(const Definition& definition, std::string_view name) {
  for (const Question& question : questions_of(definition))
    if (question.name == name) return question;
  ADD_FAILURE() << "no question " << name;
  return {};
}

struct Case {
  Definition definition = shop();
  Subject subject{1, kNow - 100 * kMsOfDay, nullptr};
  UserFacts facts;

  void add(const char* signal, double days_from_now, int64_t minor = 0) {
    const auto offset = static_cast<TimeMs>(days_from_now * static_cast<double>(kMsOfDay));
    facts.add(*definition.find_signal(signal), kNow + offset, 1, minor);
  }
  double answer_of(const char* name) { return answer(find(definition, name), definition, facts, kNow); }
  bool asked(const char* name) {
    subject.facts = &facts;
    return is_asked(find(definition, name), definition, subject, kNow);
  }
};

TEST(Questions, AreThoseWhoseSignalsTheDefinitionHas) {
  std::vector<std::string> names;
  for (const Question& question : questions_of(shop())) names.push_back(question.name);
  EXPECT_EQ(names, (std::vector<std::string>{"activate_30d", "return_7d", "return_30d", "buy_30d", "spend_90d", "churn",
                                             "upgrade_90d", "refer_90d"}));
  Definition bare = shop();
  bare.signals = {{"active", {"view"}}};
  names.clear();
  for (const Question& question : questions_of(bare)) names.push_back(question.name);
  EXPECT_EQ(names, (std::vector<std::string>{"activate_30d", "return_7d", "return_30d", "churn"}));
  EXPECT_EQ(find(shop(), "churn").horizon_ms, shop().churned_after_ms);
}

TEST(Questions, AnIntervalIsOpenBeforeAndClosedAfter) {
  for (const auto& [days, inside] : {std::pair{0.0, false}, {0.001, true}, {7.0, true}, {7.001, false}}) {
    Case one;
    one.add("active", days);
    EXPECT_EQ(one.answer_of("return_7d"), inside ? 1 : 0) << days;
  }
}

TEST(Questions, ChurnIsTheSilenceOfTheWholeHorizon) {
  Case one;
  EXPECT_EQ(one.answer_of("churn"), 1);
  one.add("active", 121);
  EXPECT_EQ(one.answer_of("churn"), 1);
  one.add("active", 119);
  EXPECT_EQ(one.answer_of("churn"), 0);
}

TEST(Questions, ChurnIsAskedOfThoseWhoWereActiveAndAreNotChurned) {
  Case one;
  EXPECT_FALSE(one.asked("churn"));
  one.add("active", 5);
  EXPECT_FALSE(one.asked("churn")) << "a later fact must not count";
  one.add("active", -121);
  EXPECT_FALSE(one.asked("churn"));
  one.add("active", -119);
  EXPECT_TRUE(one.asked("churn"));
}

TEST(Questions, SpendIsMoneyOfTheIntervalInMajorUnits) {
  Case one;
  one.add("value", -3, 5000);
  one.add("value", 1, 1250);
  one.add("value", 89, 300);
  one.add("value", 91, 9900);
  one.add("value", 10, -50);
  EXPECT_DOUBLE_EQ(one.answer_of("spend_90d"), 15.0);
  EXPECT_EQ(one.answer_of("buy_30d"), 1);
}

TEST(Questions, ActivationIsReachedEvenIfItIsLostAgain) {
  Case one;
  one.definition.rules[1] = parse_rule("value >= 2 within 3d", one.definition.signals).value();
  EXPECT_TRUE(one.asked("activate_30d"));
  one.add("value", 5);
  EXPECT_EQ(one.answer_of("activate_30d"), 0);
  one.add("value", 6);
  EXPECT_EQ(one.answer_of("activate_30d"), 1);
  EXPECT_TRUE(one.asked("activate_30d")) << "later facts must not count";
  one.add("value", -1);
  one.add("value", -0.5);
  EXPECT_FALSE(one.asked("activate_30d"));
}

TEST(Questions, ActivationIsNotTheOneThatCameBefore) {
  Case one;
  for (size_t stage = 1; stage < kStages; ++stage)
    one.definition.rules[stage] = parse_rule("value >= 2 within 3d", one.definition.signals).value();
  one.add("value", -20);
  one.add("value", -19);
  EXPECT_TRUE(one.asked("activate_30d"));
  EXPECT_EQ(one.answer_of("activate_30d"), 0);
}

TEST(Questions, UpgradeIsAskedUntilTheFirst) {
  Case one;
  one.add("upgrade", 4);
  EXPECT_TRUE(one.asked("upgrade_90d"));
  EXPECT_EQ(one.answer_of("upgrade_90d"), 1);
  one.add("upgrade", -4);
  EXPECT_FALSE(one.asked("upgrade_90d"));
}

TEST(Questions, NothingIsAskedOfUsersWhoAreNotThereYet) {
  Case one;
  one.subject.first_seen = kNow + 1;
  EXPECT_FALSE(one.asked("return_7d"));
  one.subject.first_seen = kNoTime;
  EXPECT_FALSE(one.asked("return_7d"));
  one.subject.first_seen = kNow;
  EXPECT_TRUE(one.asked("return_7d"));
}

}  // namespace
}  // namespace perennial
