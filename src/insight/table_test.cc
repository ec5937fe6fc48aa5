#include "insight/table.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace perennial {
namespace {

Table sample() {
  Table table{
      .name = "sample", .title = "A sample", .explanation = "What is counted.", .currency = "EUR", .dated = true};
  table.at = parse_iso8601("2026-03-10").value();
  table.columns = {{.name = "month", .type = ColumnType::month},
                   {.name = "users", .type = ColumnType::count},
                   {.name = "churn_rate", .type = ColumnType::share},
                   {.name = "money", .type = ColumnType::money},
                   {.name = "who"},
                   {.name = "trend", .type = ColumnType::series}};
  const TimeMs february = parse_iso8601("2026-02-01").value();
  const TimeMs march = parse_iso8601("2026-03-01").value();
  table.rows = {{february, int64_t{12345}, 0.125, int64_t{-123456}, std::string("a, \"b\""), Series{0, 1, 8}},
                {march, Cell(int64_t{7}, true), Cell(), int64_t{5}, std::string("=1+1"), Series{}}};
  table.notes = {"A note."};
  return table;
}

TEST(Table, TextIsAlignedWithUnitsAndMarks) {
  EXPECT_EQ(to_text(sample()),
            "A sample\nWhat is counted.\n\n"
            "month     users   churn rate  money EUR  who     trend\n"
            "2026-02  12,345       12.5 %  -1,234.56  a, \"b\"  ·▂█\n"
            "2026-03       7*                   0.05  =1+1\n\n"
            "* not whole: what is not over will still change.\nA note.\n");
}

TEST(Table, JsonHasNumbersDatesAndWhatIsIncomplete) {
  const json::object object = to_json(sample());
  EXPECT_EQ(object.at("report"), "sample");
  EXPECT_EQ(object.at("at"), "2026-03-10T00:00:00.000Z");
  const json::object& first = object.at("rows").at(0).as_object();
  EXPECT_EQ(first.at("month"), "2026-02");
  EXPECT_EQ(first.at("users"), 12345);
  EXPECT_EQ(first.at("churn_rate"), 0.125);
  EXPECT_EQ(first.at("money"), -1234.56);
  EXPECT_EQ(first.at("trend"), json::array({0, 1, 8}));
  EXPECT_FALSE(first.contains("incomplete"));
  const json::object& second = object.at("rows").at(1).as_object();
  EXPECT_TRUE(second.at("churn_rate").is_null());
  EXPECT_EQ(second.at("incomplete"), json::array({"users"}));
}

TEST(Table, CsvQuotesAndRunsNoFormula) {
  EXPECT_EQ(to_csv(sample()),
            "month,users,churn_rate,money,who,trend,incomplete\r\n"
            "2026-02,12345,0.125,-1234.56,\"a, \"\"b\"\"\",0 1 8,\r\n"
            "2026-03,7,,0.05,'=1+1,,users\r\n");
  Table table{.columns = {{.name = "user_id"}}};
  for (const char* text : {"@SUM(A1)", "+1", "-1", "\tx", "\rx", "two\nlines", "plain"})
    table.rows.push_back({std::string(text)});
  EXPECT_EQ(to_csv(table), "user_id\r\n'@SUM(A1)\r\n'+1\r\n'-1\r\n\"'\tx\"\r\n\"'\rx\"\r\n\"two\nlines\"\r\nplain\r\n");
}

TEST(Table, CsvRunsNoFormulaWhereAnotherSignSeparates) {
  // Read with semicolons, the second field of a row that begins with another may begin in the middle of a text, quoted
  // or not.
  Table table{.columns = {{.name = "user_id"}}};
  for (const char* text : {"a;=1+1", "a\t@b", "a,-b", "a\"+b", "a;b", "c - d=e"})
    table.rows.push_back({std::string(text)});
  EXPECT_EQ(to_csv(table),
            "user_id\r\n\"a;'=1+1\"\r\n\"a\t'@b\"\r\n\"a,'-b\"\r\n\"a\"\"'+b\"\r\n\"a;b\"\r\nc - d=e\r\n");
}

TEST(Table, BarsAndShadesShowSizeButNotOfWhatIsIncomplete) {
  Table table{.title = "T", .explanation = "E."};
  table.columns = {{.name = "n", .type = ColumnType::count, .look = Look::bar},
                   {.name = "r", .type = ColumnType::share, .look = Look::heat}};
  table.rows = {{int64_t{4}, 1.0}, {int64_t{2}, 0.042}, {Cell(int64_t{1}, true), Cell(0.9, true)}};
  EXPECT_EQ(to_text(table),
            "T\nE.\n\n"
            "n                        r\n"
            "4  ━━━━━━━━━━━━━━━━  100 %█\n"
            "2  ━━━━━━━━          4.2 %▁\n"
            "1*                    90 %*\n\n"
            "* not whole: what is not over will still change.\n");
  EXPECT_NE(to_text(table, {.colour = true}).find("\x1b[97;48;5;28m100 % \x1b[0m"), std::string::npos);
}

TEST(Table, MoneyIsExactInAnyCurrencyAndSize) {
  Table table{
      .title = "T", .explanation = "E.", .currency = "EUR", .columns = {{.name = "m", .type = ColumnType::money}}};
  table.rows = {{int64_t{-5}}, {int64_t{123'456'789'012'345'678}}};
  EXPECT_NE(to_text(table).find("-0.05"), std::string::npos);
  EXPECT_NE(to_text(table).find("1,234,567,890,123,456.78"), std::string::npos);
  EXPECT_NE(to_csv(table).find("1234567890123456.78"), std::string::npos);
  table.currency = "JPY";
  EXPECT_NE(to_text(table).find("123,456,789,012,345,678"), std::string::npos);
}

TEST(Table, NothingIsSaidToBeNothing) {
  Table table{.title = "T", .explanation = "E.", .columns = {{.name = "n", .type = ColumnType::count}}};
  EXPECT_EQ(to_text(table), "T\nE.\n\nNothing to show at 1970-01-01T00:00 UTC.\n");
  EXPECT_EQ(to_csv(table), "n\r\n");
  EXPECT_TRUE(to_json(table).at("rows").as_array().empty());
}

TEST(Table, NamesOfUsersMoveNoCursor) {
  Table table{.title = "T", .explanation = "E.", .columns = {{.name = "user"}}};
  table.rows = {{std::string("a\x1b[2Jb")},
                {std::string("a\xC2\x9B"
                             "2Jb")}};
  EXPECT_EQ(to_text(table).find('\x1b'), std::string::npos);
  EXPECT_EQ(to_text(table).find("\xC2\x9B"), std::string::npos);
}

TEST(Table, NumbersThatAreNoneAreNotWritten) {
  Table table{.title = "T", .explanation = "E.", .columns = {{.name = "r", .type = ColumnType::ratio}}};
  table.rows = {{std::numeric_limits<double>::infinity()}, {std::nan("")}};
  EXPECT_TRUE(to_json(table).at("rows").at(0).at("r").is_null());
  EXPECT_EQ(to_csv(table), "r\r\n\r\n\r\n");
}

}  // namespace
}  // namespace perennial
