#include "events/flat_row.h"

#include <gtest/gtest.h>

#include <cmath>

#include "events/test_files.h"

namespace perennial {
namespace {

struct Built {
  Status status;
  Record record;

  [[nodiscard]] const Event& event() const { return std::get<Event>(record.payload); }
  [[nodiscard]] const std::string& fields() const { return std::get<ItemUpsert>(record.payload).fields; }
};

Built build(std::map<Column, std::string> texts, FileContent content = FileContent::events,
            const ReaderOptions& options = {}) {
  Cells cells;
  for (const auto& [column, text] : texts) cells[column] = text;
  JsonObjectText others;
  Built built;
  built.status = RowBuilder(content, options, kTestNow).build(cells, others, built.record);
  return built;
}

Built event(std::map<Column, std::string> texts, const ReaderOptions& options = {}) {
  texts.emplace(Column::user_id, "u1");
  texts.emplace(Column::item_id, "i1");
  return build(std::move(texts), FileContent::events, options);
}

Built item(std::map<Column, std::string> texts) {
  texts.emplace(Column::item_id, "i1");
  return build(std::move(texts), FileContent::items);
}

TEST(FlatRow, TypeComesFromTheRowTheOptionOrTheValue) {
  EXPECT_EQ(event({}).record.type, "interaction");
  EXPECT_TRUE(std::isnan(event({}).event().value));
  EXPECT_EQ(event({{Column::value, "4.5"}}).record.type, "rating");
  EXPECT_EQ(event({{Column::value, "4.5"}}).event().value, 4.5f);
  EXPECT_EQ(event({{Column::value, "4.5"}}, {.event_type = "purchase"}).record.type, "purchase");
  EXPECT_EQ(event({{Column::event, "view"}}, {.event_type = "purchase"}).record.type, "view");
}

TEST(FlatRow, AmountIsPriceTimesQuantityAndPriceStays) {
  const Built built = event({{Column::price, "2.50"}, {Column::quantity, "3"}});
  EXPECT_EQ(built.event().amount, (Money{750, "USD"}));
  EXPECT_EQ(built.event().quantity, 3);
  EXPECT_EQ(built.event().properties, R"({"price":2.50})");
}

TEST(FlatRow, AmountOfTheLineGoesBeforePrice) {
  EXPECT_EQ(event({{Column::price, "2.50"}, {Column::quantity, "3"}, {Column::amount, "7"}}).event().amount,
            (Money{700, "USD"}));
  EXPECT_EQ(event({{Column::amount, "7"}, {Column::currency, "jpy"}}).event().amount, (Money{7, "JPY"}));
  EXPECT_EQ(event({{Column::amount, "7"}}, {.currency = "EUR"}).event().amount, (Money{700, "EUR"}));
  EXPECT_FALSE(event({}).event().amount.has_value());
}

TEST(FlatRow, ReturnsAreNegativeWhateverTheSign) {
  EXPECT_EQ(event({{Column::price, "2"}, {Column::quantity, "-3"}}).event().amount, (Money{-600, "USD"}));
  for (const char* sign : {"", "-"}) {
    const Built built = event({{Column::event, "Order Refunded"},
                               {Column::amount, std::string(sign) + "6"},
                               {Column::quantity, std::string(sign) + "3"}});
    EXPECT_EQ(built.event().amount, (Money{-600, "USD"}));
    EXPECT_EQ(built.event().quantity, -3);
  }
}

TEST(FlatRow, FractionsOfAPieceAreKeptAside) {
  const Built built = event({{Column::price, "10"}, {Column::quantity, "0.25"}});
  EXPECT_EQ(built.event().quantity, 1);
  EXPECT_EQ(built.event().amount, (Money{250, "USD"}));
  EXPECT_EQ(built.event().properties, R"({"quantity":0.25,"price":10})");
}

TEST(FlatRow, SaysWhichColumnIsWrong) {
  EXPECT_TRUE(says(build({{Column::item_id, "i"}}).status, "'user_id' is empty"));
  EXPECT_TRUE(says(build({{Column::user_id, "u"}}).status, "'item_id' is empty"));
  EXPECT_TRUE(build({{Column::user_id, "u"}, {Column::event, "Signed Up"}}).status.ok());
  EXPECT_TRUE(says(event({{Column::value, "good"}}).status, "'value' must be a number, got 'good'"));
  EXPECT_TRUE(says(event({{Column::quantity, "1e300"}}).status, "'quantity' is too large"));
  EXPECT_TRUE(says(event({{Column::price, "$5"}}).status, "'price' must be a number"));
  EXPECT_TRUE(
      says(event({{Column::price, "5"}, {Column::currency, "dollar"}}).status, "currency must be three letters"));
  EXPECT_TRUE(says(event({{Column::timestamp, "yesterday"}}).status, "'timestamp'"));
  EXPECT_TRUE(says(event({{Column::timestamp, "32503680000"}}).status, "in the future: 3000-01-01"));
}

TEST(FlatRow, NegativeNumbersAreNoIds) {
  EXPECT_TRUE(says(event({{Column::user_id, "-5"}}).status, "'user_id' is a negative number: -5"));
  EXPECT_TRUE(says(event({{Column::item_id, "-1"}}).status, "'item_id' is a negative number: -1"));
  for (const char* id : {"-", "-5a", "5-5", "--5"}) EXPECT_TRUE(event({{Column::item_id, id}}).status.ok()) << id;
}

TEST(FlatRow, MessageIdAndTimeAreTaken) {
  const Built built = event({{Column::message_id, "m1"}, {Column::timestamp, "2026-01-02"}});
  EXPECT_EQ(built.record.message_id, message_id_of("m1"));
  EXPECT_EQ(built.record.time, 1'767'312'000'000);
  EXPECT_TRUE(event({}).record.message_id.is_zero());
  EXPECT_EQ(event({}).record.time, kNoTime);
}

TEST(FlatRow, ItemFieldsAreTyped) {
  const Built built = item({{Column::title, "Tea"},
                            {Column::category, "Food|Drinks"},
                            {Column::price, "3.50"},
                            {Column::available, "no"},
                            {Column::created_at, "1767312000"},
                            {Column::lat, "52.5"}});
  ASSERT_TRUE(built.status.ok()) << built.status.message();
  EXPECT_EQ(built.fields(), R"({"title":"Tea","category":["Food","Drinks"],"price":3.5,"lat":52.5,"available":false,)"
                            R"("created_at":"2026-01-02T00:00:00.000Z"})");
}

TEST(FlatRow, ItemFieldsOutOfRangeAreRefused) {
  EXPECT_TRUE(says(item({{Column::lat, "91"}}).status, "'lat' must be from -90 to 90"));
  EXPECT_TRUE(says(item({{Column::lon, "x"}}).status, "'lon' must be a number"));
  EXPECT_TRUE(says(item({{Column::price, "-1"}}).status, "'price' must be from 0"));
  EXPECT_TRUE(says(item({{Column::available, "maybe"}}).status, "'available' must be true or false"));
  EXPECT_TRUE(says(item({{Column::created_at, "June"}}).status, "'created_at'"));
}

TEST(FlatRow, ListsAreReadInTheWaysTheyAreWritten) {
  const auto list = [](std::string_view text) {
    std::string out;
    append_json_list(out, text);
    return out;
  };
  EXPECT_EQ(list("a|b c| d"), R"(["a","b c","d"])");
  EXPECT_EQ(list("one, two"), R"(["one, two"])");
  EXPECT_EQ(list("'Beauty', 'Nails'"), R"(["Beauty","Nails"])");
  EXPECT_EQ(list("['a', \"b's\"]"), R"(["a","b's"])");
  EXPECT_EQ(list(R"(["a",1])"), R"(["a",1])");
  EXPECT_EQ(list("[]"), "[]");
  EXPECT_EQ(list("'open"), R"(["'open"])");
  EXPECT_EQ(list(""), "[]");
}

}  // namespace
}  // namespace perennial
