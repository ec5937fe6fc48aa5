// parse_item_filter, and what it selects by its index: the same items that a look at each one's fields lets pass.
#include "recommend/item_filter.h"

namespace perennial {
namespace {

constexpr const char* kItems[] = {
    R"({"category":["a","b"],"price":5,"brand":"acme","new":true,"lat":52.5,"lon":13.4})",
    R"({"category":"b","price":"7.5","brand":"Acme","new":false,"lat":0,"lon":179.9})",
    R"({"category":[],"price":{"amount":3},"size":[4,5],"lat":"x","lon":1})",
    R"({})",
};

Catalogue some_items() {
  Catalogue catalogue;
  ItemId item = 0;
  for (const char* fields : kItems) catalogue.apply({.item = item++, .payload = ItemUpsert{fields}});
  return catalogue;
}

}  // namespace
}  // namespace perennial

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  static const Catalogue catalogue = some_items();
  const auto text = parse_json_object({reinterpret_cast<const char*>(data), size});
  if (!text.ok()) return 0;
  const Result<ItemFilter> filter = parse_item_filter(*text);
  PERENNIAL_CHECK(filter.ok() || !filter.status().message().empty(), "a failure without words");
  if (!filter.ok()) return 0;
  PERENNIAL_CHECK(filter->conditions() <= kMostConditions, "{} conditions", filter->conditions());
  const Bitmap selected = ItemFields().select(*filter, catalogue, std::size(kItems));
  for (ItemId item = 0; item < std::size(kItems); ++item)
    PERENNIAL_CHECK(selected[item] == filter->allows(catalogue.find(item)->fields),
                    "item {} by index and by its fields", item);
  return 0;
}
