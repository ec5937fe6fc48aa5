// A row whose columns are known, as a record: what CSV, flat JSONL and the headerless tables have in common.
// Covered by flat_row_test.cc.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "events/columns.h"
#include "events/json_text.h"
#include "events/record.h"

namespace perennial {

/// The text of each standard column, without blanks around; empty when the row has none.
class Cells {
 public:
  std::string_view& operator[](Column column) { return texts_[static_cast<size_t>(column)]; }
  std::string_view operator[](Column column) const { return texts_[static_cast<size_t>(column)]; }
  void clear() { texts_.fill({}); }

 private:
  std::array<std::string_view, kColumns> texts_;
};

/// Thread rule: any thread.
class RowBuilder {
 public:
  /// `now` bounds the times of rows.
  RowBuilder(FileContent content, const ReaderOptions& options, TimeMs now);

  /// Fills `record`, which is new, and validates it; `others` holds the fields of all other columns and is added to. An
  /// event: price stays in the properties, amount is price x quantity when there is no amount, negative when the type
  /// is a refund. An item: fields are typed (category a list, available a boolean, created_at ISO 8601). A user:
  /// traits. invalid_argument names the column and what is wrong with it. A numeric id below zero is wrong.
  Status build(const Cells& cells, JsonObjectText& others, Record& record) const;

 private:
  Status build_event(const Cells& cells, JsonObjectText& others, Record& record) const;
  Status build_item(const Cells& cells, JsonObjectText& others, Record& record) const;

  FileContent content_;
  std::string event_type_;
  std::string currency_;
  TimeMs now_;
};

/// invalid_argument when the id is a whole number below zero.
Status check_not_negative(const char* column, std::string_view id);

/// Appends a JSON array: of a JSON array's own elements, of 'a', 'b' as Python writes lists, of a|b|c, or of the text
/// itself.
void append_json_list(std::string& out, std::string_view text);

}  // namespace perennial
