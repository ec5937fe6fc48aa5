#include "events/json_text.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace perennial {
namespace {

std::string cell(std::string_view text) {
  std::string out;
  append_json_cell(out, text);
  return out;
}

TEST(JsonText, StringsComeBackThroughAParser) {
  std::string every;
  for (int c = 0; c < 128; ++c) every += static_cast<char>(c);
  every += "é日";
  std::string out;
  append_json_string(out, every);
  const auto value = parse_json(out);
  ASSERT_TRUE(value.ok()) << value.status().message();
  EXPECT_EQ(std::string_view(value->get_string()), every);
}

TEST(JsonText, CellsOfNumbersAreNumbers) {
  for (const char* text : {"0", "-1", "12", "3.25", "-0.6771831139635117", "1e-05", "2.5E+10", "123456789012345"})
    EXPECT_EQ(cell(text), text);
}

TEST(JsonText, CellsThatOnlyLookLikeNumbersAreText) {
  for (const char* text : {"007", "02460", "1234567890123456", "12E4", "1.", ".5", "+1", "1e-", "-", "NaN", "1,5",
                           "0x10", "1 2", "1e+400"})
    EXPECT_EQ(cell(text), "\"" + std::string(text) + "\"");
}

TEST(JsonText, CellsOfBooleansListsAndObjects) {
  EXPECT_EQ(cell("True"), "true");
  EXPECT_EQ(cell("false"), "false");
  EXPECT_EQ(cell("[0.1, 0.2]"), "[0.1, 0.2]");
  EXPECT_EQ(cell("{\"a\":1}"), "{\"a\":1}");
  EXPECT_EQ(cell("[x"), "\"[x\"");
  EXPECT_EQ(cell("[1e400]"), "\"[1e400]\"") << "could not be written as JSON again";
  EXPECT_EQ(cell(std::string(100, '[') + std::string(100, ']')).front(), '"') << "too deep to be kept as JSON";
}

TEST(JsonText, ObjectsAreWrittenFieldByField) {
  JsonObjectText object;
  EXPECT_EQ(object.finish(), "");
  EXPECT_EQ(object.finish_object(), "{}");
  object.field("a\"b") += "1";
  object.field_by_key(JsonObjectText::quoted_key("c")) += "[]";
  EXPECT_EQ(object.finish(), R"({"a\"b":1,"c":[]})");
  object.clear();
  EXPECT_EQ(object.finish(), "");
}

}  // namespace
}  // namespace perennial
