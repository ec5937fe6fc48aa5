#include "log/names.h"

namespace perennial {
namespace {

/// An erased name is a blob of zeros, a name is text (docs/formats/log.md).
Status load_new(Database& database, const char* table, Dictionary& dictionary) {
  PERENNIAL_TRY_ASSIGN(
      Statement rows,
      database.prepare(fmt::format("SELECT id, name FROM {} WHERE id >= {} ORDER BY id", table, dictionary.size())));
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    const int64_t id = rows.integer(0);
    const std::string_view name = rows.column_type(1) == SQLITE_TEXT ? rows.bytes(1) : std::string_view();
    if (id < 0 || id >= kNoId || !dictionary.load(static_cast<uint32_t>(id), name))
      return data_loss("the log's table '{}' has a wrong or doubled row at id {}: restore a backup", table, id);
  }
}

}  // namespace

Status Names::refresh(Database& database) {
  const std::lock_guard lock(mutex_);
  PERENNIAL_TRY_ASSIGN(
      Statement erasures,
      database.prepare(fmt::format("SELECT offset, user FROM records WHERE kind = 9 AND kind > 1 AND offset > {} "
                                   "ORDER BY offset",
                                   erasures_seen_)));
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, erasures.step());
    if (!more) break;
    erasures_seen_ = erasures.integer(0);
    if (!erasures.is_null(1)) users.erase(static_cast<UserId>(erasures.integer(1)));
  }
  PERENNIAL_TRY(load_new(database, "users", users));
  PERENNIAL_TRY(load_new(database, "items", items));
  return load_new(database, "event_types", event_types);
}

}  // namespace perennial
