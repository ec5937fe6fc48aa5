// The writing side of the SQLite log: a queue, one thread that commits everything waiting in one transaction, and the
// reader of the same process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "log/appender.h"
#include "log/checkpointer.h"
#include "log/sqlite_log.h"
#include "log/sqlite_reader.h"

namespace perennial {

class SqliteWriter final : public LogWriter {
 public:
  static Result<std::unique_ptr<SqliteWriter>> open(const fs::path& data_folder, const SqliteLogOptions& options);

  /// Commits what is queued, then closes.
  ~SqliteWriter() override;

  Result<AppendOutcome> append(std::vector<Record> records, const ImportProgress* progress) override;
  void append_async(std::vector<Record> records, Done done) override;
  void on_committed(Committed committed) override;
  Result<std::optional<ImportProgress>> import_progress(const std::string& file_digest) override;

  Result<Offset> end() override { return reader_.end(); }
  Status replay_pages(Offset after, Offset up_to, const PageVisitor& visit) override {
    return reader_.replay_pages(after, up_to, visit);
  }
  Status replay_kinds(std::span<const RecordKind> kinds, Offset after, Offset up_to, const Visitor& visit) override {
    return reader_.replay_kinds(kinds, after, up_to, visit);
  }
  Status replay_user(UserId user, const Visitor& visit) override { return reader_.replay_user(user, visit); }
  Result<std::vector<StoredRecord>> newest(RecordKind kind, int64_t limit) override {
    return reader_.newest(kind, limit);
  }
  Result<std::vector<ImportProgress>> imports() override { return reader_.imports(); }
  const Dictionary& users() override { return names_.users; }
  const Dictionary& items() override { return names_.items; }
  const Dictionary& event_types() override { return names_.event_types; }

 private:
  using Group = std::vector<std::unique_ptr<Batch>>;

  SqliteWriter(FileLock lock, const fs::path& data_folder, const SqliteLogOptions& options);

  Status start(const fs::path& data_folder);
  void look_up_names(Batch& batch) const;
  Status enqueue(std::unique_ptr<Batch>& batch);
  void submit(std::unique_ptr<Batch> batch);
  void run();
  Group take_group();
  void commit_group(std::span<Batch* const> group);
  void publish();

  const FileLock lock_;
  const SqliteLogOptions options_;
  Names names_;
  std::atomic<Offset> visible_end_{0};
  SqliteReader reader_;
  std::unique_ptr<Appender> appender_;  // used by thread_ alone once that runs
  std::unique_ptr<Checkpointer> checkpointer_;
  int64_t wal_page_bytes_ = 0;
  std::vector<StoredRecord> stored_;

  std::mutex mutex_;
  std::condition_variable waiting_;
  std::deque<std::unique_ptr<Batch>> queue_;
  int64_t queued_records_ = 0;
  size_t queued_bytes_ = 0;
  Committed committed_;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace perennial
