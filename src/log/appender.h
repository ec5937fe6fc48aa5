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

/// What the dictionaries say of a record's names; kNoId for a name that is new, or that the record has not.
struct KnownIds {
  UserId user = kNoId;
  ItemId item = kNoId;
  uint32_t type = kNoId;
};

struct Batch {
  std::vector<Record> records;
  std::vector<KnownIds> known;  // of the records: looked up by the thread that appends, so that the log's need not
  uint64_t erasures = 0;        // of users, before that
  size_t bytes = 0;             // of their JSON
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
    Statement insert_rows;  // kRowsAtOnce
    Statement insert_row;
    Statement insert_user;
    Statement insert_item;
    Statement insert_event_type;
    Statement put_chain;
    Statement put_progress;
    Eraser eraser;
  };
  struct WaitingRow {  // for SQLite
    RowPlace place;
    const Record* record = nullptr;
    MessageBytes message{};
    std::string body;
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
  Status put_record(Batch& batch, size_t index);
  [[nodiscard]] bool joins_again(const Record& record) const;
  Status put_erasure(Record& record, AppendOutcome& outcome);
  Status insert(const Record& record, RowPlace place, Record* source);
  Status insert_waiting();
  Status put_progress(const ImportProgress& progress);
  Status put_chains();
  Result<RowPlace> place_of(const Record& record, const KnownIds& known, uint64_t erasures);
  Result<uint32_t> id_of(std::string_view name, std::optional<uint32_t> known, PendingNames& names, uint32_t limit,
                         Statement& insert, const char* what);
  [[nodiscard]] Offset chain_end(UserId user) const { return user < chains_.size() ? chains_[user] : 0; }
  void move_chain(UserId user, Offset end);
  void warm_up(const Batch& batch, size_t first) const;
  void apply(std::vector<StoredRecord>& stored);
  void discard();

  Database database_;
  Names& names_;
  std::unique_ptr<Statements> statements_;
  RepeatWindow repeats_;
  std::vector<Offset> chains_;  // by user: its newest record, of the transaction that runs too; 0 for none
  std::unordered_map<std::string, ImportProgress> imports_;
  Offset end_ = 0;

  // Of the transaction that runs.
  PendingNames users_;
  PendingNames items_;
  PendingNames event_types_;
  std::vector<std::pair<UserId, Offset>> old_chains_;  // as they were before it, each before its first change
  std::unordered_map<std::string, ImportProgress> new_imports_;
  std::unordered_map<UserId, Offset> erased_at_;
  std::vector<PendingRow> rows_;
  std::vector<WaitingRow> waiting_;  // the newest of these, that are not in the table yet
  Offset last_offset_ = 0;
};

}  // namespace perennial
