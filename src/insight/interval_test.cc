#include "insight/interval.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace perennial {
namespace {

TimeMs at(std::string_view date) { return parse_iso8601(date).value(); }

std::string label(Interval interval, std::string_view time) {
  return interval_label(interval, interval_of(interval, at(time)));
}

TEST(Interval, WeeksBeginOnMondayAndMonthsOnTheFirst) {
  EXPECT_EQ(label(Interval::week, "2026-03-01T23:59:59.999Z"), "2026-02-23");  // a Sunday
  EXPECT_EQ(label(Interval::week, "2026-03-02"), "2026-03-02");
  EXPECT_EQ(label(Interval::month, "2024-02-29T23:59:59.999Z"), "2024-02");
  EXPECT_EQ(label(Interval::month, "2024-03-01"), "2024-03");
  EXPECT_EQ(label(Interval::day, "2024-12-31T23:59:59.999Z"), "2024-12-31");
}

TEST(Interval, NumbersAreConsecutiveAlsoBefore1970) {
  for (const Interval interval : {Interval::day, Interval::week, Interval::month}) {
    for (int64_t number = interval_of(interval, at("1968-11-03")); number < interval_of(interval, at("1973-03-01"));
         ++number) {
      const TimeMs start = interval_start(interval, number);
      ASSERT_EQ(interval_of(interval, start), number);
      ASSERT_EQ(interval_of(interval, start - 1), number - 1);
    }
  }
  EXPECT_EQ(interval_label(Interval::month, interval_of(Interval::month, at("1969-12-31"))), "1969-12");
}

TEST(Interval, TheNewestThatBeganBeforeNow) {
  const IntervalSpan span = intervals_until(Interval::month, at("2025-01-20"), at("2025-05-01"), 3);
  EXPECT_EQ(span.size(), 3);
  EXPECT_EQ(interval_label(Interval::month, span.first), "2025-02");
  EXPECT_TRUE(span.over(span.end - 1)) << "at midnight of the first of May, April is over and May is not shown";
  const IntervalSpan later = intervals_until(Interval::month, at("2025-01-20"), at("2025-05-01") + 1, 12);
  EXPECT_EQ(later.size(), 5);
  EXPECT_FALSE(later.over(later.end - 1));
  EXPECT_TRUE(later.over(later.end - 2));
}

TEST(Interval, TheLogBeginsWithinOneUnlessOnItsFirstDay) {
  const IntervalSpan span = intervals_until(Interval::month, at("2025-01-02"), at("2025-03-01"), 12);
  EXPECT_TRUE(span.cut(span.first));
  EXPECT_FALSE(span.cut(span.first + 1));
  EXPECT_FALSE(span.cut(span.first - 1));
  EXPECT_FALSE(span.whole(span.first));
  EXPECT_TRUE(span.whole(span.first + 1));
  const IntervalSpan first_day = intervals_until(Interval::month, at("2025-01-01T23:59:59Z"), at("2025-03-01"), 12);
  EXPECT_FALSE(first_day.cut(first_day.first));
}

TEST(Interval, NoneBeforeAnybodyWasSeen) {
  EXPECT_EQ(intervals_until(Interval::week, at("2025-01-20"), at("2025-01-20"), 12).size(), 0);
  EXPECT_EQ(intervals_until(Interval::week, at("2025-01-20"), at("2025-01-20") + 1, 12).size(), 1);
}

TEST(Interval, NamesAreReadBack) {
  EXPECT_EQ(parse_interval("week").value(), Interval::week);
  EXPECT_FALSE(parse_interval("year").ok());
}

}  // namespace
}  // namespace perennial
