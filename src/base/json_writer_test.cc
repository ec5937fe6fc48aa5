#include "base/json_writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace perennial {
namespace {

TEST(JsonWriter, WritesWhatBoostReads) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("empty");
  json.begin_array();
  json.end_array();
  json.key("list");
  json.begin_array();
  json.number(1.5F);
  json.number(int64_t{-3});
  json.begin_object();
  json.end_object();
  json.boolean(true);
  json.null();
  json.end_array();
  json.key("raw");
  json.raw(R"({"a":[1]})");
  json.key("value");
  json.value(json::array{1, "two", nullptr});
  json.end_object();
  EXPECT_EQ(out, R"({"empty":[],"list":[1.5,-3,{},true,null],"raw":{"a":[1]},"value":[1,"two",null]})");
}

TEST(JsonWriter, TextOfAllBytesComesBack) {
  std::string text = "grün \xF0\x9F\x98\x80";
  for (char letter = 0; letter < 127; ++letter) text += letter;
  for (const std::string& said : {text, std::string(), std::string("\""), std::string("plain")}) {
    std::string out;
    JsonWriter(out).text(said);
    const Result<json::value> back = parse_json(out);
    ASSERT_TRUE(back.ok()) << out;
    EXPECT_EQ(back->as_string(), said);
  }
}

TEST(JsonWriter, NumbersAreTheShortestThatReadBackAndNothingElseIsOne) {
  const auto written = [](auto number) {
    std::string out;
    JsonWriter(out).number(number);
    return out;
  };
  EXPECT_EQ(written(0.1F), "0.1");
  EXPECT_EQ(written(-0.0), "-0");
  EXPECT_EQ(written(1e-30), "1e-30");
  EXPECT_EQ(written(std::numeric_limits<float>::max()), "3.4028235e+38");
  EXPECT_EQ(written(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(std::nan("")), "null");
  EXPECT_EQ(written(std::numeric_limits<float>::infinity()), "null");
}

TEST(JsonWriter, ValuesOfEveryKindComeBack) {
  const json::value value = parse_json(R"([1,-2,18446744073709551615,0.25,"x\n",true,null,{"a":[{}]}])").value();
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const json::value& element : value.as_array()) json.value(element);
  json.end_array();
  EXPECT_EQ(parse_json(out).value(), value);
}

}  // namespace
}  // namespace perennial
