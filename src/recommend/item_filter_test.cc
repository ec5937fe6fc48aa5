#include "recommend/item_filter.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace perennial {
namespace {

ItemFilter filter(std::string_view text) {
  const Result<ItemFilter> parsed = parse_item_filter(parse_json_object(text).value());
  EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.status().message();
  return parsed.ok() ? *parsed : ItemFilter();
}

std::string failure(std::string_view text) {
  return std::string(parse_item_filter(parse_json_object(text).value()).status().message());
}

bool allows(std::string_view text, std::string_view fields) {
  return filter(text).allows(parse_json_object(fields).value());
}

TEST(ItemFilter, ValuesAreComparedAsText) {
  EXPECT_TRUE(allows(R"({"brand":"acme"})", R"({"brand":"acme"})"));
  EXPECT_FALSE(allows(R"({"brand":"acme"})", R"({"brand":"Acme"})"));
  EXPECT_FALSE(allows(R"({"brand":"acme"})", R"({})"));
  EXPECT_TRUE(allows(R"({"category":["b","c"]})", R"({"category":["a","b"]})")) << "one of a list is enough";
  EXPECT_TRUE(allows(R"({"size":5})", R"({"size":5.0})"));
  EXPECT_TRUE(allows(R"({"size":"5"})", R"({"size":[4,5]})"));
  EXPECT_TRUE(allows(R"({"new":true})", R"({"new":true})"));
  EXPECT_FALSE(allows(R"({"new":true})", R"({"new":{"a":1}})"));
  EXPECT_TRUE(allows("{}", "{}"));
}

TEST(ItemFilter, RangesHoldTheirEndsAndNumbersInText) {
  EXPECT_TRUE(allows(R"({"price":{"min":2,"max":3}})", R"({"price":3})"));
  EXPECT_TRUE(allows(R"({"price":{"min":2,"max":3}})", R"({"price":"2.5"})"));
  EXPECT_FALSE(allows(R"({"price":{"min":2,"max":3}})", R"({"price":3.01})"));
  EXPECT_FALSE(allows(R"({"price":{"max":3}})", R"({"title":"no price"})"));
  EXPECT_TRUE(allows(R"({"price":{}})", R"({"price":-1})")) << "any number";
}

TEST(ItemFilter, NearGoesAlongTheSphere) {
  const char* berlin = R"({"lat":52.52,"lon":13.405})";
  EXPECT_TRUE(allows(R"({"near":{"lat":48.1372,"lon":11.5755,"km":505}})", berlin)) << "from Munich 504 km";
  EXPECT_FALSE(allows(R"({"near":{"lat":48.1372,"lon":11.5755,"km":503}})", berlin));
  EXPECT_TRUE(allows(R"({"near":{"lat":0,"lon":179.9,"km":25}})", R"({"lat":0,"lon":-179.9})")) << "over the date line";
  EXPECT_FALSE(allows(R"({"near":{"lat":0,"lon":0,"km":20000}})", R"({"lat":0})"));
}

TEST(ItemFilter, NotIsAFilterOrSeveralOfWhichNoneHolds) {
  EXPECT_FALSE(allows(R"({"not":{"brand":"acme","new":true}})", R"({"brand":"acme","new":true})"));
  EXPECT_TRUE(allows(R"({"not":{"brand":"acme","new":true}})", R"({"brand":"acme"})")) << "not both";
  EXPECT_FALSE(allows(R"({"not":[{"brand":"acme"},{"new":true}]})", R"({"brand":"acme"})"));
  EXPECT_FALSE(allows(R"({"not":{}})", "{}")) << "everything passes an empty filter";
}

TEST(ItemFilter, MistakesNameTheMember) {
  EXPECT_NE(failure(R"({"brand":[]})").find("'brand'"), std::string::npos);
  EXPECT_NE(failure(R"({"brand":null})").find("'brand'"), std::string::npos);
  EXPECT_NE(failure(R"({"brand":["a",["b"]]})").find("must be a text"), std::string::npos);
  EXPECT_NE(failure(R"({"price":{"minimum":1}})").find("'min' and 'max' only"), std::string::npos);
  EXPECT_NE(failure(R"({"price":{"min":3,"max":2}})").find("above"), std::string::npos);
  EXPECT_NE(failure(R"({"price":{"min":"cheap"}})").find("'min' must be a number"), std::string::npos);
  EXPECT_NE(failure(R"({"near":{"lat":1,"lon":2}})").find("'km' is missing"), std::string::npos);
  EXPECT_NE(failure(R"({"near":{"lat":91,"lon":2,"km":1}})").find("-90 to 90"), std::string::npos);
  EXPECT_NE(failure(R"({"not":"brand"})").find("'not'"), std::string::npos);
  std::string many = "{";
  for (int i = 0; i < 33; ++i) many += fmt::format("{}\"f{}\":1", i == 0 ? "" : ",", i);
  EXPECT_NE(failure(R"({"brand":")" + std::string(257, 'x') + "\"}").find("256 bytes"), std::string::npos);
  std::string empty = "{}";
  for (int i = 0; i < 40; ++i) empty += ",{}";
  EXPECT_NE(failure(R"({"not":[)" + empty + "]}").find("over 32 conditions"), std::string::npos);
  EXPECT_NE(failure(many + "}").find("over 32 conditions"), std::string::npos);
}

class ItemFieldsTest : public ::testing::Test {
 protected:
  void describe(ItemId item, Payload payload) {
    StoredRecord record;
    record.offset = ++offset_;
    record.item = item;
    record.payload = std::move(payload);
    catalogue_.apply(record);
    fields_.changed(item);
  }

  std::string random_fields() {
    const auto letter = [&] { return static_cast<char>('a' + random_.below(4)); };
    return fmt::format(R"({{"category":["{}","{}"],"price":{},"size":{},"lat":{},"lon":{}}})", letter(), letter(),
                       random_.below(10), random_.below(3), random_.below(40), random_.below(40));
  }

  void expect_equals_a_look_at_every_item(size_t count) {
    for (const char* text : {"{}", R"({"category":"a"})", R"({"category":["a","d"],"price":{"min":3}})",
                             R"({"size":[0,2],"not":{"category":"b"}})", R"({"near":{"lat":20,"lon":20,"km":1000}})",
                             R"({"not":[{"price":{"max":5}},{"category":"c"}]})", R"({"unheard":1})"}) {
      const ItemFilter wanted = filter(text);
      const Bitmap selected = fields_.select(wanted, catalogue_, count);
      for (ItemId item = 0; item < count; ++item) {
        const Item* known = catalogue_.find(item);
        ASSERT_EQ(selected[item], wanted.allows(known == nullptr ? json::object() : known->fields))
            << text << " " << item;
      }
    }
  }

  Random random_{3};
  Offset offset_ = 0;
  Catalogue catalogue_;
  ItemFields fields_;
};

TEST_F(ItemFieldsTest, SelectsWhatALookAtEveryItemDoesAlsoAfterChanges) {
  for (int round = 0; round < 12; ++round) {
    for (uint64_t i = random_.below(300); i > 0; --i) {
      const auto item = static_cast<ItemId>(random_.below(200));
      if (random_.chance(0.1))
        describe(item, ItemDelete{});
      else
        describe(item, ItemUpsert{random_fields()});
    }
    expect_equals_a_look_at_every_item(round % 2 == 0 ? 210 : 100);
  }
}

TEST_F(ItemFieldsTest, FieldsThatComeAndGoAreSelectedRightlyHoweverMany) {
  for (ItemId item = 0; item < 50; ++item) describe(item, ItemUpsert{fmt::format(R"({{"f{0}":1,"n{0}":{0}}})", item)});
  for (int round = 0; round < 2; ++round)
    for (int field = 0; field < 52; ++field) {
      const ItemFilter wanted = filter(fmt::format(R"({{"f{0}":1,"n{0}":{{"min":1}}}})", field));
      const Bitmap selected = fields_.select(wanted, catalogue_, 50);
      const bool known = field >= 1 && field < 50;
      ASSERT_EQ(selected.count(), known ? 1U : 0U) << field;
      EXPECT_TRUE(!known || selected[static_cast<size_t>(field)]);
    }
  describe(7, ItemUpsert{R"({"f60":1})"});
  EXPECT_TRUE(fields_.select(filter(R"({"f60":1})"), catalogue_, 50)[7]) << "a field that no item had";
}

TEST_F(ItemFieldsTest, OftenChangedItemIsSelectedByItsNewestFields) {
  describe(0, ItemUpsert{R"({"price":0})"});
  for (int price = 1; price < 3000; ++price) {
    ASSERT_EQ(fields_.select(filter(R"({"price":{"min":1000}})"), catalogue_, 1)[0], price > 1000);
    describe(0, ItemUpsert{fmt::format(R"({{"price":{}}})", price)});
  }
}

}  // namespace
}  // namespace perennial
