#include "events/file_shape.h"

#include <gtest/gtest.h>

#include "events/line_source.h"
#include "events/test_files.h"

namespace perennial {
namespace {

struct Expected {
  const char* start;
  Layout layout;
  FileContent content;
  const char* delimiter;
};

TEST(FileShape, IsSeenInTheFirstLines) {
  const Expected all[] = {
      {"user_id,item_id\n1,2\n", Layout::csv, FileContent::detect, ","},
      {"userId;movieId;note\n1;2;a,b,c\n", Layout::csv, FileContent::detect, ";"},
      {"user\titem\tvalue\n1\t2\t3\n", Layout::csv, FileContent::detect, "\t"},
      {"\"user_id\",\"item_id\"\n1,2\n", Layout::csv, FileContent::detect, ","},
      {"item_id|title\n1|x\n", Layout::csv, FileContent::detect, "|"},
      {"{\"user_id\":1}\n", Layout::jsonl, FileContent::detect, ""},
      {"\n\n{\"type\":\"track\"}", Layout::jsonl, FileContent::detect, ""},
      {"1::1193::5::978300760\n", Layout::double_colon, FileContent::events, "::"},
      {"1::1193::5\n", Layout::double_colon, FileContent::events, "::"},
      {"1::Toy Story (1995)::Animation|Comedy\n", Layout::double_colon, FileContent::items, "::"},
      {"1::F::1::10::48067\n", Layout::double_colon, FileContent::users, "::"},
      {"196\t242\t3\t881250949\n186\t302\t3\t891717742\n", Layout::tab, FileContent::events, "\t"},
      {"196 242 3 881250949\n186 302 3 891717742\n", Layout::tab, FileContent::events, " "},
      {"1|24|M|technician|85711\n2|53|F|other|94043\n", Layout::tab, FileContent::users, "|"},
      {"1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n", Layout::tab,
       FileContent::items, "|"},
      {"1 2 3 4\n2 5 6\n", Layout::sequence, FileContent::events, ""},
      {"u1 i2 i3\n", Layout::sequence, FileContent::events, ""},
      {"1\t5\t6\t7\t8\t9\n2\t3\n", Layout::sequence, FileContent::events, ""},
  };
  for (const Expected& expected : all) {
    SCOPED_TRACE(expected.start);
    const auto shape = shape_of(expected.start, true, {});
    ASSERT_TRUE(shape.ok()) << shape.status().message();
    EXPECT_STREQ(layout_name(shape->layout), layout_name(expected.layout));
    EXPECT_EQ(shape->content, expected.content);
    EXPECT_EQ(shape->delimiter, expected.delimiter);
  }
}

TEST(FileShape, FailuresSayWhatToDo) {
  const std::pair<std::string, const char*> all[] = {
      {"", "file is empty"},
      {" \n\r\n\t\n", "file is empty"},
      {std::string("\xFD"
                   "7zXZ\0rest",
                   10),
       "xz -dk"},
      {std::string("PK\x03\x04rest"), "zip archive or a spreadsheet"},
      {"PAR1rest", "Parquet"},
      {std::string("\xFF\xFEu\0s\0", 6), "iconv -f utf-16"},
      {"user_id,titl\xE9\n1,2\n", "not UTF-8"},
      {std::string("a\0b,c\n", 6), "NUL byte"},
      {"user_id,item_id\r1,2\r", "carriage returns only"},
      {"[{\"user_id\":1}]\n", "jq -c '.[]'"},
      {"{\n  \"user_id\": 1\n}\n", "jq -c ."},
      {"user_id item_id\n1 2\n", "is split by blanks"},
      {"Once upon a time\n", "cannot tell the layout"},
      {"1::a::b::c::d::e\n", "--content"},
  };
  for (const auto& [start, words] : all) EXPECT_TRUE(says(shape_of(start, true, {}).status(), words)) << start;
}

TEST(FileShape, OptionsAreNotQuestioned) {
  EXPECT_EQ(shape_of("1 2 3\n", true, {.layout = Layout::csv})->layout, Layout::csv);
  EXPECT_EQ(shape_of("1::x::y\n", true, {.content = FileContent::users})->content, FileContent::users);
  EXPECT_EQ(shape_of("who,what\na,b\n", true, {.columns = {{"user_id", "who"}}})->layout, Layout::csv);
  EXPECT_EQ(shape_of("\xE9::x::y\n", true, {.layout = Layout::double_colon})->layout, Layout::double_colon);
}

TEST(FileShape, ACutLineIsEnough) {
  std::string line = "7";
  while (line.size() < kPeekBytes) line += " 12345";
  EXPECT_EQ(shape_of(line, false, {})->layout, Layout::sequence);
  EXPECT_EQ(shape_of("{\"user_id\":1,\"note\":\"caf\xC3", false, {})->layout, Layout::jsonl)
      << "cut within a character";
}

}  // namespace
}  // namespace perennial
