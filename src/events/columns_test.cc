#include "events/columns.h"

#include <gtest/gtest.h>

#include "events/test_files.h"

namespace perennial {
namespace {

using Names = std::vector<std::string_view>;
using Columns = std::vector<Column>;

Result<ColumnMap> mapped(const Names& names, std::map<std::string, std::string> columns = {},
                         FileContent content = FileContent::detect) {
  ReaderOptions options;
  options.columns = std::move(columns);
  options.content = content;
  return map_columns(names, options);
}

TEST(Columns, KnowsTheNamesOfPublicDataSets) {
  EXPECT_EQ(mapped({"userId", "movieId", "rating", "timestamp"})->columns,
            (Columns{Column::user_id, Column::item_id, Column::value, Column::timestamp}));
  EXPECT_EQ(
      mapped({"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"})
          ->columns,
      (Columns{Column::other, Column::item_id, Column::other, Column::quantity, Column::timestamp, Column::price,
               Column::user_id, Column::other}));
  EXPECT_EQ(mapped({"User ID", "ITEM-ID", "Event Type", "Session"})->columns,
            (Columns{Column::user_id, Column::item_id, Column::event, Column::session_id}));
}

TEST(Columns, ContentFollowsFromTheNames) {
  EXPECT_EQ(mapped({"user_id", "item_id"})->content, FileContent::events);
  EXPECT_EQ(mapped({"user_id", "event"})->content, FileContent::events);
  EXPECT_EQ(mapped({"item_id", "title", "lat", "lon"})->content, FileContent::items);
  EXPECT_EQ(mapped({"user_id", "age"})->content, FileContent::users);
  EXPECT_EQ(mapped({"id", "title"}, {}, FileContent::items)->columns, (Columns{Column::item_id, Column::title}));
}

TEST(Columns, TheBetterKnownNameWinsWhateverTheOrder) {
  EXPECT_EQ(mapped({"sku", "product_id", "user_id"})->columns,
            (Columns{Column::other, Column::item_id, Column::user_id}));
  EXPECT_EQ(mapped({"date", "timestamp", "user_id", "item_id"})->columns,
            (Columns{Column::other, Column::timestamp, Column::user_id, Column::item_id}));
}

TEST(Columns, OptionsGoBeforeNames) {
  EXPECT_EQ(mapped({"buyer", "user_id", "thing"}, {{"user_id", "buyer"}, {"item_id", "thing"}})->columns,
            (Columns{Column::user_id, Column::other, Column::item_id}));
}

TEST(Columns, TwoFieldsOfOneNameAreRefused) {
  const auto map = mapped({"user_id", "item_id", "price", "cost"}, {{"price", "cost"}});
  EXPECT_TRUE(says(map.status(), "column 'price' and another one would both be price"));
}

TEST(Columns, MissingOnesAreNamedWithTheFlagThatMapsThem) {
  EXPECT_TRUE(says(mapped({"a", "b"}).status(), "among 'a', 'b'"));
  EXPECT_TRUE(says(mapped({"a", "b"}).status(), "--column user_id=NAME"));
  EXPECT_TRUE(
      says(mapped({"user_id", "b"}, {}, FileContent::events).status(), "no column for item_id among 'user_id', 'b'"));
  EXPECT_TRUE(says(mapped({"item_id", "b"}, {}, FileContent::events).status(), "no column for user_id"));
}

TEST(Columns, WrongOptionsAreExplained) {
  EXPECT_TRUE(says(mapped({"user_id", "item_id"}, {{"item_id", "thing"}}).status(),
                   "'thing', mapped to item_id, is not in the header"));
  EXPECT_TRUE(says(mapped({"user_id", "item_id"}, {{"colour", "item_id"}}).status(),
                   "no column 'colour' to map to: want user_id, item_id"));
  EXPECT_TRUE(says(mapped({"u", "x"}, {{"user_id", "u"}, {"item_id", "u"}}).status(), "mapped to both"));
}

TEST(Columns, DoublesAreRefused) {
  EXPECT_TRUE(says(mapped({"user_id", "item_id", "user_id"}).status(), "column 'user_id' occurs twice"));
  EXPECT_TRUE(says(mapped({"user_id", "item_id", "x", "x"}).status(), "column 'x' occurs twice"));
  EXPECT_TRUE(says(mapped({"user_id", "userId", "item_id"}).status(), "several columns could be user_id"));
  EXPECT_TRUE(mapped({"user_id", "item_id", "x", "X"}).ok()) << "properties tell case apart";
}

TEST(Columns, DataDoesNotLookLikeAHeader) {
  EXPECT_TRUE(looks_like_header(Names{"user_id", "x"}));
  EXPECT_FALSE(looks_like_header(Names{"196", "242", "3"}));
  EXPECT_FALSE(looks_like_header(Names{"", " "}));
}

}  // namespace
}  // namespace perennial
