#include "log/log_schema.h"

#include <unistd.h>

namespace perennial {
namespace {

constexpr int kBusyTimeoutMs = 30'000;

// No index on message ids (random keys: fifty times slower) nor on users (each row points to the user's previous one).
// Rows of `records` and `users` are only ever appended or overwritten at equal size: log/erasure.h says why.
constexpr const char* kCreate = R"sql(
CREATE TABLE records(
  offset INTEGER PRIMARY KEY, kind INTEGER, time INTEGER, user INTEGER, item INTEGER, type INTEGER, value REAL,
  amount INTEGER, currency TEXT, quantity INTEGER, previous INTEGER, merged_into INTEGER, message BLOB, body TEXT);
CREATE INDEX records_by_kind ON records(kind) WHERE kind > 1;
CREATE INDEX merges_by_target ON records(merged_into) WHERE merged_into IS NOT NULL;
CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE event_types(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE chains(user INTEGER PRIMARY KEY, last INTEGER);
CREATE TABLE imports(digest TEXT PRIMARY KEY, name TEXT, rows_read INTEGER, rows_kept INTEGER, finished INTEGER,
  updated INTEGER) WITHOUT ROWID;
)sql";

enum class FileState { fresh, log };

Result<FileState> check_file(Database& database, const fs::path& path) {
  PERENNIAL_TRY_ASSIGN(const int64_t objects, database.query_integer("SELECT count(*) FROM sqlite_schema"));
  PERENNIAL_TRY_ASSIGN(const int64_t application, database.query_integer("PRAGMA application_id"));
  PERENNIAL_TRY_ASSIGN(const int64_t format, database.query_integer("PRAGMA user_version"));
  if (objects == 0 && application == 0 && format == 0) return FileState::fresh;
  if (application != kLogApplicationId)
    return data_loss("{} is an SQLite file of another program, not a log: move it away or choose another data folder",
                     path.string());
  if (format > kLogFormat)
    return failed_precondition(
        "{} has format {}, this program knows formats up to {}: use a newer version of the program", path.string(),
        format, kLogFormat);
  if (format < 1 || objects == 0) return data_loss("{} is a log without its tables: restore a backup", path.string());
  return FileState::log;
}

Status create_tables(Database& database) {
  PERENNIAL_TRY_ASSIGN(Transaction transaction, Transaction::begin(database, Transaction::Kind::write));
  PERENNIAL_TRY(database.execute(kCreate));
  PERENNIAL_TRY(database.execute(fmt::format("PRAGMA application_id = {}", kLogApplicationId).c_str()));
  PERENNIAL_TRY(database.execute(fmt::format("PRAGMA user_version = {}", kLogFormat).c_str()));
  return transaction.commit();
}

Status configure_writer(Database& database, const fs::path& path) {
  PERENNIAL_TRY_ASSIGN(Statement mode, database.prepare("PRAGMA journal_mode = WAL"));
  PERENNIAL_TRY_ASSIGN(const bool answered, mode.step());
  if (!answered || mode.bytes(0) != "wal")
    return failed_precondition("{} cannot use a write-ahead log here: put the data folder on a local disk",
                               path.string());
  mode.reset();
  return database.execute(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON;"
      "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384");
}

Status no_log_yet(const fs::path& path) {
  return not_found("there is no log at {} yet: run 'perennial import' or 'perennial serve' first", path.string());
}

/// A folder that we may not write cannot get SQLite's shared-memory file. Where there is none nobody has the log open,
/// and without a WAL nothing is lost by doing without.
bool must_open_immutable(const fs::path& path) {
  if (::access(path.parent_path().c_str(), W_OK) == 0) return false;
  std::error_code error;
  if (fs::exists(path.string() + "-shm", error)) return false;
  const fs::path wal = path.string() + "-wal";
  return !fs::exists(wal, error) || fs::file_size(wal, error) == 0;
}

std::string immutable_uri(const fs::path& path) {
  std::string uri = "file:";
  for (const char c : fs::absolute(path).string()) {
    if (c == '%' || c == '?' || c == '#')
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      uri += c;
  }
  return uri + "?immutable=1";
}

}  // namespace

fs::path log_path(const fs::path& data_folder) { return data_folder / "log.db"; }

Result<Database> open_for_writing(const fs::path& data_folder, const std::string& vfs) {
  const fs::path path = log_path(data_folder);
  PERENNIAL_TRY_ASSIGN(Database database,
                       Database::open(path.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs));
  sqlite3_busy_timeout(database.get(), kBusyTimeoutMs);
  PERENNIAL_TRY_ASSIGN(const FileState state, check_file(database, path));
  PERENNIAL_TRY(configure_writer(database, path));
  if (state == FileState::fresh) PERENNIAL_TRY(create_tables(database));
  // Setting WAL mode used a rollback journal. Were it to come back after a power cut, it would roll back the whole log.
  PERENNIAL_TRY(sync_folder(data_folder));
  return database;
}

Result<Database> open_for_reading(const fs::path& data_folder, const std::string& vfs) {
  const fs::path path = log_path(data_folder);
  std::error_code error;
  if (!fs::exists(path, error)) return no_log_yet(path);
  const bool immutable = must_open_immutable(path);
  PERENNIAL_TRY_ASSIGN(Database database, Database::open(immutable ? immutable_uri(path) : path.string(),
                                                         SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, vfs));
  sqlite3_busy_timeout(database.get(), kBusyTimeoutMs);
  PERENNIAL_TRY_ASSIGN(const FileState state, check_file(database, path));
  if (state == FileState::fresh) return no_log_yet(path);
  return database;
}

}  // namespace perennial
