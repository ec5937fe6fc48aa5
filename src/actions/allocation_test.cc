#include "actions/allocation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <cmath>
#include <map>
#include <set>

#include "base/random.h"

namespace perennial {
namespace {

constexpr uint64_t kSeed = 7;

struct Instance {
  Offers offers;
  std::vector<Budget> budgets;
};

struct Shape {
  size_t users, actions, budgets;
  bool coarse = false;  // gains in halves: many ties
};

Instance random_instance(const Shape& shape, Random& random) {
  Instance made;
  for (size_t user = 0; user < shape.users; ++user) {
    for (uint16_t action = 0; action < shape.actions; ++action) {
      if (random.chance(0.2)) continue;  // not for this user
      double gain = random.normal() * 2 + 1;
      if (shape.coarse) gain = std::round(gain * 2) / 2;
      made.offers.add(action, static_cast<float>(gain), static_cast<float>(random.chance(0.1) ? 0 : random.uniform()));
    }
    made.offers.end_user();
  }
  for (size_t r = 0; r < shape.budgets; ++r) {
    Budget budget{fmt::format("budget {}", r), {}, 0, random.chance(0.5)};
    for (uint16_t action = 0; action < shape.actions; ++action)
      if (random.chance(0.6)) budget.actions.push_back(action);
    budget.limit = std::floor(random.uniform() * 0.5 * static_cast<double>(shape.users) * 4) / 4;
    made.budgets.push_back(budget);
  }
  return made;
}

/// What is used of each budget, counted again from the choice.
std::vector<double> used_by(const Instance& instance, const std::vector<uint64_t>& chosen) {
  std::vector<double> used(instance.budgets.size());
  for (const uint64_t offer : chosen) {
    if (offer == Allocation::kNothing) continue;
    for (size_t r = 0; r < used.size(); ++r) {
      const Budget& budget = instance.budgets[r];
      if (std::ranges::find(budget.actions, instance.offers.action[offer]) == budget.actions.end()) continue;
      used[r] += budget.counts ? 1 : static_cast<double>(instance.offers.cost[offer]);
    }
  }
  return used;
}

bool within_budgets(const Instance& instance, const std::vector<uint64_t>& chosen) {
  const std::vector<double> used = used_by(instance, chosen);
  for (size_t r = 0; r < used.size(); ++r)
    if (used[r] > instance.budgets[r].limit + 1e-9) return false;
  return true;
}

double gain_of(const Instance& instance, const std::vector<uint64_t>& chosen) {
  double gain = 0;
  for (const uint64_t offer : chosen)
    if (offer != Allocation::kNothing) gain += instance.offers.gain[offer];
  return gain;
}

/// The best of all choices, tried one by one.
double best_gain(const Instance& instance, size_t user, std::vector<uint64_t>& chosen) {
  if (user == instance.offers.users())
    return within_budgets(instance, chosen) ? gain_of(instance, chosen) : -std::numeric_limits<double>::infinity();
  chosen[user] = Allocation::kNothing;
  double best = best_gain(instance, user + 1, chosen);
  for (uint64_t j = instance.offers.begin[user]; j < instance.offers.begin[user + 1]; ++j) {
    chosen[user] = j;
    best = std::max(best, best_gain(instance, user + 1, chosen));
  }
  chosen[user] = Allocation::kNothing;
  return best;
}

void expect_sound(const Instance& instance, const Allocation& made) {
  ASSERT_EQ(made.chosen.size(), instance.offers.users());
  for (size_t user = 0; user < made.chosen.size(); ++user) {
    if (made.chosen[user] == Allocation::kNothing) continue;
    EXPECT_GE(made.chosen[user], instance.offers.begin[user]);
    EXPECT_LT(made.chosen[user], instance.offers.begin[user + 1]);
    EXPECT_GT(instance.offers.gain[made.chosen[user]], 0) << "doing nothing brings more";
  }
  EXPECT_TRUE(within_budgets(instance, made.chosen));
  EXPECT_NEAR(made.gain, gain_of(instance, made.chosen), 1e-6 * (1 + made.gain));
  const std::vector<double> used = used_by(instance, made.chosen);
  for (size_t r = 0; r < used.size(); ++r) {
    EXPECT_NEAR(made.used[r], used[r], 1e-9 * (1 + used[r]));
    EXPECT_GE(made.prices[r], 0);
  }
  EXPECT_LE(made.gain, made.bound * (1 + 1e-9) + 1e-9);
}

TEST(Allocation, SmallInstancesAreWithinTheirBoundAndBelowNoChoiceThatTheBoundForbids) {
  Random random(kSeed);
  double sum = 0, best_sum = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const Instance instance = random_instance({1 + random.below(6), 1 + random.below(3), random.below(4)}, random);
    const Allocation made = allocate(instance.offers, instance.budgets, 1, trial).value();
    expect_sound(instance, made);
    std::vector<uint64_t> chosen(instance.offers.users());
    const double best = best_gain(instance, 0, chosen);
    EXPECT_LE(made.gain, best + 1e-6);
    EXPECT_GE(made.bound, best - 1e-6) << "trial " << trial;
    sum += made.gain;
    best_sum += best;
  }
  EXPECT_GT(sum, 0.93 * best_sum);  // of a handful of users one who can't be served in part is much
}

TEST(Allocation, ManyUsersAreWithinOnePercentOfTheBound) {
  Random random(kSeed);
  for (const bool coarse : {false, true})
    for (int trial = 0; trial < 8; ++trial) {
      const Instance instance = random_instance({3000, 1 + random.below(8), 1 + random.below(6), coarse}, random);
      const Allocation made = allocate(instance.offers, instance.budgets, 2, trial).value();
      expect_sound(instance, made);
      EXPECT_LT(made.gap(), 0.01) << "trial " << trial << (coarse ? ", coarse" : "");
    }
}

TEST(Allocation, UsersWhoAreAllAlikeShareWhatThereIs) {
  Instance instance;
  for (int user = 0; user < 1000; ++user) {
    instance.offers.add(0, 2, 0.5);
    instance.offers.add(1, 1, 0.25);
    instance.offers.end_user();
  }
  instance.budgets = {{"first", {0}, 300, true}, {"money", {0, 1}, 200, false}};
  const Allocation made = allocate(instance.offers, instance.budgets, 1, kSeed).value();
  expect_sound(instance, made);
  EXPECT_LT(made.gap(), 0.01);
  // Another seed serves others, as well.
  const Allocation again = allocate(instance.offers, instance.budgets, 1, kSeed + 1).value();
  EXPECT_NE(again.chosen, made.chosen);
  EXPECT_DOUBLE_EQ(again.gain, made.gain);
}

TEST(Allocation, WithoutScarcityEverybodyGetsTheirBestAndNothingHasAPrice) {
  Random random(kSeed);
  Instance instance = random_instance({500, 5, 0}, random);
  instance.budgets = {{"plenty", {0, 1, 2, 3, 4}, 1e6, false}};
  const Allocation made = allocate(instance.offers, instance.budgets, 1, kSeed).value();
  expect_sound(instance, made);
  EXPECT_EQ(made.prices, std::vector<double>{0});
  EXPECT_NEAR(made.gap(), 0, 1e-12);
}

TEST(Allocation, ABudgetOfNothingLeavesItsActionsOut) {
  Random random(kSeed);
  Instance instance = random_instance({500, 3, 0}, random);
  for (const bool counts : {false, true}) {
    instance.budgets = {{"none", {0}, 0, counts}, {"some", {1, 2}, 40, true}};
    const Allocation made = allocate(instance.offers, instance.budgets, 1, kSeed).value();
    expect_sound(instance, made);
    EXPECT_LT(made.gap(), 0.01);
    for (const uint64_t offer : made.chosen)
      if (offer != Allocation::kNothing && instance.offers.action[offer] == 0) {
        EXPECT_TRUE(!counts && instance.offers.cost[offer] == 0) << "what is free of charge takes nothing from money";
      }
  }
}

TEST(Allocation, APriceIsWhatOneMoreUnitBrings) {
  Random random(kSeed);
  Instance instance = random_instance({20'000, 4, 0}, random);
  instance.budgets = {{"money", {0, 1, 2}, 800, false}, {"number", {2, 3}, 3000, true}};
  const Allocation made = allocate(instance.offers, instance.budgets, 1, kSeed).value();
  for (const size_t r : {size_t{0}, size_t{1}}) {
    Instance more = instance;
    const double units = 0.05 * instance.budgets[r].limit;
    more.budgets[r].limit += units;
    const Allocation with_more = allocate(more.offers, more.budgets, 1, kSeed).value();
    ASSERT_GT(made.prices[r], 0);
    EXPECT_NEAR((with_more.gain - made.gain) / units, made.prices[r], 0.1 * made.prices[r]);
  }
}

TEST(Allocation, TheSameForAnyNumberOfThreads) {
  Random random(kSeed);
  const Instance instance = random_instance({2000, 6, 4}, random);
  const Allocation one = allocate(instance.offers, instance.budgets, 1, kSeed).value();
  const Allocation three = allocate(instance.offers, instance.budgets, 3, kSeed).value();
  EXPECT_EQ(one.chosen, three.chosen);
  EXPECT_EQ(one.prices, three.prices);
}

TEST(Allocation, NobodyAndNothingToGive) {
  EXPECT_EQ(allocate({}, {{"money", {0}, 10, false}}, 1, kSeed)->gain, 0);
  Offers harmful;
  harmful.add(0, -1, 0);
  harmful.end_user();
  harmful.end_user();  // without any offer
  const Allocation made = allocate(harmful, {}, 1, kSeed).value();
  EXPECT_EQ(made.chosen, (std::vector<uint64_t>(2, Allocation::kNothing)));
  EXPECT_EQ(made.bound, 0);
}

TEST(Allocation, NumbersOutOfRangeAreNamed) {
  Offers offers;
  offers.add(3, std::numeric_limits<float>::quiet_NaN(), 0);
  offers.end_user();
  EXPECT_EQ(
      allocate(offers, {}, 1, kSeed).status().message(),
      "user 0 has an offer of action 3 with gain nan and cost 0: want finite numbers, a cost of at least 0 and an "
      "action below 65,535");
  EXPECT_EQ(allocate({}, {{"mail", {0}, -1, false}}, 1, kSeed).status().message(),
            "budget 'mail' has the limit -1: want a number of at least 0");
}

}  // namespace
}  // namespace perennial
