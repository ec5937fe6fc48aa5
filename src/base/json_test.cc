#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace perennial {
namespace {

json::object object_of(std::string_view text) { return parse_json_object(text).value(); }

TEST(Json, ReadsValuesWithBlanksAround) {
  EXPECT_EQ(parse_json(" {\"a\": [1, 2.5, \"x\", null, true]} \n").value(),
            json::parse("{\"a\":[1,2.5,\"x\",null,true]}"));
  EXPECT_EQ(parse_json("12").value(), 12);
  EXPECT_EQ(parse_json(" \"\\u00e9\" ").value(), "é");
}

TEST(Json, RefusesWhatIsMalformed) {
  for (const char* text : {"", " ", "{", "{\"a\"}", "{\"a\":1,}", "[1,]", "nul", "NaN", "'a'", "{a:1}", "\"\x01\"",
                           "\"\xff\"", "01", "1.", "\"open", "// note\n1"}) {
    const Result<json::value> got = parse_json(text);
    ASSERT_FALSE(got.ok()) << text;
    EXPECT_EQ(got.status().code(), Code::invalid_argument) << text;
  }
}

TEST(Json, SaysWhereItIsWrong) {
  EXPECT_NE(parse_json("{\"a\": x}").status().message().find("at byte 6"), std::string::npos)
      << parse_json("{\"a\": x}").status().message();
}

TEST(Json, RefusesTextAfterTheValue) {
  for (const char* text : {"{} {}", "1 2", "{}x", "[] ,"})
    EXPECT_EQ(parse_json(text).status().code(), Code::invalid_argument) << text;
}

TEST(Json, RefusesDeepNesting) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(32)).ok());
  const Result<json::value> deep = parse_json(nested(33));
  ASSERT_FALSE(deep.ok());
  EXPECT_NE(deep.status().message().find("deeper than 32"), std::string::npos) << deep.status().message();
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')).ok());
}

TEST(Json, ObjectMustBeAnObject) {
  EXPECT_TRUE(parse_json_object("{}").ok());
  for (const char* text : {"[]", "1", "\"{}\"", "null"})
    EXPECT_EQ(parse_json_object(text).status().code(), Code::invalid_argument) << text;
}

TEST(JsonField, NullIsAbsent) {
  const json::object object = object_of("{\"a\": null, \"b\": false}");
  EXPECT_EQ(find_field(object, "a"), nullptr);
  EXPECT_EQ(find_field(object, "c"), nullptr);
  EXPECT_NE(find_field(object, "b"), nullptr);
}

TEST(JsonField, StringsAndIdsSentAsNumbers) {
  const json::object object =
      object_of(R"({"s": "x", "n": 42, "m": -7, "u": 18446744073709551615, "d": 1.5, "b": true, "o": {}})");
  EXPECT_EQ(string_field(object, "s").value(), "x");
  EXPECT_EQ(string_field(object, "n").value(), "42");
  EXPECT_EQ(string_field(object, "m").value(), "-7");
  EXPECT_EQ(string_field(object, "u").value(), "18446744073709551615");
  EXPECT_EQ(string_field(object, "absent").value(), "");
  for (const char* name : {"d", "b", "o"}) {
    const Result<std::string> got = string_field(object, name);
    ASSERT_FALSE(got.ok()) << name;
    EXPECT_EQ(got.status().message(), fmt::format("'{}' must be a string", name));
  }
}

TEST(JsonField, NumbersAndStringsThatHoldThem) {
  const json::object object = object_of(
      R"({"i": 3, "d": -2.5, "s": "1e3", "w": "12 apples", "e": "", "inf": "inf", "b": true, "big": 1e308, "u": 18446744073709551615})");
  EXPECT_EQ(number_field(object, "i", 0).value(), 3);
  EXPECT_EQ(number_field(object, "d", 0).value(), -2.5);
  EXPECT_EQ(number_field(object, "s", 0).value(), 1000);
  EXPECT_EQ(number_field(object, "u", 0).value(), 0x1p64);
  EXPECT_EQ(number_field(object, "absent", 7.5).value(), 7.5);
  for (const char* name : {"w", "e", "inf", "b"})
    EXPECT_EQ(number_field(object, name, 0).status().code(), Code::invalid_argument) << name;
}

TEST(JsonField, NumbersBeyondADoubleAreRefusedSomewhere) {
  const Result<json::object> object = parse_json_object(R"({"n": 1e999})");
  EXPECT_FALSE(object.ok() && number_field(*object, "n", 0).ok());
}

TEST(JsonField, IntegersAreExactAtBothEnds) {
  constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
  const json::object object =
      object_of(R"({"high": 9223372036854775807, "low": -9223372036854775808, "over": 9223372036854775808,
                                            "odd": 9007199254740993, "odd_text": "9007199254740993", "double_over": 9.3e18})");
  EXPECT_EQ(integer_field(object, "high", 0, kLowest, kHighest).value(), kHighest);
  EXPECT_EQ(integer_field(object, "low", 0, kLowest, kHighest).value(), kLowest);
  EXPECT_EQ(integer_field(object, "odd", 0, kLowest, kHighest).value(), 9'007'199'254'740'993);
  EXPECT_EQ(integer_field(object, "odd_text", 0, kLowest, kHighest).value(), 9'007'199'254'740'993);
  EXPECT_FALSE(integer_field(object, "over", 0, kLowest, kHighest).ok());
  EXPECT_FALSE(integer_field(object, "double_over", 0, kLowest, kHighest).ok());
}

TEST(JsonField, IntegersKeepTheirRange) {
  const json::object object =
      object_of(R"({"n": 5, "whole": 5.0, "text": "5", "part": 5.5, "word": "five", "b": false})");
  for (const char* name : {"n", "whole", "text"}) EXPECT_EQ(integer_field(object, name, 0, 5, 5).value(), 5) << name;
  EXPECT_EQ(integer_field(object, "n", 0, 6, 9).status().message(), "'n' must be a whole number from 6 to 9");
  EXPECT_FALSE(integer_field(object, "n", 0, 1, 4).ok());
  for (const char* name : {"part", "word", "b"}) EXPECT_FALSE(integer_field(object, name, 0, 0, 10).ok()) << name;
  EXPECT_EQ(integer_field(object, "absent", -1, 0, 10).value(), -1);
}

TEST(JsonField, BooleansAreNotGuessed) {
  const json::object object = object_of(R"({"t": true, "s": "true", "one": 1})");
  EXPECT_TRUE(bool_field(object, "t", false).value());
  EXPECT_TRUE(bool_field(object, "absent", true).value());
  EXPECT_FALSE(bool_field(object, "s", false).ok());
  EXPECT_FALSE(bool_field(object, "one", false).ok());
}

}  // namespace
}  // namespace perennial
