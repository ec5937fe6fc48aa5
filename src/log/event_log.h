// The durable, ordered log, whatever keeps it: SQLite in one file (log/sqlite_log.h), Kafka later.
// The log is the truth: every other state is a fold over it and can be rebuilt.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "events/record.h"
#include "log/dictionary.h"

namespace perennial {

/// How far the import of one file has come; committed in the same transaction as the rows it covers.
struct ImportProgress {
  std::string file_digest;  // SHA-256 of the file, hex
  std::string file_name;    // for people
  int64_t rows_read = 0;    // rows consumed from the start, good and rejected
  int64_t rows_kept = 0;    // of those, not rejected
  bool finished = false;
};

struct AppendOutcome {
  int64_t appended = 0;
  int64_t repeated = 0;    // known message ids: nothing was done for them
  Offset last_offset = 0;  // of the last record appended by this call, or the log's end when none was
};

/// Reading. Thread rule: any thread.
class LogReader {
 public:
  using Visitor = std::function<Status(const StoredRecord&)>;
  using PageVisitor = std::function<Status(std::span<const StoredRecord>)>;

  virtual ~LogReader() = default;

  /// The offset of the newest record; 0 for an empty log.
  virtual Result<Offset> end() = 0;

  /// Visits the records with offset in (after, up_to], in order, in short read transactions: a long replay holds up no
  /// checkpoint. Names of all visited ids are known when a record is visited. Stops at the visitor's first failure and
  /// returns it.
  Status replay(Offset after, Offset up_to, const Visitor& visit);

  /// The same, some thousand records at a time.
  virtual Status replay_pages(Offset after, Offset up_to, const PageVisitor& visit) = 0;

  /// The same as replay() for records of these kinds only, without reading others; not for events, of which there are
  /// too many to have an index.
  virtual Status replay_kinds(std::span<const RecordKind> kinds, Offset after, Offset up_to, const Visitor& visit) = 0;

  /// The same as replay() for one user's records only, without reading those of others. Records of identities that were
  /// merged into this user are not included: ask for each identity.
  virtual Status replay_user(UserId user, const Visitor& visit) = 0;

  /// The newest records of one kind, newest first, at most `limit`.
  virtual Result<std::vector<StoredRecord>> newest(RecordKind kind, int64_t limit) = 0;

  virtual Result<std::vector<ImportProgress>> imports() = 0;

  /// Ids and names; refreshed from the file by end() and replay().
  virtual const Dictionary& users() = 0;
  virtual const Dictionary& items() = 0;
  virtual const Dictionary& event_types() = 0;
};

/// Writing as well. One a data directory, held by a lock. Thread rule: any thread; appends of many threads share
/// commits.
class LogWriter : public LogReader {
 public:
  using Committed = std::function<void(std::span<const StoredRecord>)>;
  using Done = std::function<void(const Result<AppendOutcome>&)>;

  /// Puts the records in, in order, all or none; returns when they are on the disk (fsync). A record whose message id
  /// is known is skipped. Records must be valid (events/record.h); invalid_argument otherwise, and none is put in.
  /// resource_exhausted when the disk is full or the queue is, unavailable when it fails; nothing acknowledged is lost,
  /// the log stays readable, and writable once the disk is. failed_precondition when the log knows a later `progress`
  /// of the file that kept rows. An erasure deletes all records of its user and of every identity joined to that by
  /// merges, in either direction, and counts one record for each; of a user that the log does not know it does nothing
  /// and succeeds. Not to be called from `Done` or `Committed`: they run on the thread that it waits for.
  virtual Result<AppendOutcome> append(std::vector<Record> records, const ImportProgress* progress = nullptr) = 0;

  /// The same without waiting; `done` is called on the log's thread after the commit, and after `Committed`. When the
  /// records are not taken (invalid, queue full), it is called at once, on this thread.
  virtual void append_async(std::vector<Record> records, Done done) = 0;

  /// `committed` is called on the log's thread with what each commit put in, in offset order, before its appends
  /// return: what a replay from there would visit, so without records that the same commit erased. Set once, before the
  /// first append.
  virtual void on_committed(Committed committed) = 0;

  /// The committed progress for a file, if an import of it has begun.
  virtual Result<std::optional<ImportProgress>> import_progress(const std::string& file_digest) = 0;
};

/// failed_precondition when the log's record at `offset` is not that message: what was folded up to it is of another
/// log. Offset 0 is in every log.
Status check_is_in_log(LogReader& log, Offset offset, const MessageId& message);

}  // namespace perennial
