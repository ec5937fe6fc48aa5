#include "insight/rfm.h"

#include "insight/lives_fixture.h"

namespace perennial {
namespace {

TEST(Rfm, FifthsOfDistinctValues) {
  EXPECT_EQ(fifths({10, 50, 30, 20, 40}), (std::vector<int>{1, 5, 3, 2, 4}));
  EXPECT_EQ(fifths({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), (std::vector<int>{1, 1, 2, 2, 3, 3, 4, 4, 5, 5}));
}

TEST(Rfm, EqualsHaveEqualScores) {
  // Six of ten are lowest; one value above them has 6 lower (1 + 3), the two 3s 7 (1 + 3), the 9 has 9 (1 + 4).
  EXPECT_EQ(fifths({1, 1, 1, 1, 1, 1, 2, 3, 3, 9}), (std::vector<int>{1, 1, 1, 1, 1, 1, 4, 4, 4, 5}));
  EXPECT_EQ(fifths({7, 7, 7}), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(fifths({3}), (std::vector<int>{1}));
  EXPECT_TRUE(fifths({}).empty());
}

TEST(Rfm, CornersHaveTheNamesOfTheField) {
  const auto name = [](int recency, int frequency, int money) {
    return std::string(rfm_segment_name(rfm_segment({recency, frequency, money})));
  };
  EXPECT_EQ(name(5, 5, 5), "champions");
  EXPECT_EQ(name(5, 4, 3), "champions") << "3.5 is rounded up";
  EXPECT_EQ(name(3, 5, 4), "loyal");
  EXPECT_EQ(name(5, 1, 1), "new");
  EXPECT_EQ(name(4, 1, 1), "promising");
  EXPECT_EQ(name(1, 5, 5), "cannot lose");
  EXPECT_EQ(name(2, 3, 4), "slipping");
  EXPECT_EQ(name(1, 1, 2), "hibernating");
  EXPECT_EQ(name(3, 3, 3), "need attention");
  EXPECT_EQ(name(3, 1, 2), "about to sleep");
}

class RfmTest : public LivesFixture {
 protected:
  Table made(const RfmOptions& options, const char* now = "2025-06-01") {
    return rfm(lives_, options, "EUR", at(now)).value();
  }
};

TEST_F(RfmTest, UsersAndMoneyBySegment) {
  // Five buyers; user 1 lately, often and for most: 5, 5, 5. User 5 first, once, for least: 1, 1, 1.
  for (UserId user = 1; user <= 5; ++user)
    for (UserId i = 0; i < 6 - user; ++i)
      event(user, at("2025-05-31") - (user * 10 + i) * kDayMs, "order", 1000 * (6 - user));
  event(6, "2025-05-31", "view");
  const Table table = made({});
  EXPECT_EQ(table.rows.size(), kRfmSegments);
  const size_t champions = row_of(table, "champions");
  EXPECT_EQ(whole(table, champions, "users"), 1);
  EXPECT_EQ(whole(table, champions, "money"), 25'000);
  EXPECT_DOUBLE_EQ(real(table, champions, "mean_times"), 5);
  EXPECT_DOUBLE_EQ(real(table, champions, "mean_silence_days"), 11);
  EXPECT_DOUBLE_EQ(real(table, champions, "share_of_users"), 0.2);
  EXPECT_DOUBLE_EQ(real(table, champions, "share_of_money"), 25.0 / 55);
  EXPECT_EQ(whole(table, row_of(table, "hibernating"), "users"), 2);
  int64_t users = 0;
  for (size_t row = 0; row < table.rows.size(); ++row) users += whole(table, row, "users");
  EXPECT_EQ(users, 5) << "who never bought is in no segment";
}

TEST_F(RfmTest, LinesOfOneOrderAreOnePurchase) {
  event(1, "2025-05-01", "order", 100);
  event(1, "2025-05-01", "order", 200);
  const Table table = made({});
  const size_t row = row_of(table, "hibernating");
  EXPECT_DOUBLE_EQ(real(table, row, "mean_times"), 1);
  EXPECT_EQ(whole(table, row, "money"), 300);
}

TEST_F(RfmTest, TwoPurchasesBeforeTheFirstEventAreTwoOnTheFirstDay) {
  name_users(3);
  invited(0, "2025-04-05", "u2");
  invited(1, "2025-04-06", "u2");
  event(2, "2025-05-30", "view");
  const Table table = made({.signal = "referral"});
  const size_t row = row_of(table, "hibernating");
  EXPECT_DOUBLE_EQ(real(table, row, "mean_times"), 2);
  EXPECT_DOUBLE_EQ(real(table, row, "mean_silence_days"), 2);
}

TEST_F(RfmTest, TheWindowAndTheFutureAreLeftOut) {
  event(1, "2025-01-01", "order", 100);
  event(2, "2025-05-20", "order", 100);
  event(3, "2025-06-02", "order", 100);
  EXPECT_NE(made({}).explanation.find("2 users"), std::string::npos);
  EXPECT_NE(made({.window_ms = 30 * kDayMs}).explanation.find("1 users"), std::string::npos);
  EXPECT_TRUE(made({}, "2024-01-01").rows.empty());
}

}  // namespace
}  // namespace perennial
