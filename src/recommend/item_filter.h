// Which items a condition on their fields allows: {"category": ["shoes", "boots"], "price": {"max": 80}, "not":
// {"brand": "acme"}}. Selecting goes by an index of each field that some filter has asked for, not by reading every
// item. Covered by recommend/item_filter_test.cc against a look at every item.
#pragma once

#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/bitmap.h"
#include "profiles/catalogue.h"

namespace perennial {

/// All parts must hold; without any, every item passes.
struct ItemFilter {
  struct OneOf {  // the field, or one of its elements, is one of the values; numbers and booleans as text
    std::string field;
    std::vector<std::string> values;
    bool operator==(const OneOf&) const = default;
  };
  struct Range {  // the field is a number, or text that is one, from lowest to highest
    std::string field;
    double lowest = -std::numeric_limits<double>::infinity();
    double highest = std::numeric_limits<double>::infinity();
    bool operator==(const Range&) const = default;
  };
  struct Near {  // the fields lat and lon are at most km from the point, along the sphere
    double lat = 0, lon = 0, km = 0;
    bool operator==(const Near&) const = default;
  };

  std::vector<OneOf> one_of;
  std::vector<Range> ranges;
  std::vector<Near> near;
  std::vector<ItemFilter> none_of;

  bool operator==(const ItemFilter&) const = default;

  [[nodiscard]] bool any() const { return !one_of.empty() || !ranges.empty() || !near.empty() || !none_of.empty(); }

  /// How many parts it has, those of the filters in it included.
  [[nodiscard]] size_t conditions() const;

  [[nodiscard]] size_t hash() const;

  /// How much memory it takes beyond itself, about.
  [[nodiscard]] size_t bytes() const;

  /// From now on both must hold.
  void and_with(const ItemFilter& other);

  /// Whether an item with these fields passes.
  [[nodiscard]] bool allows(const json::object& fields) const;
};

/// A member a field: a text, number or boolean, or a list of them; {"min": number, "max": number}; "near": {"lat",
/// "lon", "km"}; "not": a filter, or a list of filters of which none may hold. invalid_argument, naming the member,
/// otherwise, and above kMostConditions or 1,000 values in all, or for a value of over 256 bytes.
inline constexpr size_t kMostConditions = 32;
Result<ItemFilter> parse_item_filter(const json::object& text);

/// Thread rule: any thread, while the catalogue does not move but by the caller of changed().
class ItemFields {
 public:
  /// Of the items below `count`, those that pass. Microseconds for a few values; the first time that a field is asked
  /// for, a look at every item, about 0.1 s for a million. Items that nothing has described have no fields.
  [[nodiscard]] Bitmap select(const ItemFilter& filter, const Catalogue& catalogue, size_t count);

  /// To be told of every item that was described anew or deleted.
  void changed(ItemId item);

 private:
  using Terms = std::unordered_map<std::string, std::vector<ItemId>>;
  using Numbers = std::vector<double>;  // by item; NaN where there is none

  [[nodiscard]] Bitmap select_indexed(const ItemFilter& filter, const Catalogue& catalogue, size_t count);
  bool is_known(const std::string& field, const Catalogue& catalogue);
  std::shared_ptr<const Terms> terms(const std::string& field, const Catalogue& catalogue);
  std::shared_ptr<const Numbers> numbers(const std::string& field, const Catalogue& catalogue);

  std::mutex mutex_;
  bool indexed_ = false;                    // something of what follows was made, of the items as they were then
  std::unordered_set<std::string> fields_;  // that some item has
  std::unordered_map<std::string, std::shared_ptr<const Terms>> terms_;  // by field
  std::unordered_map<std::string, std::shared_ptr<const Numbers>> numbers_;
  std::unordered_set<ItemId> changed_;  // since then: looked at one by one
};

}  // namespace perennial
