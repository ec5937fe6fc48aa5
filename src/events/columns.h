// The columns that rows of events, items and users have, and the many names that files give them.
// Covered by columns_test.cc.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "events/file_reader.h"

namespace perennial {

enum class Column : uint8_t {
  user_id,
  item_id,
  event,
  timestamp,
  value,
  quantity,
  price,
  amount,
  currency,
  session_id,
  device,
  recommendation_id,
  message_id,
  title,
  description,
  category,
  brand,
  image_url,
  available,
  created_at,
  lat,
  lon,
  other,  // becomes a property, field or trait under the file's own name
};
inline constexpr size_t kColumns = static_cast<size_t>(Column::other);

/// "user_id": the name it has in ReaderOptions::columns and in messages.
const char* column_name(Column column);

/// What the content of a file is and which of its columns stands for what.
struct ColumnMap {
  FileContent content = FileContent::events;
  std::vector<Column> columns;  // one for each name of the header
};

/// True when the names hold a user's or an item's: they are a header, not data.
bool looks_like_header(std::span<const std::string_view> names);

/// Finds the columns by their names, without regard to case, blanks, `_` and `-`; of two for the same thing the better
/// known name wins and the other stays as it is. options.columns goes before all names. invalid_argument, listing the
/// names found, when a name occurs twice, a column that the content needs is missing, or an option names none.
Result<ColumnMap> map_columns(std::span<const std::string_view> names, const ReaderOptions& options);

}  // namespace perennial
