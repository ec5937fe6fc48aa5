// Reads a file of events into the log: batches, progress committed with the rows, resume after a kill, rejects kept.
#pragma once

#include "base/files.h"
#include "events/file_reader.h"
#include "log/event_log.h"

namespace perennial {

struct ImportOptions {
  ReaderOptions reader;            // layout, column names, defaults (events/file_reader.h)
  bool strict = false;             // refuse a file with a bad row, with its line number: nothing of it is kept
  int64_t batch_records = 50'000;  // a transaction and an fsync each; an append beside the import waits for at most one
  fs::path rejects_file;           // empty: rejects_path()
  bool show_progress = true;
};

/// Where rows of `file` that are refused go: `chosen`, or "<name>.rejects.tsv" in the current folder when it is empty.
fs::path rejects_path(const fs::path& file, const fs::path& chosen);

struct ImportReport {
  std::string layout;
  int64_t rows = 0;      // read by this call
  int64_t kept = 0;      // records put into the log
  int64_t repeated = 0;  // message ids the log had already
  int64_t rejected = 0;
  int64_t resumed_at_row = 0;     // > 0: an earlier import of this file was cut short there
  bool already_imported = false;  // the same bytes are in the log: nothing was done
  std::string first_reject;       // "line 7: ..." for the summary
  fs::path rejects_file;          // empty when nothing was rejected
  double seconds = 0;
};

/// Imports one file. The row's message id, when the file has no message_id column, is derived from the file's digest
/// and the row's number, so that the same file twice, or again after a kill, puts each row in once. A failure of the
/// log (disk full) is returned with the row to which the import is safe; run it again to go on. cancelled, with that
/// row, when a stop was requested (base/stop_signal.h). Events without a time keep none. What else has no time (items,
/// traits) is said now, except in sequence files. The rejects file is written anew by each run and lists all rejected
/// rows from the file's start.
Result<ImportReport> import_file(const fs::path& file, LogWriter& log, const Clock& clock,
                                 const ImportOptions& options);

}  // namespace perennial
