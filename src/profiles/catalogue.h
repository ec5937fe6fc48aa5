// All items as a fold over the log: fields of the newest upserts, deletions. Thread rule: many readers or one writer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bitmap.h"
#include "base/json.h"
#include "events/record.h"

namespace perennial {

struct Item {
  json::object fields;  // all fields said so far, by name
  bool deleted = false;

  /// Typed reads of the known fields; empty when absent or of another type.
  [[nodiscard]] std::string title() const;
  [[nodiscard]] std::optional<Money> price() const;
  [[nodiscard]] std::vector<std::string> categories() const;  // `category` as a list, or as one string
  [[nodiscard]] bool available() const;                       // false when deleted or `available` is false
};

class Catalogue {
 public:
  /// Applies item records; ignores all others, so that erasing a user changes nothing here.
  void apply(const StoredRecord& record);

  /// Null when no upsert has described the item.
  [[nodiscard]] const Item* find(ItemId item) const;

  /// Of the items below `count`, those that may be recommended: not deleted, not said to be unavailable. Items that no
  /// upsert has described may.
  [[nodiscard]] Bitmap recommendable(size_t count) const;

  /// One past the highest item id that was described or deleted.
  [[nodiscard]] ItemId size() const { return static_cast<ItemId>(items_.size()); }

  void serialize(std::string& out) const;
  Status parse(std::string_view bytes);

 private:
  void remember_availability(ItemId item);

  std::vector<std::optional<Item>> items_;
  Bitmap recommendable_;  // of items_
};

}  // namespace perennial
