#include "log/sqlite.h"

#include <cerrno>

namespace perennial {
namespace {

std::string file_of(sqlite3* database) {
  const char* name = database == nullptr ? nullptr : sqlite3_db_filename(database, "main");
  return name == nullptr || *name == '\0' ? "the log" : name;
}

bool is_disk_full(sqlite3* database, int primary) {
  if (primary == SQLITE_FULL) return true;
  if (primary != SQLITE_IOERR || database == nullptr) return false;
  const int error = sqlite3_system_errno(database);
  return error == ENOSPC || error == EDQUOT;
}

}  // namespace

Status sqlite_status(sqlite3* database, int code, std::string_view what) {
  const int primary = code & 0xFF;
  const std::string file = file_of(database);
  const std::string detail =
      fmt::format("{} ({})", database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database), code);
  if (is_disk_full(database, primary))
    return resource_exhausted(
        "{}: the disk of {} is full: free some space and do it again; what was acknowledged is safe", what, file);
  switch (primary) {
    case SQLITE_IOERR:
      return {Code::unavailable,
              fmt::format(
                  "{}: reading or writing {} failed: {}: check the disk and do it again; what was acknowledged is safe",
                  what, file, detail)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::unavailable,
              fmt::format("{}: {} is held by another program: {}: close it and do it again", what, file, detail)};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return failed_precondition(
          "{}: {} cannot be opened or written: {}: check that the folder and its files are yours to write", what, file,
          detail);
    case SQLITE_NOTADB:
      return data_loss("{}: {} is not a log (not an SQLite file): move it away or restore a backup", what, file);
    case SQLITE_CORRUPT:
      return data_loss(
          "{}: {} is damaged: {}: restore a backup, or save what can be read with 'sqlite3 log.db .recover'", what,
          file, detail);
    case SQLITE_NOMEM:
      return resource_exhausted("{}: not enough memory", what);
    case SQLITE_TOOBIG:
      return invalid_argument("{}: a record is larger than SQLite can hold", what);
    default:
      return internal_error("{}: {}: {}", what, file, detail);
  }
}

Result<bool> Statement::step() {
  const int code = bind_error_ != SQLITE_OK ? std::exchange(bind_error_, SQLITE_OK) : sqlite3_step(get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  sqlite3* database = sqlite3_db_handle(get());
  const Status failure = sqlite_status(database, code, "using the log");
  reset();
  return failure;
}

Status Statement::run() {
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, step());
    if (!more) return {};
  }
}

std::string_view Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(get(), column));
  return data == nullptr ? std::string_view()
                         : std::string_view(data, static_cast<size_t>(sqlite3_column_bytes(get(), column)));
}

Result<Database> Database::open(const std::string& name, int flags, const std::string& vfs) {
  // Statistics of its memory would cost a lock an allocation.
  [[maybe_unused]] static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, vfs.empty() ? nullptr : vfs.c_str());
  Database database(handle);
  if (code != SQLITE_OK) return sqlite_status(handle, code, fmt::format("opening {}", name));
  sqlite3_extended_result_codes(handle, 1);
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return sqlite_status(get(), code, "using the log");
  return Statement(statement);
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : sqlite_status(get(), code, "using the log");
}

Result<int64_t> Database::query_integer(std::string_view sql) {
  PERENNIAL_TRY_ASSIGN(Statement statement, prepare(sql));
  PERENNIAL_TRY_ASSIGN(const bool found, statement.step());
  return found && !statement.is_null(0) ? statement.integer(0) : 0;
}

Result<Transaction> Transaction::begin(Database& database, Kind kind) {
  PERENNIAL_TRY(database.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr && database_->in_transaction()) (void)database_->execute("ROLLBACK");
}

Status Transaction::commit() {
  PERENNIAL_TRY(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace perennial
