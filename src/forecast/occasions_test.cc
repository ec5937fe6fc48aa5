// Days counted once, refunds, and the future left out.
#include "forecast/occasions.h"

#include <gtest/gtest.h>

namespace perennial {
namespace {

constexpr TimeMs kMonday = 1'700'438'400'000;  // 2023-11-20T00:00Z
constexpr TimeMs kHourMs = 3'600'000;

std::vector<Fact> facts(std::initializer_list<std::pair<double, int64_t>> days_and_money) {
  UserFacts all;
  for (const auto& [day, money] : days_and_money)
    all.add(0, kMonday + static_cast<TimeMs>(day * static_cast<double>(kMsOfDay)), 1, money);
  const std::span<const Fact> of_signal = all.of(0);
  return {of_signal.begin(), of_signal.end()};
}

TEST(Occasions, SeveralFactsOfADayAreOne) {
  const std::vector<Fact> all = facts({{0.1, 0}, {0.9, 0}, {3.5, 0}, {3.6, 0}, {7.2, 0}});
  EXPECT_EQ(history_at(all, kMonday + 10 * kMsOfDay), (PurchaseHistory{2, 7, 10}));
  EXPECT_EQ(history_at(all, kMonday + 10 * kMsOfDay - 1), (PurchaseHistory{2, 7, 9}));
}

TEST(Occasions, LaterFactsAreNotLookedAt) {
  const std::vector<Fact> all = facts({{0.1, 100}, {3.5, 100}, {7.2, 900}});
  EXPECT_EQ(history_at(all, kMonday + 5 * kMsOfDay), (PurchaseHistory{1, 3, 5}));
  EXPECT_EQ(spend_at(all, kMonday + 5 * kMsOfDay, 100).mean, 1);
  EXPECT_FALSE(history_at(all, kMonday + kHourMs).has_value());
  EXPECT_EQ(spend_at(all, kMonday, 100).transactions, 0);
  EXPECT_EQ(history_at(all, kMonday + 3 * kHourMs), (PurchaseHistory{0, 0, 0}));
}

TEST(Occasions, SpendIsByDayAndDaysOfRefundAreLeftOut) {
  const std::vector<Fact> all = facts({{0.1, 1000}, {0.2, 500}, {2.0, -1200}, {4.0, 300}, {4.5, -100}});
  const Spend spend = spend_at(all, kMonday + 10 * kMsOfDay, 100);
  EXPECT_EQ(spend.transactions, 2);
  EXPECT_DOUBLE_EQ(spend.mean, (15.0 + 2.0) / 2);
}

}  // namespace
}  // namespace perennial
