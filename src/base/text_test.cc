#include "base/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace perennial {
namespace {

using std::string_view_literals::operator""sv;

constexpr TimeMs kDay = 86'400'000;

TEST(Utf8, AcceptsEveryLengthAtItsLimits) {
  for (const std::string_view text :
       {""sv, "plain"sv, "\0"sv, "\x7f"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv, "\xED\x9F\xBF"sv,
        "\xEE\x80\x80"sv, "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv, "größer 日本 🏕"sv})
    EXPECT_TRUE(is_utf8(text)) << text;
}

TEST(Utf8, RefusesOverlongSurrogatesAndBeyondUnicode) {
  for (const std::string_view text :
       {"\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x9F\xBF"sv, "\xF0\x8F\xBF\xBF"sv, "\xED\xA0\x80"sv, "\xED\xBF\xBF"sv,
        "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv, "\xFE"sv})
    EXPECT_FALSE(is_utf8(text));
}

TEST(Utf8, RefusesCutShortAndStrayBytes) {
  for (const std::string_view text : {"\x80"sv, "a\xBF"sv, "\xC2"sv, "\xE2\x82"sv, "\xF0\x9F\x8F"sv, "\xC2\x41"sv,
                                      "\xE2\x82\x41"sv, "caf\xE9"sv, "caf\xE9 au lait"sv})
    EXPECT_FALSE(is_utf8(text));
}

TEST(Iso8601, ReadsEveryForm) {
  const TimeMs base = 1'772'360'430'000;  // date -u -d 2026-03-01T10:20:30Z +%s
  const std::pair<const char*, TimeMs> cases[] = {
      {"1970-01-01", 0},
      {"1969-12-31T23:59:59.999Z", -1},
      {"2024-02-29", 1'709'164'800'000},
      {"2026-03-01T10:20:30", base},
      {"2026-03-01T10:20:30Z", base},
      {"2026-03-01t10:20:30z", base},
      {"2026-03-01 10:20:30", base},
      {"2026-03-01T10:20", base - 30'000},
      {"2026-03-01T10:20:30.1", base + 100},
      {"2026-03-01T10:20:30,123Z", base + 123},
      {"2026-03-01T10:20:30.123999999Z", base + 123},
      {"2026-03-01T10:20:30+02:00", base - 7'200'000},
      {"2026-03-01T10:20:30-0530", base + 19'800'000},
      {"2026-03-01T10:20:30.5+01", base + 500 - 3'600'000},
      {"2016-12-31T23:59:60Z", 1'483'228'800'000},  // a leap second is the next minute's start
  };
  for (const auto& [text, time] : cases) {
    const Result<TimeMs> got = parse_iso8601(text);
    ASSERT_TRUE(got.ok()) << text << ": " << got.status().message();
    EXPECT_EQ(*got, time) << text;
  }
}

TEST(Iso8601, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "2026",
                           "2026-03",
                           "2026-3-1",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-02-30",
                           "2023-02-29",
                           "2026-03-00",
                           "2026-03-01T",
                           "2026-03-01T10",
                           "2026-03-01T24:00",
                           "2026-03-01T10:60",
                           "2026-03-01T10:20:61",
                           "2026-03-01T10:20:30.",
                           "2026-03-01T10:20:30.Z",
                           "2026-03-01T10:20:30+",
                           "2026-03-01T10:20:30+2",
                           "2026-03-01T10:20:30+24:00",
                           "2026-03-01T10:20:30+01:60",
                           "2026-03-01T10:20:30+01:",
                           "2026-03-01T10:20:30 UTC",
                           "2026-03-01T10:20:30Zx",
                           "20260301",
                           "03/01/2026",
                           "-2026-03-01",
                           " 2026-03-01"}) {
    const Result<TimeMs> got = parse_iso8601(text);
    EXPECT_EQ(got.status().code(), Code::invalid_argument) << text;
  }
}

TEST(Iso8601, FormatIsReadBackExactly) {
  Random random(20);
  for (int i = 0; i < 2000; ++i) {
    const auto time = static_cast<TimeMs>(random.below(uint64_t{2'000'000} * kDay)) - 500'000 * kDay;
    ASSERT_EQ(parse_iso8601(format_iso8601(time)).value(), time) << format_iso8601(time);
  }
}

TEST(Iso8601, FormatsKnownTimesAndStaysInFourDigitYears) {
  EXPECT_EQ(format_iso8601(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_iso8601(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format_iso8601(1'772'360'430'007), "2026-03-01T10:20:30.007Z");
  EXPECT_EQ(format_iso8601(std::numeric_limits<TimeMs>::min()), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(format_iso8601(std::numeric_limits<TimeMs>::max()), "9999-12-31T23:59:59.999Z");
}

TEST(Timestamp, TellsUnitsApartBySize) {
  EXPECT_EQ(parse_timestamp("978300760").value(), 978'300'760'000);
  EXPECT_EQ(parse_timestamp("978300760123").value(), 978'300'760'123);
  EXPECT_EQ(parse_timestamp("978300760123456").value(), 978'300'760'123);
  EXPECT_EQ(parse_timestamp("978300760.25").value(), 978'300'760'250);
  EXPECT_EQ(parse_timestamp(" 1e9 ").value(), 1'000'000'000'000);
  EXPECT_EQ(parse_timestamp("0").value(), 0);
  EXPECT_EQ(parse_timestamp("-86400").value(), -kDay);
  EXPECT_EQ(parse_timestamp("2026-03-01").value(), parse_iso8601("2026-03-01").value());
}

TEST(Timestamp, RefusesNonsense) {
  for (const char* text :
       {"", " ", "-", ".", "1e999", "1e17", "-1e300", "nan", "inf", "12:30", "1.2.3", "+-5", "0x10", "yesterday"})
    EXPECT_EQ(parse_timestamp(text).status().code(), Code::invalid_argument) << text;
}

TEST(Numbers, ReadWholeTextsOnly) {
  EXPECT_EQ(parse_number("1.5").value(), 1.5);
  EXPECT_EQ(parse_number(" -2e3\r").value(), -2000);
  EXPECT_EQ(parse_number("+4").value(), 4);
  EXPECT_EQ(parse_integer("+4").value(), 4);
  EXPECT_EQ(parse_integer(" -9223372036854775808 ").value(), std::numeric_limits<int64_t>::min());
  for (const char* text : {"", "+", "-", "+-4", "-+4", "++4", "1 2", "1,5", "4x", "nan", "inf", "-infinity", "1e999"})
    EXPECT_EQ(parse_number(text).status().code(), Code::invalid_argument) << text;
  for (const char* text : {"", "+", "-", "+-4", "++4", "1.0", "1e3", "9223372036854775808", "4x"})
    EXPECT_EQ(parse_integer(text).status().code(), Code::invalid_argument) << text;
}

TEST(Numbers, AreWrittenWithCommas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1'000'209), "1,000,209");
  EXPECT_EQ(with_commas(-999), "-999");
  EXPECT_EQ(with_commas(-123'456), "-123,456");
  EXPECT_EQ(with_commas(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Durations, ChangeUnitWhereTheRoundedNumberWould) {
  EXPECT_EQ(format_duration(0), "0 ms");
  EXPECT_EQ(format_duration(0.85), "850 ms");
  EXPECT_EQ(format_duration(0.9994), "999 ms");
  EXPECT_EQ(format_duration(0.9996), "1.0 s");
  EXPECT_EQ(format_duration(12.34), "12.3 s");
  EXPECT_EQ(format_duration(59.96), "1 min 00 s");
  EXPECT_EQ(format_duration(245), "4 min 05 s");
  EXPECT_EQ(format_duration(3599.6), "1 h 00 min");
  EXPECT_EQ(format_duration(7800), "2 h 10 min");
}

TEST(Durations, SurviveWhatIsNoDuration) {
  EXPECT_EQ(format_duration(-3), "0 ms");
  EXPECT_EQ(format_duration(std::nan("")), "0 ms");
  EXPECT_TRUE(format_duration(std::numeric_limits<double>::infinity()).ends_with(" min"));
}

TEST(Printable, ControlCharactersAreDots) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\n\x7f"), "a.[2Jb...");
  EXPECT_EQ(printable("\0"sv), ".");
  EXPECT_EQ(printable("\xC2\x80x\xC2\x9B\xC2\x9F"), ".x..") << "those of two bytes";
  EXPECT_EQ(printable("\xC2\xA0größer 日本 🏕\xC2"), "\xC2\xA0größer 日本 🏕\xC2") << "and nothing else";
}

TEST(Trim, TakesBlanksOffBothEnds) {
  EXPECT_EQ(trim(" \t a b\r "), "a b");
  EXPECT_EQ(trim(" \t\r"), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("x"), "x");
}

TEST(Text, PartsBetweenCommasAreTrimmedAndNotEmpty) {
  EXPECT_EQ(split_at_commas(" a b, c,,d ,"), (std::vector<std::string>{"a b", "c", "d"}));
  EXPECT_TRUE(split_at_commas(" , ").empty());
}

TEST(Text, TheNearestNameTakesFewestChanges) {
  EXPECT_EQ(nearest_name("Order Complete", {"Order Cancelled", "Order Completed", "Product Viewed"}),
            "Order Completed");
  EXPECT_EQ(nearest_name("x", {}), "");
}

}  // namespace
}  // namespace perennial
