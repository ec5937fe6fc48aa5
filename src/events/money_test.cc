#include "events/money.h"

#include <gtest/gtest.h>

#include <cmath>

namespace perennial {
namespace {

TEST(Money, RoundsHalfAwayFromZeroAsDecimalsReadIt) {
  EXPECT_EQ(money_from_major(12.345, "USD")->minor_units, 1235);
  EXPECT_EQ(money_from_major(-12.345, "USD")->minor_units, -1235);
  EXPECT_EQ(money_from_major(1.005, "USD")->minor_units, 101) << "the double below 1.005 must not decide";
  EXPECT_EQ(money_from_major(1.00499, "USD")->minor_units, 100);
  EXPECT_EQ(money_from_major(0.1 + 0.2, "USD")->minor_units, 30);
}

TEST(Money, EveryCentOfSmallAmountsIsExact) {
  for (int64_t cents = -100'000; cents <= 100'000; ++cents)
    ASSERT_EQ(money_from_major(static_cast<double>(cents) / 100, "EUR")->minor_units, cents);
}

TEST(Money, KnowsTheDigitsOfCurrencies) {
  EXPECT_EQ(money_from_major(500, "JPY")->minor_units, 500);
  EXPECT_EQ(money_from_major(1.5, "KWD")->minor_units, 1500);
  EXPECT_EQ(minor_digits("CLF"), 4);
  EXPECT_EQ(minor_digits("USD"), 2);
}

TEST(Money, TakesLowerCaseAndRefusesOtherCodes) {
  EXPECT_EQ(money_from_major(1, "usd")->currency, "USD");
  for (const char* code : {"", "US", "USDT", "U$D", "12A"}) EXPECT_FALSE(money_from_major(1, code).ok()) << code;
}

TEST(Money, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(money_from_major(1e17, "USD").ok());
  EXPECT_FALSE(money_from_major(-1e17, "USD").ok());
  EXPECT_FALSE(money_from_major(NAN, "USD").ok());
  EXPECT_FALSE(money_from_major(INFINITY, "USD").ok());
  EXPECT_TRUE(money_from_major(9e16, "USD").ok());
}

TEST(Money, FormatsForPeople) {
  EXPECT_EQ(format_money({1235, "USD"}), "12.35 USD");
  EXPECT_EQ(format_money({-300, "EUR"}), "-3.00 EUR");
  EXPECT_EQ(format_money({-5, "EUR"}), "-0.05 EUR");
  EXPECT_EQ(format_money({500, "JPY"}), "500 JPY");
  EXPECT_EQ(format_money({INT64_MIN, "USD"}), "-92233720368547758.08 USD");
}

}  // namespace
}  // namespace perennial
