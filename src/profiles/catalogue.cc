#include "profiles/catalogue.h"

#include "base/bytes.h"

namespace perennial {

std::string Item::title() const {
  const json::value* value = find_field(fields, "title");
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<Money> Item::price() const {
  const Result<double> amount = number_field(fields, "price", NAN);
  if (!amount.ok() || std::isnan(*amount)) return std::nullopt;
  const Result<std::string> currency = string_field(fields, "currency");
  const Result<Money> money = money_from_major(*amount, currency.ok() && !currency->empty() ? *currency : "USD");
  return money.ok() ? std::optional(*money) : std::nullopt;
}

std::vector<std::string> Item::categories() const {
  const json::value* value = find_field(fields, "category");
  std::vector<std::string> names;
  if (value == nullptr) return names;
  if (value->is_string()) names.emplace_back(value->get_string());
  if (value->is_array())
    for (const json::value& name : value->get_array())
      if (name.is_string()) names.emplace_back(name.get_string());
  return names;
}

bool Item::available() const {
  const json::value* value = find_field(fields, "available");
  const bool withdrawn = value != nullptr && (*value == false || *value == "false" || *value == 0 || *value == "0");
  return !deleted && !withdrawn;
}

void Catalogue::apply(const StoredRecord& record) {
  const bool describes =
      std::holds_alternative<ItemUpsert>(record.payload) || std::holds_alternative<ItemDelete>(record.payload);
  if (!describes || record.item == kNoId) return;
  if (record.item >= items_.size()) {
    items_.resize(size_t{record.item} + 1);
    recommendable_.resize(items_.size(), true);
  }
  if (const auto* upsert = std::get_if<ItemUpsert>(&record.payload)) {
    const Result<json::object> fields = parse_json_object(upsert->fields);
    if (!fields.ok()) return;  // validate() keeps such records out of the log
    std::optional<Item>& item = items_[record.item];
    if (!item || item->deleted) item.emplace();
    for (const auto& [name, value] : *fields) item->fields[name] = value;
  } else if (std::holds_alternative<ItemDelete>(record.payload)) {
    items_[record.item] = Item{.fields = {}, .deleted = true};
  }
  remember_availability(record.item);
}

void Catalogue::remember_availability(ItemId item) {
  recommendable_.set(item, !items_[item] || items_[item]->available());
}

const Item* Catalogue::find(ItemId item) const {
  return item < items_.size() && items_[item] ? &*items_[item] : nullptr;
}

Bitmap Catalogue::recommendable(size_t count) const {
  Bitmap items = recommendable_;
  items.resize(count, true);
  return items;
}

void Catalogue::serialize(std::string& out) const {
  put(out, static_cast<uint64_t>(items_.size()));
  for (const std::optional<Item>& item : items_) {
    put(out, static_cast<uint8_t>(!item ? 0 : item->deleted ? 2 : 1));
    if (item && !item->deleted) put_text(out, json::serialize(item->fields));
  }
}

Status Catalogue::parse(std::string_view bytes) {
  ByteReader in(bytes);
  items_.assign(in.get_count(1), std::nullopt);
  bool good = true;
  for (std::optional<Item>& item : items_) {
    const auto kind = in.get<uint8_t>();
    if (kind == 2) item = Item{.fields = {}, .deleted = true};
    if (kind != 1) continue;
    Result<json::object> fields = parse_json_object(in.get_text());
    if (fields.ok()) item = Item{.fields = std::move(fields).value(), .deleted = false};
    good = good && fields.ok();
  }
  if (!good || !in.ok() || !in.at_end()) items_.clear();
  recommendable_ = Bitmap(items_.size());
  for (size_t item = 0; item < items_.size(); ++item) remember_availability(static_cast<ItemId>(item));
  if (good && in.ok() && in.at_end()) return {};
  return data_loss("the catalogue in the snapshot is cut short or not of this format");
}

}  // namespace perennial
