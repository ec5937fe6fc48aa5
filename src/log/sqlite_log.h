// The log in one SQLite file, `log.db` in the data directory. WAL, synchronous=FULL, one writer thread, group commit:
// appends that arrive during one fsync share the next. Checkpoints run on a thread of their own.
// Covered by log/sqlite_log_test.cc, erasure_test.cc, durability_test.cc and tests/kill_test.cc; format in
// docs/formats/log.md.
#pragma once

#include <memory>

#include "base/files.h"
#include "log/event_log.h"

namespace perennial {

struct SqliteLogOptions {
  int64_t repeat_window = 1'000'000;      // message ids of this many newest records are recognised when they come again
  int64_t queue_limit_records = 200'000;  // more waiting than this: resource_exhausted
  size_t queue_limit_bytes = 256 << 20;   // of their JSON: the same
  int64_t checkpoint_wal_bytes = 64 << 20;
  std::string vfs;  // name of a registered SQLite VFS; empty is the system's. For fault tests.
};

/// Opens for writing, creating the folder and file when absent. failed_precondition when another process has the writer
/// lock, or when the file is of a newer format; data_loss when it is not a log.
Result<std::unique_ptr<LogWriter>> open_log(const fs::path& data_folder, const SqliteLogOptions& options = {});

/// Opens for reading beside a running writer. not_found when there is no log yet: the message says to import or serve
/// first.
Result<std::unique_ptr<LogReader>> open_log_for_reading(const fs::path& data_folder);

}  // namespace perennial
