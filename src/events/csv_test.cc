#include "events/csv.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "events/test_files.h"

namespace perennial {
namespace {

struct Parsed {
  int64_t line;
  std::vector<std::string> fields;
  std::string problem;

  bool operator==(const Parsed&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Parsed& parsed) {
  out << "line " << parsed.line << ":";
  for (const auto& field : parsed.fields) out << " [" << field << "]";
  return out << " " << parsed.problem;
}

std::vector<Parsed> parse(std::string_view text, char delimiter = ',', size_t limit = 1 << 20, size_t fields = 0) {
  const TestFolder folder;
  auto lines = LineSource::open(folder.write("input", text));
  EXPECT_TRUE(lines.ok());
  CsvSource source(**lines, delimiter, limit);
  source.set_field_limit(fields);
  std::vector<Parsed> all;
  CsvRecord record;
  while (*source.next(record))
    all.push_back({record.line, {record.fields.begin(), record.fields.end()}, record.status.message()});
  return all;
}

using Fields = std::vector<std::string>;

TEST(Csv, SplitsPlainAndQuotedFields) {
  EXPECT_EQ(parse("a,b,c\n")[0].fields, (Fields{"a", "b", "c"}));
  EXPECT_EQ(parse(",,\n")[0].fields, (Fields{"", "", ""}));
  EXPECT_EQ(parse("\"a,b\",\"say \"\"hi\"\"\",\"\"\n")[0].fields, (Fields{"a,b", "say \"hi\"", ""}));
  EXPECT_EQ(parse("a;b,c\n", ';')[0].fields, (Fields{"a", "b,c"}));
  EXPECT_EQ(parse("a\t\"b\tc\"\n", '\t')[0].fields, (Fields{"a", "b\tc"}));
}

TEST(Csv, QuotedNewlineStaysInOneRow) {
  const auto rows = parse("a,\"one\ntwo\n\nfour\",b\nc,d,e\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].fields, (Fields{"a", "one\ntwo\n\nfour", "b"}));
  EXPECT_EQ(rows[1].line, 5) << "lines are counted, not rows";
}

TEST(Csv, CarriageReturnsEndLinesButStayInsideQuotes) {
  const auto rows = parse("a,b\r\n\"c\",\"d\"\r\n\"e\r\nf\",g\r\n\r\nh,\r\n");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].fields, (Fields{"a", "b"}));
  EXPECT_EQ(rows[1].fields, (Fields{"c", "d"}));
  EXPECT_EQ(rows[2].fields, (Fields{"e\r\nf", "g"}));
  EXPECT_EQ(rows[3].fields, (Fields{"h", ""}));
  EXPECT_EQ(rows[3].line, 6);
}

TEST(Csv, QuotesInsideAnUnquotedFieldAreText) {
  EXPECT_EQ(parse("5\" pipe,6\"\n")[0].fields, (Fields{"5\" pipe", "6\""}));
}

TEST(Csv, BlanksRoundQuotesAreDropped) { EXPECT_EQ(parse("a, \"b,c\" ,d\n")[0].fields, (Fields{"a", "b,c", "d"})); }

TEST(Csv, TextBehindAClosingQuoteIsBad) {
  const auto rows = parse("a,\"b\"c,d\ne,f,g\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NE(rows[0].problem.find("behind the closing quote of column 2"), std::string::npos);
  EXPECT_EQ(rows[1].fields, (Fields{"e", "f", "g"}));
}

TEST(Csv, UnclosedQuoteCostsItsOwnLineOnly) {
  const auto rows = parse("a,\"b\nc,d\ne,f\n");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_NE(rows[0].problem.find("quote opened on line 1"), std::string::npos);
  EXPECT_EQ(rows[1], (Parsed{2, {"c", "d"}, ""}));
  EXPECT_EQ(rows[2], (Parsed{3, {"e", "f"}, ""}));
}

TEST(Csv, UnclosedQuoteIsFoundWithinTheLimit) {
  std::string text = "a,\"b\n";
  for (int i = 0; i < 1000; ++i) text += "row" + std::to_string(i) + ",x\n";
  const auto rows = parse(text, ',', 1024);
  ASSERT_EQ(rows.size(), 1001u);
  EXPECT_FALSE(rows[0].problem.empty());
  for (size_t i = 1; i < rows.size(); ++i)
    ASSERT_EQ(rows[i], (Parsed{static_cast<int64_t>(i) + 1, {"row" + std::to_string(i - 1), "x"}, ""}));
}

TEST(Csv, UnclosedQuotesInsideHeldLinesAreFoundToo) {
  const auto rows = parse("\"a\n\"\"\"b\nc\n\"d\n", ',', 1 << 20, 1);
  std::vector<int64_t> lines;
  for (const Parsed& row : rows) lines.push_back(row.line);
  EXPECT_EQ(lines, (std::vector<int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(rows[2], (Parsed{3, {"c"}, ""}));
}

TEST(Csv, ManyOpenQuotesTakeLinearTime) {
  // Each line closes a quote and opens another one: without a bound on fields, each would be read up to the limit.
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "a\",b,\"\n";
  const auto rows = parse(text, ',', 1 << 20, 3);
  EXPECT_EQ(rows.size(), 50'000u);
}

TEST(Csv, LongLineInsideAQuoteIsARowOfItsOwn) {
  const TestFolder folder;
  auto lines = LineSource::open(folder.write("input", "\"a\n" + std::string(5000, 'x') + "\nb\n"));
  (*lines)->set_limit(1024);
  CsvSource source(**lines, ',', 1024);
  CsvRecord record;
  std::vector<std::string> problems;
  while (*source.next(record)) problems.push_back(record.status.message());
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_NE(problems[0].find("quote opened on line 1"), std::string::npos);
  EXPECT_NE(problems[1].find("line of 5,000 bytes is over the limit of 1,024"), std::string::npos);
  EXPECT_EQ(problems[2], "");
}

std::string quoted(const std::string& field, Random& random) {
  const bool needs = field.find_first_of(",\"\n\r ") != std::string::npos;
  if (!needs && random.chance(0.5)) return field;
  std::string out = "\"";
  for (const char c : field) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

TEST(Csv, WhateverIsWrittenWithQuotesIsReadBack) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<Fields> wanted;
    std::string text;
    constexpr std::string_view kLetters = "ab,\"\n\r ";
    for (int row = 0; row < 50; ++row) {
      Fields& fields = wanted.emplace_back();
      for (int column = 0; column < 4; ++column) {
        std::string field = column == 0 ? "k" : "";
        for (uint64_t left = random.below(6); left > 0; --left) field += kLetters[random.below(kLetters.size())];
        fields.push_back(field);
        text += (column > 0 ? "," : "") + quoted(field, random);
      }
      text += random.chance(0.5) ? "\n" : "\r\n";
    }
    const auto rows = parse(text, ',', 1 << 20, 5);
    ASSERT_EQ(rows.size(), wanted.size());
    for (size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i].fields, wanted[i]) << i << " " << rows[i].problem;
  }
}

}  // namespace
}  // namespace perennial
