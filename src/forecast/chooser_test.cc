// The exam: who may sit it, what it measures, and that the better forecast wins, wherever it comes from.
#include "forecast/chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "forecast/simulated_shop.h"

namespace perennial {
namespace {

const SimulatedShop& shop() {
  static const SimulatedShop one(6000, 600, 11);
  return one;
}

Question question_of(std::string_view name) {
  const std::vector<Question> all = questions_of(shop().definition());
  return *std::find_if(all.begin(), all.end(), [&](const Question& one) { return one.name == name; });
}

Result<Exam> exam_of(std::string_view name, TimeMs until = shop().until()) {
  return prepare_exam(shop().definition(), question_of(name), shop().subjects(), kShopOpens, until);
}

std::vector<Candidate> candidates_of(const Exam& exam, std::span<const Rival> rivals = {}) {
  return hold_exam(shop().definition(), exam, shop().subjects(), rivals);
}

const Candidate& find(const std::vector<Candidate>& candidates, std::string_view family) {
  return *std::find_if(candidates.begin(), candidates.end(),
                       [&](const Candidate& one) { return one.family == family; });
}

TEST(Chooser, AsksAtTwoOriginsAndLabelsTheTimeAfterEach) {
  const Exam exam = exam_of("return_30d").value();
  EXPECT_EQ(exam.second.at, shop().until() - 30 * kMsOfDay);
  EXPECT_EQ(exam.first.at, shop().until() - 60 * kMsOfDay);
  ASSERT_EQ(exam.first.answers.size(), exam.first.subjects.size());
  for (const Subject& subject : exam.first.subjects) EXPECT_LE(subject.first_seen, exam.first.at);
  EXPECT_GT(exam.second.subjects.size(), exam.first.subjects.size());
}

TEST(Chooser, AnAnswerBeyondTheLogIsNoAnswer) {
  const Asked asked = ask(shop().definition(), question_of("return_30d"), shop().subjects(),
                          shop().until() - 29 * kMsOfDay, shop().until());
  EXPECT_FALSE(asked.subjects.empty());
  EXPECT_TRUE(asked.answers.empty());
}

TEST(Chooser, SaysWhatIsMissingForAnExam) {
  EXPECT_EQ(prepare_exam(shop().definition(), question_of("spend_90d"), shop().subjects(),
                         shop().until() - 20 * kMsOfDay, shop().until())
                .status()
                .message(),
            "the log is 20 days long, spend_90d needs 180");
  const std::string never = exam_of("refer_90d").status().message();
  EXPECT_NE(never.find("refer_90d came true for 0 of"), std::string::npos) << never;
  const std::string few = prepare_exam(shop().definition(), question_of("return_30d"),
                                       std::span(shop().subjects()).first(50), kShopOpens, shop().until())
                              .status()
                              .message();
  EXPECT_NE(few.find("could be asked of 50 users on 20"), std::string::npos) << few;
}

TEST(Chooser, CandidatesAreBestFirstAndMeasuredAgainstTheBest) {
  const std::vector<Candidate> candidates = candidates_of(exam_of("return_30d").value());
  ASSERT_EQ(candidates.size(), 3);
  EXPECT_LE(candidates[0].probability->brier, candidates[1].probability->brier);
  EXPECT_EQ(candidates[0].loss_above_best.value, 0);
  EXPECT_NEAR(candidates[1].loss_above_best.value, candidates[1].probability->brier - candidates[0].probability->brier,
              1e-12);
  for (const Candidate& candidate : candidates) {
    EXPECT_TRUE(candidate.model);
    EXPECT_GT(candidate.probability->auc, 0.75) << candidate.family;
    EXPECT_GT(candidate.probability->brier_skill.low, 0.1) << candidate.family;
    EXPECT_GT(candidate.probability->calibration_slope->high, 0.9) << candidate.family;
    EXPECT_LT(candidate.probability->calibration_slope->low, 1.1) << candidate.family;
  }
}

TEST(Chooser, MoneyIsMeasuredByItsAbsoluteError) {
  const std::vector<Candidate> candidates = candidates_of(exam_of("spend_90d").value());
  ASSERT_EQ(candidates.size(), 3);
  for (const Candidate& candidate : candidates) {
    ASSERT_TRUE(candidate.amount) << candidate.family << ": " << candidate.reason;
    EXPECT_GT(candidate.amount->gini.value(), 0.5) << candidate.family;
    EXPECT_LT(std::abs(candidate.amount->mean_bias), 0.25 * candidate.amount->mean_outcome) << candidate.family;
  }
  EXPECT_LE(candidates[0].amount->mean_absolute_error.value, candidates[1].amount->mean_absolute_error.value);
}

/// Knows the answers but says them badly: everything between 0.5 and 0.6.
Rival clairvoyant(const Exam& exam) {
  Rival rival{"clairvoyant", {}, {}};
  const auto say = [](double answer) { return 0.5 + 0.1 * answer; };
  for (const double answer : exam.first.answers) rival.at_first.push_back(say(answer));
  for (const double answer : exam.second.answers) rival.at_second.push_back(say(answer));
  return rival;
}

TEST(Chooser, ARivalIsRecalibratedAndWinsIfItKnowsMore) {
  const Exam exam = exam_of("return_30d").value();
  const Rival rival = clairvoyant(exam);
  const std::vector<Candidate> candidates = candidates_of(exam, std::span(&rival, 1));
  EXPECT_EQ(candidates[0].family, "clairvoyant");
  EXPECT_FALSE(candidates[0].model);
  EXPECT_DOUBLE_EQ(candidates[0].probability->auc, 1);
  EXPECT_GT(candidates[0].probability->brier_skill.value, 0.6);
  EXPECT_GT(candidates[0].calibration.apply(OutcomeKind::probability, 0.6), 0.8);
  EXPECT_LT(candidates[0].calibration.apply(OutcomeKind::probability, 0.5), 0.2);
}

/// What is learned of the first origin comes from judges alone: forecasts of others may be anything.
TEST(Chooser, ForecastsOfLearnersAtTheFirstOriginDoNotCount) {
  const Exam exam = exam_of("return_30d").value();
  Rival rival = clairvoyant(exam);
  const auto before = find(candidates_of(exam, std::span(&rival, 1)), "clairvoyant");
  for (size_t i = 0; i < rival.at_first.size(); ++i)
    if (!is_judge(exam.first.subjects[i].user)) rival.at_first[i] = 0.99;
  const auto after = find(candidates_of(exam, std::span(&rival, 1)), "clairvoyant");
  EXPECT_EQ(after.probability->brier, before.probability->brier);
}

TEST(Chooser, ARivalOfBrokenNumbersDoesNotCompeteAndHarmsNobody) {
  const Exam exam = exam_of("return_7d").value();
  Rival rival = clairvoyant(exam);
  rival.at_second[3] = std::nan("");
  const std::vector<Candidate> candidates = candidates_of(exam, std::span(&rival, 1));
  ASSERT_EQ(candidates.size(), 4);
  EXPECT_EQ(candidates.back().family, "clairvoyant");
  EXPECT_EQ(candidates.back().reason, "a forecast is not a finite number");
  EXPECT_TRUE(candidates.front().reason.empty());
}

TEST(Chooser, ModelsOweNothingToTheAnswersOfJudges) {
  Exam exam = exam_of("return_30d").value();
  const json::object before = find(candidates_of(exam), "rfm_logistic").model->to_json();
  for (size_t i = 0; i < exam.second.answers.size(); ++i)
    if (is_judge(exam.second.subjects[i].user)) exam.second.answers[i] = 1 - exam.second.answers[i];
  EXPECT_EQ(find(candidates_of(exam), "rfm_logistic").model->to_json(), before);
}

TEST(Chooser, JudgesAreAThird) {
  int judges = 0;
  for (UserId user = 0; user < 30'000; ++user) judges += is_judge(user);
  EXPECT_NEAR(judges, 10'000, 300);
}

TEST(Chooser, FactorOfMoneyMakesSumsEqual) {
  const Calibration calibration = fit_calibration(OutcomeKind::money, std::vector{10.0, 20.0}, std::vector{0.0, 45.0});
  EXPECT_DOUBLE_EQ(calibration.apply(OutcomeKind::money, 2), 3);
  EXPECT_EQ(fit_calibration(OutcomeKind::money, std::vector{0.0}, std::vector{5.0}).factor, 1);
}

}  // namespace
}  // namespace perennial
