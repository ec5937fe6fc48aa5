// SQLite's handles with owners, and its error codes as Status. Thread rule: one thread at a time an object.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/status.h"

namespace perennial {

/// What SQLite's result code means to us; `what` names the act: "appending to the log". Full disks are
/// resource_exhausted, faults of the device unavailable, damaged files data_loss, files that cannot be opened or
/// written failed_precondition. Every message names the file and says what to do.
Status sqlite_status(sqlite3* database, int code, std::string_view what);

/// A prepared statement. Columns and parameters count as SQLite counts them: from 0 and from 1.
class Statement {
 public:
  void bind(int parameter, int64_t value) { keep_error(sqlite3_bind_int64(get(), parameter, value)); }
  void bind(int parameter, double value) { keep_error(sqlite3_bind_double(get(), parameter, value)); }
  void bind_null(int parameter) { keep_error(sqlite3_bind_null(get(), parameter)); }

  /// The bytes are borrowed until the statement is reset.
  void bind_text(int parameter, std::string_view text) {
    keep_error(sqlite3_bind_text64(get(), parameter, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  void bind_blob(int parameter, std::string_view bytes) {
    keep_error(sqlite3_bind_blob64(get(), parameter, bytes.data(), bytes.size(), SQLITE_STATIC));
  }
  void bind_zeros(int parameter, int64_t count) {
    keep_error(sqlite3_bind_zeroblob64(get(), parameter, static_cast<uint64_t>(count)));
  }

  /// True when a row is there. Resets at the end and on failure.
  Result<bool> step();

  /// Steps to the end and resets.
  Status run();

  void reset() { sqlite3_reset(get()); }

  [[nodiscard]] int column_type(int column) const { return sqlite3_column_type(get(), column); }
  [[nodiscard]] bool is_null(int column) const { return column_type(column) == SQLITE_NULL; }
  [[nodiscard]] int64_t integer(int column) const { return sqlite3_column_int64(get(), column); }
  [[nodiscard]] double real(int column) const { return sqlite3_column_double(get(), column); }

  /// The bytes of text or a blob, good until the next step.
  [[nodiscard]] std::string_view bytes(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  [[nodiscard]] sqlite3_stmt* get() const { return statement_.get(); }
  void keep_error(int code) {
    if (code != SQLITE_OK) bind_error_ = code;
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_error_ = SQLITE_OK;
};

class Database {
 public:
  /// `flags` as of sqlite3_open_v2; `vfs` empty is the system's.
  static Result<Database> open(const std::string& name, int flags, const std::string& vfs);

  Result<Statement> prepare(std::string_view sql);
  Status execute(const char* sql);

  /// The first column of the first row; 0 when there is no row or it is NULL.
  Result<int64_t> query_integer(std::string_view sql);

  [[nodiscard]] sqlite3* get() const { return database_.get(); }
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(get()) == 0; }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

/// BEGIN now; ROLLBACK when it goes without commit().
class Transaction {
 public:
  enum class Kind { read, write };
  static Result<Transaction> begin(Database& database, Kind kind);

  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace perennial
