#include "recommend/item_filter.h"

#include <algorithm>
#include <boost/container_hash/hash.hpp>

#include <cmath>
#include <numbers>

#include "base/text.h"

namespace perennial {
namespace {

constexpr size_t kMostValues = 1000;
constexpr size_t kMostValueBytes = 256;
constexpr size_t kMostChanged = 1000;             // items, before the index is made anew
constexpr size_t kMostTerms = kMostConditions;    // fields whose values are indexed: as many as a request can ask for
constexpr size_t kMostNumbers = kMostConditions;  // fields whose numbers are, eight bytes an item each
constexpr double kEarthKm = 6371.0088;

/// How values are compared: text as it is, numbers by their shortest digits (5 is 5.0), booleans as "true" and "false".
/// None for what is no single value.
std::optional<std::string> term_of(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_double()) return fmt::format("{}", value.get_double());
  if (value.is_number() || value.is_bool()) return json::serialize(value);
  return std::nullopt;
}

/// Calls visit(term) for the field's value, or for each element of a list.
template <typename Visit>
void for_each_term(const json::value& value, Visit&& visit) {
  if (value.is_array()) {
    for (const json::value& element : value.get_array())
      if (const std::optional<std::string> term = term_of(element)) visit(*term);
  } else if (const std::optional<std::string> term = term_of(value)) {
    visit(*term);
  }
}

double number_of(const json::object& fields, std::string_view name) {
  const Result<double> number = number_field(fields, name, NAN);
  return number.ok() ? *number : NAN;
}

double kilometres(const ItemFilter::Near& from, double lat, double lon) {
  constexpr double kRadian = std::numbers::pi / 180;
  const double half_lat = std::sin((lat - from.lat) * kRadian / 2);
  const double half_lon = std::sin((lon - from.lon) * kRadian / 2);
  const double share =
      half_lat * half_lat + std::cos(from.lat * kRadian) * std::cos(lat * kRadian) * half_lon * half_lon;
  return 2 * kEarthKm * std::asin(std::min(1.0, std::sqrt(share)));
}

bool within(const ItemFilter::Range& range, double number) { return number >= range.lowest && number <= range.highest; }

bool within(const ItemFilter::Near& near, double lat, double lon) {
  constexpr double kKmADegree = 111.19;
  return std::abs(lat - near.lat) * kKmADegree <= near.km * 1.001 && kilometres(near, lat, lon) <= near.km;
}

bool holds(const ItemFilter::OneOf& one_of, const json::object& fields) {
  const json::value* value = find_field(fields, one_of.field);
  bool found = false;
  if (value != nullptr)
    for_each_term(*value, [&](const std::string& term) {
      found |= std::ranges::find(one_of.values, term) != one_of.values.end();
    });
  return found;
}

/// Reads one filter after another, counting what all of them hold.
class FilterParser {
 public:
  Result<ItemFilter> read(const json::object& text) {
    ItemFilter filter;
    for (const auto& member : text) {
      const std::string_view name(member.key().data(), member.key().size());
      PERENNIAL_TRY(count_condition());
      PERENNIAL_TRY(add(name, member.value(), filter).with_context(fmt::format("'{:.80}'", name)));
    }
    return filter;
  }

 private:
  Status add(std::string_view name, const json::value& value, ItemFilter& filter) {
    if (name == "near") return add_near(value, filter);
    if (name == "not") return add_not(value, filter);
    if (value.is_object()) return add_range(name, value.get_object(), filter);
    return add_one_of(name, value, filter);
  }

  Status add_one_of(std::string_view name, const json::value& value, ItemFilter& filter) {
    ItemFilter::OneOf one_of{std::string(name), {}};
    const size_t wanted = value.is_array() ? value.get_array().size() : 1;
    for_each_term(value, [&](std::string term) { one_of.values.push_back(std::move(term)); });
    if (one_of.values.size() != wanted || wanted == 0)
      return invalid_argument("must be a text, a number, true or false, or a list of them, or {{\"min\", \"max\"}}");
    for (const std::string& said : one_of.values)
      if (said.size() > kMostValueBytes) return invalid_argument("a value of over {} bytes", kMostValueBytes);
    if ((values_ += wanted) > kMostValues) return invalid_argument("over {} values in one filter", kMostValues);
    filter.one_of.push_back(std::move(one_of));
    return {};
  }

  static Status add_range(std::string_view name, const json::object& value, ItemFilter& filter) {
    ItemFilter::Range range{.field = std::string(name)};
    for (const auto& member : value)
      if (member.key() != "min" && member.key() != "max") return invalid_argument("a range has 'min' and 'max' only");
    PERENNIAL_TRY_ASSIGN(range.lowest, number_field(value, "min", range.lowest));
    PERENNIAL_TRY_ASSIGN(range.highest, number_field(value, "max", range.highest));
    if (!(range.lowest <= range.highest))
      return invalid_argument("'min' {} is above 'max' {}", range.lowest, range.highest);
    filter.ranges.push_back(std::move(range));
    return {};
  }

  static Status add_near(const json::value& value, ItemFilter& filter) {
    if (!value.is_object()) return invalid_argument("must be an object: {{\"lat\", \"lon\", \"km\"}}");
    ItemFilter::Near near;
    for (const auto& [key, number] :
         {std::pair{"lat", &near.lat}, std::pair{"lon", &near.lon}, std::pair{"km", &near.km}}) {
      PERENNIAL_TRY_ASSIGN(*number, number_field(value.get_object(), key, NAN));
      if (std::isnan(*number)) return invalid_argument("'{}' is missing", key);
    }
    if (value.get_object().size() != 3 || std::abs(near.lat) > 90 || std::abs(near.lon) > 360 || near.km < 0)
      return invalid_argument(
          "wants 'lat' from -90 to 90, 'lon' from -360 to 360 and 'km' from 0 up, and nothing else");
    filter.near.push_back(near);
    return {};
  }

  Status count_condition() {
    return ++conditions_ <= kMostConditions ? Status()
                                            : invalid_argument("a filter of over {} conditions", kMostConditions);
  }

  Status add_not(const json::value& value, ItemFilter& filter) {
    const auto read_one = [&](const json::value& one) -> Status {
      if (!one.is_object()) return invalid_argument("must be a filter, or a list of filters");
      PERENNIAL_TRY(count_condition());  // as in conditions()
      PERENNIAL_TRY_ASSIGN(ItemFilter none, read(one.get_object()));
      filter.none_of.push_back(std::move(none));
      return {};
    };
    if (!value.is_array()) return read_one(value);
    for (const json::value& one : value.get_array()) PERENNIAL_TRY(read_one(one));
    return {};
  }

  size_t conditions_ = 0;
  size_t values_ = 0;
};

}  // namespace

size_t ItemFilter::conditions() const {
  size_t sum = one_of.size() + ranges.size() + near.size();
  for (const ItemFilter& none : none_of) sum += 1 + none.conditions();
  return sum;
}

size_t ItemFilter::hash() const {
  size_t hash = none_of.size();
  for (const OneOf& condition : one_of) {
    boost::hash_combine(hash, condition.field);
    boost::hash_range(hash, condition.values.begin(), condition.values.end());
  }
  for (const Range& range : ranges) {
    boost::hash_combine(hash, range.field);
    boost::hash_combine(hash, range.lowest);
    boost::hash_combine(hash, range.highest);
  }
  for (const Near& point : near) {
    boost::hash_combine(hash, point.lat);
    boost::hash_combine(hash, point.lon);
    boost::hash_combine(hash, point.km);
  }
  for (const ItemFilter& filter : none_of) boost::hash_combine(hash, filter.hash());
  return hash;
}

size_t ItemFilter::bytes() const {
  constexpr size_t kOfACondition = 64;
  size_t bytes = 0;
  for (const OneOf& condition : one_of) {
    bytes += kOfACondition + condition.field.size();
    for (const std::string& value : condition.values) bytes += sizeof(std::string) + value.size();
  }
  bytes += kOfACondition * (ranges.size() + near.size());
  for (const ItemFilter& filter : none_of) bytes += sizeof filter + filter.bytes();
  return bytes;
}

void ItemFilter::and_with(const ItemFilter& other) {
  one_of.insert(one_of.end(), other.one_of.begin(), other.one_of.end());
  ranges.insert(ranges.end(), other.ranges.begin(), other.ranges.end());
  near.insert(near.end(), other.near.begin(), other.near.end());
  none_of.insert(none_of.end(), other.none_of.begin(), other.none_of.end());
}

bool ItemFilter::allows(const json::object& fields) const {
  const auto in_range = [&](const Range& range) { return within(range, number_of(fields, range.field)); };
  const auto is_near = [&](const Near& place) {
    return within(place, number_of(fields, "lat"), number_of(fields, "lon"));
  };
  return std::ranges::all_of(one_of, [&](const OneOf& part) { return holds(part, fields); }) &&
         std::ranges::all_of(ranges, in_range) && std::ranges::all_of(near, is_near) &&
         std::ranges::none_of(none_of, [&](const ItemFilter& none) { return none.allows(fields); });
}

Result<ItemFilter> parse_item_filter(const json::object& text) { return FilterParser().read(text); }

void ItemFields::changed(ItemId item) {
  const std::lock_guard lock(mutex_);
  if (!indexed_) return;
  changed_.insert(item);
  if (changed_.size() <= kMostChanged) return;
  indexed_ = false;
  fields_.clear();
  terms_.clear();
  numbers_.clear();
  changed_.clear();
}

Bitmap ItemFields::select(const ItemFilter& filter, const Catalogue& catalogue, size_t count) {
  const std::lock_guard lock(mutex_);
  Bitmap selected = select_indexed(filter, catalogue, count);
  const json::object nothing;
  for (const ItemId id : changed_) {
    if (id >= count) continue;
    const Item* item = catalogue.find(id);
    selected.set(id, filter.allows(item == nullptr ? nothing : item->fields));
  }
  return selected;
}

Bitmap ItemFields::select_indexed(const ItemFilter& filter, const Catalogue& catalogue, size_t count) {
  Bitmap selected(count, true);
  for (const ItemFilter::OneOf& part : filter.one_of) {
    Bitmap named(count);
    if (const std::shared_ptr<const Terms> known = terms(part.field, catalogue)) {
      for (const std::string& value : part.values)
        if (const auto found = known->find(value); found != known->end())
          for (const ItemId item : found->second)
            if (item < count) named.set(item, true);
    }
    selected.and_with(named);
  }
  const auto keep = [&](const auto& passes) {
    selected.for_each([&](size_t item) {
      if (!passes(item)) selected.set(item, false);
    });
  };
  const auto at = [](const std::shared_ptr<const Numbers>& numbers, size_t item) {
    return numbers != nullptr && item < numbers->size() ? (*numbers)[item] : NAN;
  };
  for (const ItemFilter::Range& range : filter.ranges) {
    const std::shared_ptr<const Numbers> known = numbers(range.field, catalogue);
    keep([&](size_t item) { return within(range, at(known, item)); });
  }
  for (const ItemFilter::Near& near : filter.near) {
    const std::shared_ptr<const Numbers> lat = numbers("lat", catalogue);
    const std::shared_ptr<const Numbers> lon = numbers("lon", catalogue);
    keep([&](size_t item) { return within(near, at(lat, item), at(lon, item)); });
  }
  for (const ItemFilter& none : filter.none_of) selected.and_not(select_indexed(none, catalogue, count));
  return selected;
}

/// So that made-up names cost no look at every item.
bool ItemFields::is_known(const std::string& field, const Catalogue& catalogue) {
  if (!indexed_) {
    std::unordered_set<std::string> fields;
    for (ItemId id = 0; id < catalogue.size(); ++id)
      if (const Item* item = catalogue.find(id))
        for (const auto& member : item->fields) fields.emplace(member.key().data(), member.key().size());
    fields_ = std::move(fields);
    indexed_ = true;
  }
  return fields_.contains(field);
}

std::shared_ptr<const ItemFields::Terms> ItemFields::terms(const std::string& field, const Catalogue& catalogue) {
  if (!is_known(field, catalogue)) return nullptr;
  if (const auto found = terms_.find(field); found != terms_.end()) return found->second;
  auto made = std::make_shared<Terms>();
  for (ItemId id = 0; id < catalogue.size(); ++id) {
    const Item* item = catalogue.find(id);
    const json::value* value = item == nullptr ? nullptr : find_field(item->fields, field);
    if (value == nullptr) continue;
    for_each_term(*value, [&](const std::string& term) {
      if (term.size() <= kMostValueBytes) (*made)[term].push_back(id);  // no filter asks for a longer one
    });
  }
  if (terms_.size() >= kMostTerms) terms_.erase(terms_.begin());
  return terms_[field] = std::move(made);
}

std::shared_ptr<const ItemFields::Numbers> ItemFields::numbers(const std::string& field, const Catalogue& catalogue) {
  if (!is_known(field, catalogue)) return nullptr;
  if (const auto found = numbers_.find(field); found != numbers_.end()) return found->second;
  auto made = std::make_shared<Numbers>();
  for (ItemId id = 0; id < catalogue.size(); ++id) {
    const Item* item = catalogue.find(id);
    made->push_back(item == nullptr ? NAN : number_of(item->fields, field));
  }
  if (numbers_.size() >= kMostNumbers) numbers_.erase(numbers_.begin());
  return numbers_[field] = std::move(made);
}

}  // namespace perennial
