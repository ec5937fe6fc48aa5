#include "recommend/objective.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"

namespace perennial {
namespace {

constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kDay = 24 * kHour;
constexpr TimeMs kStart = 1'700'000'000'000;
constexpr size_t kItems = 40;

/// Forty items in eight categories of five: those of even number are bought by most who see them, those of odd number
/// by few; prices rise with the number.
class ObjectiveTest : public ::testing::Test {
 protected:
  ObjectiveTest() {
    types_.add("Product Viewed");
    types_.add("Order Completed");
    for (ItemId item = 0; item < kItems; ++item) {
      StoredRecord record = of(item, kStart);
      record.user = kNoId;
      record.payload = ItemUpsert{fmt::format(R"({{"category":"c{}","price":{}}})", item / 5, 10 + item)};
      state_.apply(record);
      for (UserId user = 0; user < 60; ++user) look(user * 100 + item, item, user % (item % 2 == 0 ? 2 : 20) == 0);
    }
    look(99'999, 0, false, kStart + 60 * kDay);
    outcomes_ = ItemOutcomes::learn(state_, {.value = {false, true}, .sharing = {}}, kItems);
  }

  StoredRecord of(ItemId item, TimeMs time) {
    StoredRecord record;
    record.offset = ++offset_;
    record.item = item;
    record.time = time;
    return record;
  }

  void look(UserId user, ItemId item, bool buys, TimeMs time = kStart) {
    for (const EventTypeId type : {EventTypeId{0}, EventTypeId{1}}) {
      if (type == 1 && !buys) return;
      StoredRecord record = of(item, time + type * kHour);
      record.user = user;
      record.type = type;
      record.payload = Event{};
      state_.apply(record);
    }
  }

  static std::vector<SlateCandidate> falling(double step) {
    std::vector<SlateCandidate> candidates;
    for (ItemId item = 0; item < kItems; ++item) candidates.push_back({item, -step * item});
    return candidates;
  }

  [[nodiscard]] Acquaintance categories(bool known) const {
    return {.categories = std::vector<bool>(static_cast<size_t>(outcomes_.categories()), known), .customer = false};
  }

  Dictionary types_;
  State state_{EventRoles(), types_, 64};
  ItemOutcomes outcomes_;
  Offset offset_ = 0;
};

TEST_F(ObjectiveTest, WithoutWeightsTheOrderStays) {
  const std::vector<Placed> list = place({}, outcomes_, falling(0.01), categories(true), kItems);
  ASSERT_EQ(list.size(), kItems);
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list[i].candidate, i);
    EXPECT_EQ(list[i].adjustment, 0);
    EXPECT_FALSE(list[i].aim);
  }
}

TEST_F(ObjectiveTest, AWeightOfOneRanksByTheExpectedOutcome) {
  const std::vector<SlateCandidate> candidates = falling(0.02);
  const std::vector<Placed> list = place({.conversion = 1}, outcomes_, candidates, categories(true), kItems);
  double mean = 0;
  double total = 0;
  for (const SlateCandidate& candidate : candidates) {
    mean += std::exp(candidate.logit) * outcomes_.log_ratio(ItemOutcome::first_conversion, candidate.item);
    total += std::exp(candidate.logit);
  }
  mean /= total;
  double last = INFINITY;
  for (const Placed& placed : list) {
    const auto [item, logit, boost] = candidates[placed.candidate];
    const double ratio = outcomes_.log_ratio(ItemOutcome::first_conversion, item);
    EXPECT_NEAR(placed.adjustment, std::clamp(ratio - mean, -kMostAdjustment, kMostAdjustment), 1e-9);
    EXPECT_LE(logit + placed.adjustment, last);
    last = logit + placed.adjustment;
  }
  EXPECT_EQ(candidates[list[0].candidate].item % 2, 0U);
  EXPECT_EQ(list[0].aim, Aim::conversion);
  EXPECT_FALSE(list.back().aim) << "it was not lifted";
}

TEST_F(ObjectiveTest, NoWeightLetsAnItemPassAnotherThatIsLikedNineTimesAsMuch) {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    const auto weight = [&] { return random.chance(0.5) ? 100 * random.uniform() : 0; };
    const ObjectiveWeights weights{weight(), weight(), weight(), weight(), weight()};
    std::vector<SlateCandidate> candidates;
    for (ItemId item = 0; item < kItems; ++item) candidates.push_back({item, 6 * random.uniform()});
    const std::vector<Placed> list = place(weights, outcomes_, candidates, categories(round % 2 == 0), kItems);
    for (size_t above = 0; above < list.size(); ++above)
      for (size_t below = above + 1; below < list.size(); ++below)
        ASSERT_LE(candidates[list[below].candidate].logit - candidates[list[above].candidate].logit,
                  2 * kMostAdjustment + 1e-9);
  }
}

TEST_F(ObjectiveTest, BreadthWantsEachNewCategoryOnce) {
  Acquaintance known = categories(false);
  known.categories[static_cast<size_t>(outcomes_.category(0))] = true;
  const std::vector<Placed> list = place({.breadth = 1}, outcomes_, falling(0.01), known, 10);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(list[i].candidate, 5 * (i + 1)) << "the best of each category that is new";
    EXPECT_EQ(list[i].aim, Aim::breadth);
  }
  for (size_t i = 7; i < 10; ++i) EXPECT_EQ(list[i].candidate, i - 7) << "then as without an objective";
}

TEST_F(ObjectiveTest, MoneyIsConversionTimesPrice) {
  const std::vector<SlateCandidate> two = {{4, 0}, {36, 0}};
  EXPECT_EQ(place({.money = 1}, outcomes_, two, categories(true), 2)[0].candidate, 1U);
  EXPECT_EQ(place({.money = 1}, outcomes_, two, categories(true), 2)[0].aim, Aim::money);
  const std::vector<SlateCandidate> hardly_bought = {{35, 0}, {34, 0}};  // 45 against 44, bought ten times as rarely
  EXPECT_EQ(place({.money = 1}, outcomes_, hardly_bought, categories(true), 2)[0].candidate, 1U);
}

TEST_F(ObjectiveTest, CustomersGoByWhatCustomersBuy) {
  Acquaintance customer = categories(true);
  customer.customer = true;
  for (const Placed& placed : place({.conversion = 1}, outcomes_, falling(0.01), customer, kItems))
    EXPECT_EQ(placed.adjustment, 0) << "nobody here has bought twice";
}

TEST_F(ObjectiveTest, NothingToChooseFromGivesAnEmptyList) {
  EXPECT_TRUE(place({.conversion = 1}, outcomes_, {}, categories(true), 5).empty());
  EXPECT_TRUE(place({.conversion = 1}, outcomes_, falling(1), categories(true), 0).empty());
}

TEST_F(ObjectiveTest, SentencesAreForPeople) {
  EXPECT_EQ(sentence_of(Aim::conversion, "first_value"), "A good first choice");
  EXPECT_EQ(sentence_of(Aim::revisit, "return"), "People come back after this");
}

std::vector<size_t> order_of(const std::vector<Placed>& list) {
  std::vector<size_t> order;
  for (const Placed& placed : list) order.push_back(placed.candidate);
  return order;
}

std::vector<SlateCandidate> candidates_of(const std::vector<double>& logits) {
  std::vector<SlateCandidate> candidates;
  for (const double logit : logits) candidates.push_back({static_cast<ItemId>(candidates.size()), logit});
  return candidates;
}

TEST(ListRules, BoostsAreNotBoundByTheObjectives) {
  std::vector<SlateCandidate> candidates = candidates_of({9, 8, 1, 0});
  candidates[2].boost = 9;
  candidates[0].boost = -5;
  const std::vector<Placed> list = place({}, {}, candidates, {}, 4);
  EXPECT_EQ(order_of(list), (std::vector<size_t>{2, 1, 0, 3}));
  EXPECT_EQ(list[0].adjustment, 9);
}

TEST(ListRules, NoGroupHasMoreThanItsShareAndWhatStandsAlreadyCounts) {
  const std::vector<SlateCandidate> candidates = candidates_of({9, 8, 7, 6, 5, 4});
  ListRules rules{.most_a_group = 2, .group = {0, 0, 0, 1, 1, -1}};
  EXPECT_EQ(order_of(place({}, {}, candidates, {}, 6, rules)), (std::vector<size_t>{0, 1, 3, 4, 5}));
  rules.in_group = {{0, 1}, {1, 2}, {-1, 9}};
  EXPECT_EQ(order_of(place({}, {}, candidates, {}, 6, rules)), (std::vector<size_t>{0, 5}));
}

TEST(ListRules, DiversityIsGreedyMarginalRelevance) {
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    const size_t count = 1 + random.below(30);
    std::vector<double> logits;
    for (size_t i = 0; i < count; ++i) logits.push_back(random.normal());
    std::vector<std::vector<double>> likeness(count, std::vector<double>(count));
    for (size_t i = 0; i < count; ++i)
      for (size_t j = 0; j <= i; ++j) likeness[i][j] = likeness[j][i] = random.uniform();
    const double diversity = 2 * random.uniform();
    std::vector<size_t> want;
    while (want.size() < count) {
      size_t best = count;
      double best_score = 0;
      for (size_t i = 0; i < count; ++i) {
        if (std::ranges::find(want, i) != want.end()) continue;
        double most = 0;
        for (const size_t j : want) most = std::max(most, likeness[i][j]);
        const double score = logits[i] - diversity * most;
        if (best == count || score > best_score) best = i, best_score = score;
      }
      want.push_back(best);
    }
    const ListRules rules{.diversity = diversity, .likeness = [&](size_t a, size_t b) { return likeness[a][b]; }};
    ASSERT_EQ(order_of(place({}, {}, candidates_of(logits), {}, count, rules)), want);
  }
}

TEST(ListRules, PropensitiesAreTheFrequenciesWithWhichItemsStandThere) {
  Random random(6);
  const std::vector<SlateCandidate> candidates = candidates_of({2, 1, 0});
  const ListRules rules{.exploration = 0.3, .random = &random};
  std::map<std::vector<size_t>, std::pair<int, double>> seen;  // how often, and the product of propensities
  constexpr int kRounds = 20'000;
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<Placed> list = place({}, {}, candidates, {}, 2, rules);
    auto& [times, propensity] = seen[order_of(list)];
    ++times;
    propensity = list[0].propensity * list[1].propensity;
    EXPECT_TRUE(list[0].explored || list[0].candidate == 0);
  }
  ASSERT_EQ(seen.size(), 6U);
  double sum = 0;
  for (const auto& [order, told] : seen) {
    EXPECT_NEAR(static_cast<double>(told.first) / kRounds, told.second, 0.015);
    sum += told.second;
  }
  EXPECT_NEAR(sum, 1, 1e-9);
}

}  // namespace
}  // namespace perennial
