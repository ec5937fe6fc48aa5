// What is done for the shop's visitors: drawn by its own campaigns, or given by somebody else.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "base/temporary_folder.h"
#include "base/text.h"
#include "simulator/shop.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;

TEST(Campaigns, DoWhatTheirTruthSays) {
  const ShopHistory shop = simulate_shop({.users = 8000, .months = 7, .campaigns = true}).value();
  std::map<int32_t, std::vector<TimeMs>> orders;
  for (const ShopEvent& event : shop.events)
    if (event.kind == ShopEventKind::ordered) orders[event.user].push_back(event.time);
  struct Sum {
    double users = 0, expected = 0, happened = 0;
  };
  std::array<Sum, kShopActions> sums;
  std::map<int32_t, TimeMs> last;
  for (const ShopCampaign& campaign : shop.campaigns) {
    EXPECT_NEAR(std::accumulate(campaign.chances.begin(), campaign.chances.end(), 0.0), 1, 1e-9);
    EXPECT_TRUE(!last.contains(campaign.user) || (campaign.time - last[campaign.user]) % (14 * kDay) == 0);
    last[campaign.user] = campaign.time;
    if (campaign.time + 14 * kDay > shop.month_starts.back()) continue;
    Sum& sum = sums[static_cast<size_t>(campaign.drawn)];
    const auto within = [&](TimeMs time) { return time > campaign.time && time < campaign.time + 14 * kDay; };
    sum.users += 1;
    sum.expected += campaign.will_order[static_cast<size_t>(campaign.drawn)];
    sum.happened += std::ranges::any_of(orders[campaign.user], within) ? 1 : 0;
  }
  for (size_t action = 0; action < kShopActions; ++action) {
    const auto& [users, expected, happened] = sums[action];
    EXPECT_GT(users, 3000) << kShopActionNames[action];
    // The truth leaves out what changes within the two weeks: drifting away, a refill, moods of the week.
    EXPECT_NEAR(happened / expected, 1, 0.12) << kShopActionNames[action];
  }
}

/// Events before `until`, without the numbers of what they point at.
std::vector<std::tuple<TimeMs, int32_t, ShopEventKind, int32_t>> events_before(const ShopHistory& shop, TimeMs until) {
  std::vector<std::tuple<TimeMs, int32_t, ShopEventKind, int32_t>> events;
  for (const ShopEvent& event : shop.events)
    if (event.time < until) events.emplace_back(event.time, event.user, event.kind, event.detail);
  return events;
}

TEST(Campaigns, WhatIsGivenChangesWhatComesAfterAndNothingBefore) {
  ShopOptions options{.users = 3000, .months = 8, .campaigns = true, .campaign_months = 6};
  const ShopHistory alone = simulate_shop(options).value();
  const TimeMs from = alone.month_starts[6];
  for (const ShopCampaign& campaign : alone.campaigns) EXPECT_LT(campaign.time, from);
  std::vector<int> before(static_cast<size_t>(options.users));
  for (const ShopEvent& event : alone.events)
    if (event.kind == ShopEventKind::ordered && event.time < from) ++before[static_cast<size_t>(event.user)];
  // To those who never ordered: the voucher makes them buy, nagging keeps them away. From the middle of a week on.
  const TimeMs first = from + 10 * kDay - 300'000;
  for (const auto& [action, more] : {std::pair{1, true}, {3, false}}) {
    options.given.clear();
    for (int32_t user = 0; user < options.users; ++user)
      if (before[static_cast<size_t>(user)] == 0)
        for (TimeMs time = first; time < alone.month_starts[8]; time += 14 * kDay)
          options.given.push_back({user, time, action});
    const ShopHistory given = simulate_shop(options).value();
    EXPECT_EQ(events_before(alone, first), events_before(given, first));
    const auto orders = [&](const ShopHistory& shop) {
      return std::ranges::count_if(shop.events, [&](const ShopEvent& event) {
        return event.kind == ShopEventKind::ordered && before[static_cast<size_t>(event.user)] == 0;
      });
    };
    if (more)
      EXPECT_GT(orders(given), 1.2 * static_cast<double>(orders(alone)));
    else
      EXPECT_LT(orders(given), 0.9 * static_cast<double>(orders(alone)));
  }
}

TEST(Campaigns, RefusesToGiveWhatCannotBeGiven) {
  ShopOptions options{.users = 100, .months = 4, .campaigns = true, .campaign_months = 3};
  const TimeMs from = parse_iso8601("2025-04-01").value();
  options.given = {{0, from, 1}};
  EXPECT_TRUE(simulate_shop(options).ok());
  for (const GivenAction& wrong : {GivenAction{100, from, 1}, {-1, from, 1}, {0, from - 1, 1}, {0, from, 4}}) {
    options.given = {wrong};
    EXPECT_EQ(simulate_shop(options).status().code(), Code::invalid_argument);
  }
  options.given = {{0, from, 1}};
  for (const int months : {0, 4}) {
    options.campaign_months = months;
    EXPECT_EQ(simulate_shop(options).status().code(), Code::invalid_argument) << months;
  }
  options.given.clear();
  options.campaign_months = 5;
  EXPECT_EQ(simulate_shop(options).status().code(), Code::invalid_argument);
}

TEST(Campaigns, GivenActionsAreReadFromTheServersExportFile) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "sent.jsonl";
  const std::string good =
      R"({"action_id":"5f","user_id":"u00012","action":"nag","decided_at":"2025-07-01T08:00:00Z"})";
  ASSERT_TRUE(write_file_atomically(path, good + "\n\n" + good + "\n").ok());
  const std::vector<GivenAction> given = read_given_actions(path).value();
  ASSERT_EQ(given.size(), 2U);
  EXPECT_EQ(given[1].user, 11);
  EXPECT_EQ(given[1].action, 3);
  EXPECT_EQ(given[1].time, parse_iso8601("2025-07-01T08:00:00Z").value());
  for (const char* wrong : {R"({"user_id":"anon-d-00012","action":"nag","decided_at":"2025-07-01T08:00:00Z"})",
                            R"({"user_id":"u00012","action":"coffee","decided_at":"2025-07-01T08:00:00Z"})",
                            R"({"user_id":"u00012","action":"nag"})", "no JSON"}) {
    ASSERT_TRUE(write_file_atomically(path, good + "\n" + wrong + "\n").ok());
    const Status status = read_given_actions(path).status();
    EXPECT_EQ(status.code(), Code::invalid_argument) << wrong;
    EXPECT_NE(status.message().find("sent.jsonl:2"), std::string::npos) << status.message();
  }
}

TEST(Campaigns, WithoutAnyNobodyIsActedOn) { EXPECT_TRUE(simulate_shop({.users = 200})->campaigns.empty()); }

}  // namespace
}  // namespace perennial
