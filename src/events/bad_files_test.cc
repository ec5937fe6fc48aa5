// Every bad file that we could think of: a clear failure or rejected rows, and all good rows kept.
#include <gtest/gtest.h>

#include "events/test_files.h"

namespace perennial {
namespace {

constexpr const char* kHeader = "user_id,item_id,timestamp,note\n";

TEST(BadFile, EmptyOrBlank) {
  for (const char* text : {"", "\n", "\xEF\xBB\xBF", " \r\n\n"}) {
    const FileRows rows = read_text(text);
    EXPECT_EQ(rows.opened.code(), Code::invalid_argument);
    EXPECT_TRUE(says(rows.opened, "file is empty"));
    EXPECT_TRUE(says(rows.opened, "input: ")) << "the message names the file";
  }
  EXPECT_TRUE(says(read_text(gzip("")).opened, "file is empty"));
}

TEST(BadFile, HeaderOnlyIsAFileOfNoRows) {
  const FileRows rows = read_text(kHeader);
  EXPECT_TRUE(rows.opened.ok() && rows.failed.ok());
  EXPECT_TRUE(rows.good.empty() && rows.bad.empty());
}

TEST(BadFile, MissingColumns) {
  EXPECT_TRUE(says(read_text("colour,size\nred,3\n").opened, "among 'colour', 'size'"));
  EXPECT_TRUE(says(read_text("user_id,size\n1,2\n", {.content = FileContent::events}).opened, "no column for item_id"));
  EXPECT_TRUE(says(read_text("user_id,item_id,user_id\n1,2,3\n").opened, "occurs twice"));
  const FileRows json = read_text("{\"colour\":1}\n");
  EXPECT_TRUE(says(json.opened, "among 'colour'"));
}

TEST(BadFile, UnknownCurrency) {
  EXPECT_TRUE(says(read_text("user_id,item_id\n1,2\n", {.currency = "dollars"}).opened, "currency"));
}

TEST(BadFile, RowsThatAreNotUtf8AreRejectedOneByOne) {
  const FileRows csv = read_text(std::string(kHeader) + "1,2,,caf\xE9\n3,4,,ok\n5,6,,\"a\nb\xE9\"\n7,8,,ok\n");
  ASSERT_EQ(csv.bad.size(), 2u);
  EXPECT_TRUE(says(csv.bad[0].status, "not UTF-8"));
  EXPECT_TRUE(says(csv.bad[0].status, "iconv"));
  EXPECT_EQ(csv.bad[1].line, 4);
  EXPECT_EQ(csv.good.size(), 2u);
  const FileRows opened = read_text(std::string(kHeader) + "1,2,,\"caf\xE9\n3,4,,tail\"\n5,6,,ok\n");
  ASSERT_EQ(opened.bad.size(), 1u);
  ASSERT_EQ(opened.good.size(), 1u) << "the rest of a quoted text is no row";
  EXPECT_EQ(opened.record(0).user, "5");
  const FileRows movies = read_text("1::Toy Story::Comedy\n2::Mis\xE9rables, Les::Drama\n3::Heat::Crime\n");
  ASSERT_EQ(movies.bad.size(), 1u);
  EXPECT_EQ(movies.bad[0].line, 2);
  EXPECT_EQ(movies.good.size(), 2u);
  EXPECT_TRUE(says(read_text("1 2\n1 \xE9\n").bad.at(0).status, "not UTF-8"));
  EXPECT_TRUE(says(read_text("{\"user_id\":1,\"item_id\":2}\n{\"user_id\":\"\xE9\",\"item_id\":2}\n").bad.at(0).status,
                   "not UTF-8"));
}

TEST(BadFile, FirstLineThatIsNotUtf8FailsTheFile) {
  EXPECT_TRUE(says(read_text("1::Mis\xE9rables, Les::Drama\n").opened, "not UTF-8"));
}

TEST(BadFile, VeryLongLineIsOneRejectedRow) {
  const std::string longest(3'000'000, '7');
  const ReaderOptions options{.line_limit_bytes = 1024};
  const std::vector<std::string> files = {
      "user_id,item_id\n1,2\n1," + longest + "\n3,4\n",
      "1::2::3::4\n1::" + longest + "::3::4\n3::4::5::6\n",
      "1\t2\t3\n1\t" + longest + "\t3\n3\t4\t5\n",
      "1 2\n1 " + longest + "\n3 4\n",
      "{\"user_id\":1,\"item_id\":2}\n{\"user_id\":" + longest + "}\n{\"user_id\":3,\"item_id\":4}\n",
  };
  for (const std::string& file : files) {
    SCOPED_TRACE(file.substr(0, 30));
    const FileRows rows = read_text(file, options);
    ASSERT_EQ(rows.bad.size(), 1u);
    EXPECT_TRUE(says(rows.bad[0].status, "over the limit of"));
    EXPECT_LE(rows.bad[0].text.size(), 500u);
    EXPECT_GE(rows.bad[0].text.size(), 400u);
    ASSERT_EQ(rows.good.size(), 2u);
    EXPECT_EQ(rows.record(1).user, "3");
    EXPECT_EQ(rows.good[1].line, rows.bad[0].line + 1);
  }
}

TEST(BadFile, VeryLongHeaderFailsTheFile) {
  const FileRows rows =
      read_text("user_id,item_id," + std::string(5000, 'x') + "\n1,2,3\n", {.line_limit_bytes = 1024});
  EXPECT_TRUE(says(rows.opened, "header: line of 5,016 bytes is over the limit of 1,024"));
}

TEST(BadFile, TimesInTheFarFutureAndThePast) {
  const FileRows rows =
      read_text(std::string(kHeader) +
                "1,2,99999999999999999999,\n1,2,32503680000,\n1,2,-5,\n1,2,9999-12-31,\n1,2,soon,\n1,2,2026-01-02,\n");
  EXPECT_EQ(rows.good.size(), 1u);
  ASSERT_EQ(rows.bad.size(), 5u);
  EXPECT_TRUE(says(rows.bad[0].status, "time too large"));
  EXPECT_TRUE(says(rows.bad[1].status, "in the future: 3000-01-01"));
  EXPECT_TRUE(says(rows.bad[2].status, "before 1970"));
  EXPECT_TRUE(says(rows.bad[3].status, "in the future"));
  EXPECT_TRUE(says(rows.bad[4].status, "'timestamp'"));
}

TEST(BadFile, NegativeIds) {
  const FileRows table = read_text("1::2::3::4\n-1::2::3::4\n1::-2::3::4\n");
  ASSERT_EQ(table.bad.size(), 2u);
  EXPECT_TRUE(says(table.bad[0].status, "'user_id' is a negative number: -1"));
  EXPECT_TRUE(says(table.bad[1].status, "'item_id' is a negative number: -2"));
  const FileRows sequence = read_text("1 2 -3 4\n-5 6 7\n8 9\n");
  ASSERT_EQ(sequence.bad.size(), 2u) << "one item, and one whole line";
  EXPECT_EQ(sequence.bad[0].text, "-3");
  EXPECT_EQ(sequence.bad[1].text, "-5 6 7");
  EXPECT_EQ(sequence.good.size(), 3u);
}

TEST(BadFile, SequenceWithoutItems) {
  const FileRows rows = read_text("1 2\n3\n4 5\n");
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_TRUE(says(rows.bad[0].status, "user '3' has no items"));
  EXPECT_EQ(rows.good.size(), 2u);
}

TEST(BadFile, TruncatedGzipGivesTheRowsBeforeTheCut) {
  std::string text = "user_id,item_id\n";
  for (int i = 0; i < 100'000; ++i) text += fmt::format("{},{}\n", i, i * 7919 % 100'003);
  const std::string packed = gzip(text);
  const FileRows rows = read_text(packed.substr(0, packed.size() / 2));
  EXPECT_TRUE(rows.opened.ok());
  EXPECT_EQ(rows.failed.code(), Code::data_loss);
  EXPECT_TRUE(says(rows.failed, "cut short"));
  EXPECT_TRUE(says(rows.failed, fmt::format("after line {}", rows.good.back().line)));
  EXPECT_GT(rows.good.size(), 30'000u);
  EXPECT_TRUE(rows.bad.empty()) << "the piece of a row at the cut is not a row";
}

TEST(BadFile, GarbageBehindGzip) {
  const FileRows rows = read_text(gzip("user_id,item_id\n1,2\n") + "3,4\n");
  EXPECT_EQ(rows.good.size(), 1u);
  EXPECT_EQ(rows.failed.code(), Code::data_loss);
  EXPECT_TRUE(says(rows.failed, "not gzip"));
}

TEST(BadFile, JsonBombs) {
  const std::string good = "{\"user_id\":1,\"item_id\":2}\n";
  const std::string deep = "{\"user_id\":1,\"item_id\":2,\"x\":" + std::string(400'000, '[') + "\n";
  std::string wide = "{\"user_id\":1,\"item_id\":2,\"x\":[0";
  for (int i = 0; i < 400'000; ++i) wide += ",0";
  wide += "]}\n";
  const FileRows rows = read_text(good + deep + wide + good);
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_TRUE(says(rows.bad[0].status, "nested deeper than 32"));
  EXPECT_EQ(rows.good.size(), 3u) << "wide is only wide: the line limit bounds it";
  const FileRows limited = read_text(good + wide + good, {.line_limit_bytes = 10'000});
  EXPECT_EQ(limited.good.size(), 2u);
  EXPECT_EQ(limited.bad.size(), 1u);
}

TEST(BadFile, BrokenJsonLines) {
  const std::string good = "{\"user_id\":1,\"item_id\":2}\n";
  const FileRows rows = read_text(good + "{\"user_id\":1,\n[1]\nnull\n{}\n{\"user_id\":{},\"item_id\":2}\n" + good);
  ASSERT_EQ(rows.bad.size(), 5u);
  EXPECT_TRUE(says(rows.bad[0].status, "not valid JSON"));
  EXPECT_TRUE(says(rows.bad[1].status, "expected a JSON object"));
  EXPECT_EQ(rows.bad[3].line, 5);
  EXPECT_TRUE(says(rows.bad[4].status, "'user_id' must not be an object"));
  EXPECT_EQ(rows.good.size(), 2u);
}

TEST(BadFile, JsonNumbersBeyondDoubles) {
  const std::string good = "{\"user_id\":1,\"item_id\":2}\n";
  const FileRows rows = read_text(good + "{\"user_id\":1,\"item_id\":2,\"x\":1e400}\n" + good);
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_TRUE(says(rows.bad[0].status, "beyond 1.8e308"));
  EXPECT_EQ(rows.good.size(), 2u);
}

TEST(BadFile, FirstJsonLineBrokenIsOneRejectedRow) {
  const FileRows rows = read_text("{\"user_id\" 1}\n{\"user_id\":1,\"item_id\":2}\n");
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_EQ(rows.bad[0].line, 1);
  EXPECT_EQ(rows.good.size(), 1u);
  const FileRows items = read_text("{\"item_id\" 1}\n{\"item_id\":\"i\",\"title\":\"Anvil\"}\n");
  EXPECT_EQ(items.bad.size(), 1u);
  ASSERT_EQ(items.good.size(), 1u) << "what the file holds is told by the first good line";
  EXPECT_EQ(kind_of(items.record(0).payload), RecordKind::item_upsert);
}

TEST(BadFile, JsonIdsThatLoseDigitsAreRejected) {
  const FileRows rows = read_text(
      "{\"user_id\":100000000000000000001,\"item_id\":1}\n{\"user_id\":1.5,\"item_id\":1}\n"
      "{\"user_id\":7.0,\"item_id\":1}\n");
  ASSERT_EQ(rows.bad.size(), 2u);
  EXPECT_TRUE(says(rows.bad[0].status, "at most 64 bits"));
  EXPECT_EQ(rows.record(0).user, "7");
}

TEST(BadFile, NulBytes) {
  const FileRows rows = read_text(std::string("user_id,item_id\n1,2\n3,\0\n5,6\n", 28));
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_TRUE(says(rows.bad[0].status, "NUL byte"));
  EXPECT_EQ(rows.good.size(), 2u);
}

TEST(BadFile, RowsOfAnotherWidth) {
  const FileRows rows = read_text(std::string(kHeader) + "1,2,,a,b\n1,2\n1,2,,a\n");
  ASSERT_EQ(rows.bad.size(), 2u);
  EXPECT_TRUE(says(rows.bad[0].status, "row has 5 columns, the header has 4"));
  EXPECT_TRUE(says(rows.bad[1].status, "row has 2 columns"));
  EXPECT_EQ(rows.good.size(), 1u);
  EXPECT_TRUE(says(read_text("1::2::3::4\n1::2::3::4::5\n").bad.at(0).status, "row has 5 columns"));
}

TEST(BadFile, UnclosedQuoteDoesNotEatTheFile) {
  std::string text = std::string(kHeader) + "1,2,,\"open\n";
  for (int i = 0; i < 5000; ++i) text += "3,4,,x\n";
  const FileRows rows = read_text(text, {.line_limit_bytes = 4096});
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_TRUE(says(rows.bad[0].status, "quote opened on line 2 is not closed"));
  EXPECT_EQ(rows.bad[0].text, "1,2,,\"open");
  EXPECT_EQ(rows.good.size(), 5000u);
  EXPECT_EQ(rows.good.back().line, 5002);
}

TEST(BadFile, RejectedTextIsCutBetweenCharacters) {
  std::string note;
  for (int i = 0; i < 400; ++i) note += "é";
  const FileRows rows = read_text("user_id,item_id,note\n,," + note + "\n");
  EXPECT_TRUE(says(rows.bad.at(0).status, "'user_id' is empty"));
  EXPECT_GE(rows.bad[0].text.size(), 496u);
  EXPECT_LE(rows.bad[0].text.size(), 500u);
  EXPECT_EQ((rows.bad[0].text.size() - 2) % 2, 0u);
}

}  // namespace
}  // namespace perennial
