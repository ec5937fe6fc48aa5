// The log's SQLite file: its tables, its version, and how connections to it are opened. Format: docs/formats/log.md.
#pragma once

#include <string_view>

#include "base/files.h"
#include "log/sqlite.h"

namespace perennial {

inline constexpr int64_t kLogFormat = 1;                  // PRAGMA user_version
inline constexpr int64_t kLogApplicationId = 0x50524E4C;  // PRAGMA application_id: "PRNL"

/// The columns of `records` in the order that log/record_codec.h reads and binds them.
inline constexpr std::string_view kRecordColumns =
    "offset, kind, time, user, item, type, value, amount, currency, quantity, previous, merged_into, message, body";

fs::path log_path(const fs::path& data_folder);

/// A connection that writes: WAL, synchronous=FULL, no automatic checkpoints. Creates file and tables when absent.
/// failed_precondition for a newer format, naming both; data_loss for a file that is not a log.
Result<Database> open_for_writing(const fs::path& data_folder, const std::string& vfs);

/// A connection that only reads, with or without a writer beside it. not_found when there is no log.
Result<Database> open_for_reading(const fs::path& data_folder, const std::string& vfs);

}  // namespace perennial
