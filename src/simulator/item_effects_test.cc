// What items do to their visitors beyond being bought, and what an observer of visits is told.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "simulator/shop.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;

TEST(ItemEffects, ItemsThatBringVisitorsBackAndAreToldOfDoSo) {
  ShopOptions options{.users = 900, .items = 400, .months = 12, .seed = 11};
  options.item_effects = 0.5;
  const ShopHistory history = simulate_shop(options).value();
  std::map<int32_t, std::vector<TimeMs>> looks;
  std::map<bool, std::array<double, 2>> back;  // by whether the item draws: looks, those followed by another visit
  std::map<bool, std::array<double, 2>> told;  // by whether it is told of: lines sold, reviews
  for (const ShopEvent& event : history.events)
    if (event.kind == ShopEventKind::viewed) looks[event.user].push_back(event.time);
  for (const ShopEvent& event : history.events) {
    if (event.kind == ShopEventKind::reviewed) ++told[history.assortment.items[event.item].told > 0][1];
    if (event.kind != ShopEventKind::viewed || event.time > history.month_starts.back() - 7 * kDay) continue;
    const std::vector<TimeMs>& times = looks[event.user];
    const auto next = std::upper_bound(times.begin(), times.end(), event.time + kDay / 4);
    auto& counts = back[history.assortment.items[event.item].brings_back > 0];
    ++counts[0];
    counts[1] += next != times.end() && *next < event.time + 7 * kDay ? 1 : 0;
  }
  for (const ShopOrder& order : history.orders)
    for (const OrderLine& line : order.lines) ++told[history.assortment.items[line.item].told > 0][0];
  EXPECT_GT(back[true][1] / back[true][0], back[false][1] / back[false][0] + 0.05);
  EXPECT_GT(told[true][1] / told[true][0], 1.5 * told[false][1] / told[false][0]);
  options.item_effects = 2;
  EXPECT_FALSE(simulate_shop(options).ok());
}

TEST(ShopVisits, AreToldBeforeTheirFirstLook) {
  const ShopOptions options{.users = 250, .items = 150, .months = 4, .seed = 7};
  std::vector<double> chances;
  double first_look = 0;
  int visits = 0;
  ChoiceObserver observer;
  observer.visit = [&](int32_t, TimeMs now, const Shopper& shopper) {
    shopper.look_chances(now, chances);
    ++visits;
  };
  observer.see = [&](int32_t, const std::vector<double>& probabilities, int32_t) {
    for (size_t i = 0; i < chances.size(); ++i)
      ASSERT_NEAR(chances[i], probabilities[i], 1e-5);  // the season goes on while an invited friend signs up
    first_look += chances.empty() ? 0 : 1;
    chances.clear();
  };
  const ShopHistory observed = simulate_shop(options, observer).value();
  EXPECT_EQ(first_look, visits);
  EXPECT_EQ(observed.events.size(), simulate_shop(options).value().events.size());
}

}  // namespace
}  // namespace perennial
