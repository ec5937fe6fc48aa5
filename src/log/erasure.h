// Making a user's rows unreadable for good, inside one transaction.
// Nothing is deleted: SQLite would then rebalance pages, and copies of cells that it moved stay in the pages' gaps even
// with secure_delete, where a later erasure of those users could not reach them. An erased row keeps its place and its
// exact size, which SQLite overwrites in place; all that it said becomes NULL and zeros.
// Covered by erasure_test.cc, which searches the files for the erased bytes.
#pragma once

#include <functional>
#include <vector>

#include "events/ids.h"
#include "log/sqlite.h"

namespace perennial {

/// Thread rule: one thread at a time. The database must outlive it and be in a write transaction during each call.
class Eraser {
 public:
  static Result<Eraser> prepare(Database& database);

  /// Where the chain of a user's records ends now; 0 for none.
  using ChainEnd = std::function<Result<Offset>(UserId)>;

  /// Erases the rows and names of `user` and of every identity joined to it by merges in either direction, through any
  /// number of them. Returns those identities, `user` first.
  Result<std::vector<UserId>> erase(UserId user, const ChainEnd& chain_end);

 private:
  Eraser(Statement row, Statement overwrite, Statement merged_into, Statement name, Statement overwrite_name)
      : row_(std::move(row)),
        overwrite_(std::move(overwrite)),
        merged_into_(std::move(merged_into)),
        name_(std::move(name)),
        overwrite_name_(std::move(overwrite_name)) {}

  Status erase_chain(UserId user, Offset last, std::vector<UserId>& joined);
  Status find_merged_into(UserId user, std::vector<UserId>& joined);
  Status overwrite_row(Offset offset, int64_t payload_bytes);
  Status overwrite_name(UserId user);

  Statement row_;
  Statement overwrite_;
  Statement merged_into_;
  Statement name_;
  Statement overwrite_name_;
};

}  // namespace perennial
