// One transaction at a time: batches of records into the log's tables, and what the writer keeps in memory beside them
// (names, repeats, ends of chains), which changes only when the transaction is committed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "log/erasure.h"
#include "log/event_log.h"
#include "log/names.h"
#include "log/pending_names.h"
#include "log/record_codec.h"
#include "log/repeat_window.h"
#include "log/sqlite.h"

namespace perennial {

struct Batch {
  std::vector<Record> records;
  size_t bytes = 0;  // of their JSON
  std::optional<ImportProgress> progress;
  LogWriter::Done done;
  AppendOutcome outcome;  // of the last commit() that succeeded with it
};

/// Thread rule: one thread at a time.
class Appender {
 public:
  /// Loads names, ends of chains and the repeat window.
  static Result<std::unique_ptr<Appender>> open(Database database, Names& names, int64_t repeat_window);

  /// All batches in one transaction on disk, or none and nothing changed. On success the batches' outcomes are set and
  /// `stored` is overwritten with what was put in, in offset order; payloads move there from the batches' records.
  Status commit(std::span<Batch* const> batches, std::vector<StoredRecord>& stored);

  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] Database& database() { return database_; }
  [[nodiscard]] const ImportProgress* progress(const std::string& file_digest) const;

 private:
  struct Statements {
    Statement insert_record;
    Statement insert_user;
    Statement insert_item;
    Statement insert_event_type;
    Statement put_chain;
    Statement put_progress;
    Eraser eraser;
  };
  struct PendingRow {
    RowPlace place;
    Record* record;  // null: a further identity's erasure, made here
    MessageId message_id;
    TimeMs time;
  };

  Appender(Database database, Names& names, int64_t repeat_window);

  Status load();
  Status load_chains();
  Status load_repeats(int64_t repeat_window);
  Status load_imports();
  Status prepare();

  Status put_batches(std::span<Batch* const> batches);
  Status put_batch(Batch& batch);
  Status put_record(Record& record, AppendOutcome& outcome);
  [[nodiscard]] bool joins_again(const Record& record) const;
  Status put_erasure(Record& record, AppendOutcome& outcome);
  Status insert(const Record& record, RowPlace place, Record* source);
  Status put_progress(const ImportProgress& progress);
  Status put_chains();
  Result<RowPlace> place_of(const Record& record);
  Result<uint32_t> id_of(std::string_view name, PendingNames& names, uint32_t limit, Statement& insert,
                         const char* what);
  [[nodiscard]] Offset chain_end(UserId user) const;
  void apply(std::vector<StoredRecord>& stored);
  void discard();

  Database database_;
  Names& names_;
  std::unique_ptr<Statements> statements_;
  RepeatWindow repeats_;
  std::vector<Offset> chains_;  // by user: the offset of the newest record, 0 for none
  std::unordered_map<std::string, ImportProgress> imports_;
  Offset end_ = 0;

  // Of the transaction that runs.
  PendingNames users_;
  PendingNames items_;
  PendingNames event_types_;
  RepeatWindow new_messages_;
  std::unordered_map<UserId, Offset> new_chains_;
  std::unordered_map<std::string, ImportProgress> new_imports_;
  std::unordered_map<UserId, Offset> erased_at_;
  std::vector<PendingRow> rows_;
  Offset last_offset_ = 0;
};

}  // namespace perennial
