// Every layout by whole files. Bad files: bad_files_test.cc.
#include "events/file_reader.h"

#include <gtest/gtest.h>

#include <cmath>

#include "events/test_files.h"

namespace perennial {
namespace {

TEST(FileReader, CsvOfEvents) {
  const FileRows rows = read_text(
      "user_id,item_id,event,timestamp,value,page,zip\n"
      "u1,i1,view,2026-01-02T00:00:00Z,,\"home, \"\"top\"\"\",02460\n"
      "u2,i2,rating,1767312000,4.5,,\n");
  ASSERT_TRUE(rows.opened.ok()) << rows.opened.message();
  EXPECT_EQ(rows.layout, Layout::csv);
  EXPECT_EQ(rows.content, FileContent::events);
  ASSERT_EQ(rows.good.size(), 2u);
  EXPECT_EQ(rows.record(0).user, "u1");
  EXPECT_EQ(rows.record(0).item, "i1");
  EXPECT_EQ(rows.record(0).type, "view");
  EXPECT_EQ(rows.record(0).time, 1'767'312'000'000);
  EXPECT_EQ(rows.event(0).properties, R"({"page":"home, \"top\"","zip":"02460"})");
  EXPECT_EQ(rows.good[1].line, 3);
  EXPECT_EQ(rows.record(1).time, 1'767'312'000'000);
  EXPECT_EQ(rows.event(1).value, 4.5f);
  EXPECT_TRUE(rows.record(0).message_id.is_zero()) << "the importer derives it";
}

TEST(FileReader, CsvOfItemsKeepsVectorsAndOtherColumns) {
  const FileRows rows = read_text("item_id,title,categories,vector,stock\ni1,Tea,Food|Drinks,\"[0.5,-1]\",7\n");
  EXPECT_EQ(rows.content, FileContent::items);
  ASSERT_EQ(rows.good.size(), 1u);
  EXPECT_EQ(rows.fields(0), R"({"vector":[0.5,-1],"stock":7,"title":"Tea","category":["Food","Drinks"]})");
  EXPECT_EQ(rows.record(0).time, kNoTime);
}

TEST(FileReader, CsvOfUsers) {
  const FileRows rows = read_text("user_id,age,plan\nu1,30,pro\n");
  EXPECT_EQ(rows.content, FileContent::users);
  EXPECT_EQ(rows.traits(0), R"({"age":30,"plan":"pro"})");
}

TEST(FileReader, CsvWithMappedColumns) {
  ReaderOptions options;
  options.columns = {{"user_id", "Who"}, {"item_id", "What"}};
  options.event_type = "purchase";
  const FileRows rows = read_text("Who,What\na,b\n", options);
  ASSERT_EQ(rows.good.size(), 1u) << rows.opened.message();
  EXPECT_EQ(rows.record(0).user, "a");
  EXPECT_EQ(rows.record(0).item, "b");
  EXPECT_EQ(rows.record(0).type, "purchase");
}

TEST(FileReader, CsvWithByteOrderMarkCarriageReturnsAndTrailingDelimiters) {
  const FileRows rows = read_text(
      "\xEF\xBB\xBF"
      "user_id;item_id;page\r\n1;2;x\r\n3;4;y;\r\n\r\n");
  EXPECT_TRUE(rows.bad.empty()) << rows.bad[0].status.message();
  ASSERT_EQ(rows.good.size(), 2u);
  EXPECT_EQ(rows.record(0).user, "1");
  EXPECT_EQ(rows.event(1).properties, R"({"page":"y"})");
}

TEST(FileReader, LinesAreCountedThroughQuotedNewlines) {
  const FileRows rows = read_text("user_id,item_id,note\n1,2,\"a\nb\nc\"\n3,4,d\n\n5,,e\n");
  ASSERT_EQ(rows.good.size(), 2u);
  EXPECT_EQ(rows.good[0].line, 2);
  EXPECT_EQ(rows.event(0).properties, R"({"note":"a\nb\nc"})");
  EXPECT_EQ(rows.good[1].line, 5);
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_EQ(rows.bad[0].line, 7);
  EXPECT_EQ(rows.bad[0].text, "5,,e");
}

TEST(FileReader, NamelessColumnsAreNumbered) {
  EXPECT_EQ(read_text(",user_id,item_id\n0,1,2\n").event(0).properties, R"({"column_1":0})");
}

TEST(FileReader, FlatJsonLines) {
  const FileRows rows =
      read_text(R"({"user_id":1,"item_id":"i1","event":"view","timestamp":1767312000.5,"page":{"a":[1]},"gone":null})"
                "\r\n\n"
                R"({"userId":"u2","itemId":"i2","rating":4,"properties":{"x":true}})"
                "\n");
  EXPECT_EQ(rows.layout, Layout::jsonl);
  ASSERT_EQ(rows.good.size(), 2u) << (rows.bad.empty() ? rows.opened.message() : rows.bad[0].status.message());
  EXPECT_EQ(rows.record(0).user, "1");
  EXPECT_EQ(rows.record(0).time, 1'767'312'000'500);
  EXPECT_EQ(rows.event(0).properties, R"({"page":{"a":[1]}})");
  EXPECT_EQ(rows.good[1].line, 3);
  EXPECT_EQ(rows.record(1).type, "rating");
  EXPECT_EQ(rows.event(1).properties, R"({"x":true})");
}

TEST(FileReader, FlatJsonLinesOfItemsAndUsers) {
  const FileRows items =
      read_text(R"({"item_id":"i","title":"T","category":["a","b|c"],"available":false,"price":2.5,"vector":[1,2]})"
                "\n");
  EXPECT_EQ(items.content, FileContent::items);
  ASSERT_EQ(items.good.size(), 1u) << items.bad.at(0).status.message();
  EXPECT_EQ(items.fields(0), R"({"vector":[1,2],"title":"T","category":["a","b|c"],"price":2.5,"available":false})");
  const FileRows users = read_text(R"({"user_id":"u","traits":{"age":3}})"
                                   "\n");
  EXPECT_EQ(users.content, FileContent::users);
  EXPECT_EQ(users.traits(0), R"({"age":3})");
}

TEST(FileReader, SegmentJsonLines) {
  const FileRows rows = read_text(
      R"({"type":"identify","userId":"u","anonymousId":"a","traits":{"age":3},"timestamp":"2026-01-02"})"
      "\n"
      R"({"type":"track","userId":"u","event":"Order Completed","messageId":"m","properties":{"products":["p","q"]},)"
      R"("timestamp":"2026-01-02T00:00:00Z","sentAt":"2026-01-02T00:00:01Z"})"
      "\n"
      R"({"type":"track","userId":"u"})"
      "\n");
  EXPECT_EQ(rows.layout, Layout::jsonl);
  EXPECT_EQ(rows.content, FileContent::events);
  ASSERT_EQ(rows.good.size(), 2u);
  ASSERT_EQ(rows.good[0].records.size(), 2u);
  EXPECT_TRUE(rows.good[0].records[0].message_id.is_zero());
  EXPECT_EQ(kind_of(rows.good[0].records[1].payload), RecordKind::identity_merge);
  EXPECT_FALSE(rows.good[0].records[1].message_id.is_zero()) << "a merge's id is that of its pair and day";
  ASSERT_EQ(rows.good[1].records.size(), 2u);
  EXPECT_EQ(rows.good[1].records[0].message_id, derive_message_id(message_id_of("m"), 0));
  EXPECT_EQ(rows.record(1).time, 1'767'312'000'000) << "sentAt must not move what happened long before the import";
  ASSERT_EQ(rows.bad.size(), 1u);
  EXPECT_TRUE(says(rows.bad[0].status, "'event' is missing"));
}

TEST(FileReader, MovieLensDoubleColonFiles) {
  const FileRows ratings = read_text("1::1193::5::978300760\n1::661::3.5::978302109\n");
  EXPECT_EQ(ratings.layout, Layout::double_colon);
  ASSERT_EQ(ratings.good.size(), 2u);
  EXPECT_EQ(ratings.record(0).type, "rating");
  EXPECT_EQ(ratings.record(0).time, 978'300'760'000);
  EXPECT_EQ(ratings.event(1).value, 3.5f);
  const FileRows movies = read_text("1::Toy Story (1995)::Animation|Comedy\n2::A::B (1999)::Drama\n");
  EXPECT_EQ(movies.fields(0), R"x({"title":"Toy Story (1995)","category":["Animation","Comedy"]})x");
  EXPECT_EQ(movies.fields(1), R"x({"title":"A::B (1999)","category":["Drama"]})x");
  const FileRows users = read_text("1::F::1::10::02460\n");
  EXPECT_EQ(users.traits(0), R"({"gender":"F","age":1,"occupation":10,"zip_code":"02460"})");
}

TEST(FileReader, MovieLensTabAndPipeFiles) {
  const FileRows ratings = read_text("196\t242\t3\t881250949\n");
  EXPECT_EQ(ratings.layout, Layout::tab);
  EXPECT_EQ(ratings.record(0).time, 881'250'949'000);
  const FileRows users = read_text("1|24|M|technician|85711\n");
  EXPECT_EQ(users.traits(0), R"({"gender":"M","age":24,"occupation":"technician","zip_code":"85711"})");
  const FileRows movies = read_text("1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n");
  EXPECT_EQ(
      movies.fields(0),
      R"x({"released":"01-Jan-1995","url":"http://x","title":"Toy Story (1995)","category":["Animation","Children's","Comedy"]})x");
}

TEST(FileReader, TablesOfTwoAndThreeColumns) {
  EXPECT_EQ(read_text("1\t2\n3\t4\n").record(1).type, "interaction");
  const FileRows timed = read_text("1\t2\t881250949\n");
  EXPECT_EQ(timed.record(0).time, 881'250'949'000);
  EXPECT_TRUE(std::isnan(timed.event(0).value));
  EXPECT_EQ(read_text("1\t2\t5\n").event(0).value, 5);
}

TEST(FileReader, SequencesAreARowAnItem) {
  const FileRows rows = read_text("u1 i1 i2  i3\r\n\nu2\ti4\n");
  EXPECT_EQ(rows.layout, Layout::sequence);
  ASSERT_EQ(rows.good.size(), 4u);
  EXPECT_EQ(rows.record(2).user, "u1");
  EXPECT_EQ(rows.record(2).item, "i3");
  EXPECT_EQ(rows.good[2].line, 1);
  EXPECT_EQ(rows.record(3).item, "i4");
  EXPECT_EQ(rows.good[3].line, 3);
  EXPECT_EQ(rows.record(0).type, "interaction");
  EXPECT_EQ(rows.record(0).time, kNoTime);
}

TEST(FileReader, SequenceLinesMayBeLong) {
  std::string line = "1";
  for (int i = 0; i < 300'000; ++i) line += " " + std::to_string(100'000 + i);
  const FileRows rows = read_text(line + "\n2 3\n");
  EXPECT_EQ(rows.good.size(), 300'001u);
  EXPECT_TRUE(rows.bad.empty());
}

TEST(FileReader, GzipReadsLikePlain) {
  std::string text = "user_id,item_id\n";
  for (int i = 0; i < 20'000; ++i) text += fmt::format("user{},item{}\n", i, i * 7);
  const TestFolder folder;
  const fs::path path = folder.write("events.csv.gz", gzip(text));
  const FileRows rows = read_path(path);
  ASSERT_EQ(rows.good.size(), 20'000u);
  EXPECT_EQ(rows.record(19'999).item, "item139993");
  const FakeClock clock(kTestNow);
  auto reader = open_file(path, {}, clock);
  while ((*reader)->next()->has_value()) continue;
  EXPECT_EQ((*reader)->bytes_read(), static_cast<int64_t>(fs::file_size(path)));
}

TEST(FileReader, LayoutsHaveNames) {
  EXPECT_STREQ(layout_name(Layout::csv), "csv");
  EXPECT_STREQ(layout_name(Layout::double_colon), "double-colon");
  EXPECT_STREQ(layout_name(Layout::sequence), "sequence");
}

}  // namespace
}  // namespace perennial
