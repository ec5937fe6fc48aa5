// What training may see, what is asked, and that a planted leak is caught.
#include "evaluation/split.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

Dataset dataset_of(const std::vector<std::vector<int32_t>>& users, bool timed = true) {
  Dataset dataset;
  dataset.items = 10;
  dataset.event_types = {"view"};
  dataset.is_target = {true};
  dataset.log_offset = 99;
  for (size_t user = 0; user < users.size(); ++user) {
    UserHistory history;
    history.user = static_cast<UserId>(user);
    for (size_t i = 0; i < users[user].size(); ++i) {
      Token token{.item = users[user][i], .type = 0};
      if (timed) token.time_ms = static_cast<int64_t>(1000 * (i + 1));
      history.tokens.push_back(token);
      dataset.newest_time_ms = std::max(dataset.newest_time_ms, timed ? token.time_ms : 0);
      ++dataset.events;
    }
    dataset.users.push_back(history);
  }
  return dataset;
}

std::vector<int32_t> items_of(const std::vector<Token>& tokens) {
  std::vector<int32_t> items;
  for (const Token& token : tokens) items.push_back(token.item);
  return items;
}

TEST(Split, LeaveOneOutTrainsOnAllButTwoValidatesOnTheSecondLastTestsOnTheLast) {
  const Dataset dataset = dataset_of({{1, 2, 3, 4, 5}, {6, 7}});
  const auto holdout = make_holdout(Holdout::Kind::leave_one_out, dataset);
  ASSERT_TRUE(holdout.ok());
  EXPECT_EQ(training_sequences(*holdout, dataset), (std::vector<std::vector<int32_t>>{{1, 2, 3}, {6, 7}}));
  const RankingCases validation = make_cases(*holdout, dataset, Part::validation);
  ASSERT_EQ(validation.cases.size(), 1U) << "a history of two only trains";
  EXPECT_EQ(items_of(validation.cases[0].history), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(validation.cases[0].relevant, (std::vector<int32_t>{4}));
  const RankingCases test = make_cases(*holdout, dataset, Part::test);
  ASSERT_EQ(test.cases.size(), 1U);
  EXPECT_EQ(items_of(test.cases[0].history), (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(test.cases[0].relevant, (std::vector<int32_t>{5}));
  EXPECT_EQ(test.cases[0].excluded, (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST(Split, RepeatedItemsAreDroppedFromTheQuestionAndCounted) {
  const Dataset dataset = dataset_of({{1, 2, 3, 1}});
  const auto holdout = make_holdout(Holdout::Kind::leave_one_out, dataset);
  const RankingCases without = make_cases(*holdout, dataset, Part::test);
  EXPECT_TRUE(without.cases.empty());
  EXPECT_EQ(without.dropped_repeats, 1);
  CaseOptions include_seen;
  include_seen.exclude_seen = false;
  const RankingCases with = make_cases(*holdout, dataset, Part::test, include_seen);
  ASSERT_EQ(with.cases.size(), 1U);
  EXPECT_TRUE(with.cases[0].excluded.empty());
}

TEST(Split, ByTimeNothingAtOrAfterTheCutTrains) {
  const Dataset dataset = dataset_of({{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}});
  const auto holdout = make_holdout(Holdout::Kind::time, dataset);
  ASSERT_TRUE(holdout.ok()) << holdout.status().message();
  EXPECT_EQ(holdout->validate_from_ms, 9000);
  EXPECT_EQ(holdout->test_from_ms, 10'000);
  EXPECT_LT(holdout->newest_time_ms, holdout->test_from_ms);
  for (const UserHistory& user : dataset.users) EXPECT_EQ(training_tokens(*holdout, user), 8U);
  const RankingCases test = make_cases(*holdout, dataset, Part::test);
  ASSERT_EQ(test.cases.size(), 2U);
  EXPECT_EQ(test.cases[0].history.size(), 9U);
  EXPECT_EQ(test.cases[0].relevant, (std::vector<int32_t>{9}));
}

TEST(Split, ByTimeWithoutTimesIsRefused) {
  const Dataset dataset = dataset_of({{0, 1, 2, 3}, {4, 5, 6, 7, 8, 9, 1}}, /*timed=*/false);
  EXPECT_EQ(make_holdout(Holdout::Kind::time, dataset).status().code(), Code::failed_precondition);
}

TEST(Split, OneByOneAsksForEachEventGivenAllBeforeIt) {
  const Dataset dataset = dataset_of({{1, 2, 3, 3, 4}});
  CaseOptions options;
  options.from_ms = 3000;
  options.one_by_one = true;
  const RankingCases cases = make_cases({}, dataset, Part::test, options);
  ASSERT_EQ(cases.cases.size(), 2U) << "the repeat of 3 is not asked for";
  EXPECT_EQ(items_of(cases.cases[0].history), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(cases.cases[0].relevant, (std::vector<int32_t>{3}));
  EXPECT_EQ(items_of(cases.cases[1].history), (std::vector<int32_t>{1, 2, 3, 3}));
  EXPECT_EQ(cases.cases[1].relevant, (std::vector<int32_t>{4}));
  EXPECT_EQ(cases.dropped_repeats, 1);
}

TEST(Split, AQuestionTellsWhatItIsAskedToAndNothingThatWasSaidLater) {
  constexpr TimeMs kTuesdayTenOClock = 1'772'532'000'000;  // 2026-03-03T10:00:00Z
  Dataset dataset = dataset_of({{1, 2, 3}});
  UserHistory& user = dataset.users[0];
  for (Token& token : user.tokens) token.time_ms += kTuesdayTenOClock;
  user.devices = {0, 0, 2};
  const TimeMs asked = user.tokens[2].time_ms;
  user.traits = {{"trait:plan=pro", asked}, {"trait:city=Bern", asked + 1}, {"trait:age=30"}};
  const auto moment = [&](Inputs inputs) {
    CaseOptions options;
    options.inputs = inputs;
    return make_cases({.kind = Holdout::Kind::leave_one_out}, dataset, Part::test, options).cases.at(0).moment;
  };
  const std::vector<std::string> traits = {"trait:plan=pro", "trait:age=30"};
  EXPECT_TRUE(moment(Inputs::history).features.empty());
  EXPECT_EQ(moment(Inputs::history).time_ms, kNoTime);
  EXPECT_EQ(moment(Inputs::traits).features, traits);
  EXPECT_EQ(moment(Inputs::traits).time_ms, kNoTime);
  std::vector<std::string> all = traits;
  all.insert(all.end(), {"device:mobile", "hour:10", "weekday:1"});
  EXPECT_EQ(moment(Inputs::request).features, all);
  EXPECT_EQ(moment(Inputs::request).time_ms, asked);
  CaseOptions two_events{.from_ms = user.tokens[1].time_ms, .inputs = Inputs::request};
  EXPECT_EQ(make_cases({}, dataset, Part::test, two_events).cases.at(0).moment.time_ms, two_events.from_ms)
      << "of the events asked for the first";
  user.tokens[2].time_ms = kNoTime;
  EXPECT_EQ(moment(Inputs::request).features,
            (std::vector<std::string>{"trait:plan=pro", "trait:city=Bern", "trait:age=30", "device:mobile"}));
  EXPECT_FALSE(parse_inputs("everything").ok());
}

TEST(Split, AProtocolWhoseAnswersWereSeenIsRefused) {
  const CaseOptions none;
  Holdout holdout{.kind = Holdout::Kind::none, .newest_time_ms = 5000};
  EXPECT_EQ(check_unseen(holdout, Holdout::Kind::leave_one_out, none).code(), Code::failed_precondition);
  EXPECT_EQ(check_unseen(holdout, Holdout::Kind::none, none).code(), Code::failed_precondition);
  holdout.kind = Holdout::Kind::leave_one_out;
  EXPECT_TRUE(check_unseen(holdout, Holdout::Kind::leave_one_out, none).ok());
  EXPECT_EQ(check_unseen(holdout, Holdout::Kind::time, none).code(), Code::failed_precondition);
  CaseOptions later;
  later.from_ms = 5000;
  EXPECT_EQ(check_unseen(holdout, Holdout::Kind::none, later).code(), Code::failed_precondition);
  later.from_ms = 5001;
  EXPECT_TRUE(check_unseen(holdout, Holdout::Kind::none, later).ok());
}

/// Knows by heart the item that followed each history's last one in the sequences it was given: what a leak would look
/// like.
class Memoriser final : public Scorer {
 public:
  explicit Memoriser(const std::vector<std::vector<int32_t>>& sequences) : sequences_(sequences) {}
  [[nodiscard]] std::string name() const override { return "memoriser"; }
  void score(std::span<const Token> history, std::span<float> scores) const override {
    std::fill(scores.begin(), scores.end(), 0.0F);
    for (const auto& sequence : sequences_)
      for (size_t i = 0; i + 1 < sequence.size(); ++i)
        if (sequence[i] == history.back().item) scores[static_cast<size_t>(sequence[i + 1])] = 1;
  }

 private:
  const std::vector<std::vector<int32_t>>& sequences_;
};

TEST(Split, APlantedLeakShowsAndTheHonestSplitDoesNot) {
  // Every item occurs once, so that what follows one can only be known by having seen it.
  const Dataset dataset = dataset_of({{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}});
  const auto holdout = make_holdout(Holdout::Kind::leave_one_out, dataset);
  const RankingCases test = make_cases(*holdout, dataset, Part::test);
  const RankingOptions options{.cutoffs = {1}, .bootstrap_samples = 0, .progress = {}};
  const auto honest = training_sequences(*holdout, dataset);
  EXPECT_EQ(evaluate_ranking(Memoriser(honest), test.cases, dataset.items, options).metrics.at("hr@1").value, 0);
  const auto leaked = training_sequences({.kind = Holdout::Kind::none}, dataset_of({{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}}));
  EXPECT_EQ(evaluate_ranking(Memoriser(leaked), test.cases, dataset.items, options).metrics.at("hr@1").value, 1);
}

}  // namespace
}  // namespace perennial
