#include "log/sqlite_writer.h"

#include <future>

#include "log/log_schema.h"

namespace perennial {
namespace {

// One transaction holds about so many records, so that an append waits no longer than a fraction of a second.
constexpr size_t kGroupRecords = 50'000;
constexpr size_t kGroupBytes = 32 << 20;

// Time is checked against the clock where records come in; here only their form counts, so that a log can be copied.
constexpr TimeMs kAnyTime = 253'402'300'799'999;  // the end of year 9999

/// The fault is of the disk, not of one batch: the others would fail as well.
bool is_storage_failure(const Status& status) {
  return status.code() != Code::invalid_argument && status.code() != Code::failed_precondition &&
         status.code() != Code::data_loss;
}

Status check_records(std::span<const Record> records) {
  for (size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    Status status = validate(record, kAnyTime);
    if (status.ok() && record.message_id.is_zero())
      status = invalid_argument("a record needs a message id, this one is zero");
    if (!status.ok()) return status.with_context(fmt::format("record {} of {}", i + 1, records.size()));
  }
  return {};
}

}  // namespace

SqliteWriter::SqliteWriter(FileLock lock, const fs::path& data_folder, const SqliteLogOptions& options)
    : lock_(std::move(lock)), options_(options), reader_(data_folder, options.vfs, names_, visible_end_) {}

Result<std::unique_ptr<SqliteWriter>> SqliteWriter::open(const fs::path& data_folder, const SqliteLogOptions& options) {
  PERENNIAL_TRY(make_folder(data_folder));
  PERENNIAL_TRY_ASSIGN(FileLock lock,
                       FileLock::acquire(data_folder / "lock", "one process writes to a data directory at a time"));
  std::unique_ptr<SqliteWriter> writer(new SqliteWriter(std::move(lock), data_folder, options));
  PERENNIAL_TRY(writer->start(data_folder));
  return writer;
}

Status SqliteWriter::start(const fs::path& data_folder) {
  PERENNIAL_TRY_ASSIGN(Database writing, open_for_writing(data_folder, options_.vfs));
  PERENNIAL_TRY_ASSIGN(appender_, Appender::open(std::move(writing), names_, options_.repeat_window));
  PERENNIAL_TRY_ASSIGN(Database checkpointing, open_for_writing(data_folder, options_.vfs));
  checkpointer_ = std::make_unique<Checkpointer>(std::move(checkpointing), options_.checkpoint_wal_bytes);
  visible_end_ = appender_->end();

  sqlite3* database = appender_->database().get();
  PERENNIAL_TRY_ASSIGN(const int64_t page_bytes, appender_->database().query_integer("PRAGMA page_size"));
  constexpr auto report = [](void* self, sqlite3*, const char*, int pages) {
    auto* writer = static_cast<SqliteWriter*>(self);
    writer->checkpointer_->wal_is(pages * writer->wal_page_bytes_);
    return SQLITE_OK;
  };
  wal_page_bytes_ = page_bytes + 24;
  sqlite3_wal_hook(database, report, this);
  checkpointer_->request_truncate();
  thread_ = std::thread([this] { run(); });
  return {};
}

SqliteWriter::~SqliteWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  waiting_.notify_all();
  if (thread_.joinable()) thread_.join();
  checkpointer_.reset();
}

Result<AppendOutcome> SqliteWriter::append(std::vector<Record> records, const ImportProgress* progress) {
  std::promise<Result<AppendOutcome>> promise;
  std::future<Result<AppendOutcome>> outcome = promise.get_future();
  auto batch = std::make_unique<Batch>();
  batch->records = std::move(records);
  if (progress != nullptr) batch->progress = *progress;
  batch->done = [&](const Result<AppendOutcome>& result) { promise.set_value(result); };
  submit(std::move(batch));
  return outcome.get();
}

void SqliteWriter::append_async(std::vector<Record> records, Done done) {
  auto batch = std::make_unique<Batch>();
  batch->records = std::move(records);
  batch->done = std::move(done);
  submit(std::move(batch));
}

void SqliteWriter::submit(std::unique_ptr<Batch> batch) {
  Status status = check_records(batch->records);
  if (status.ok()) look_up_names(*batch);
  if (status.ok()) status = enqueue(batch);
  if (!status.ok()) batch->done(status);
}

void SqliteWriter::look_up_names(Batch& batch) const {
  batch.erasures = names_.users.erasures();
  batch.known.reserve(batch.records.size());
  for (const Record& record : batch.records)
    batch.known.push_back({.user = names_.users.find(record.user).value_or(kNoId),
                           .item = names_.items.find(record.item).value_or(kNoId),
                           .type = names_.event_types.find(record.type).value_or(kNoId)});
}

/// Takes the batch unless the queue is full.
Status SqliteWriter::enqueue(std::unique_ptr<Batch>& batch) {
  const auto count = static_cast<int64_t>(batch->records.size());
  for (const Record& record : batch->records) batch->bytes += json_bytes(record.payload);
  {
    const std::lock_guard lock(mutex_);
    const bool full = queued_records_ + count > options_.queue_limit_records ||
                      queued_bytes_ + batch->bytes > options_.queue_limit_bytes;
    if (queued_records_ > 0 && full)
      return resource_exhausted("the log's queue is full: {} records wait, {} may: send these {} again a little later",
                                queued_records_, options_.queue_limit_records, count);
    queued_records_ += count;
    queued_bytes_ += batch->bytes;
    queue_.push_back(std::move(batch));
  }
  waiting_.notify_one();
  return {};
}

void SqliteWriter::on_committed(Committed committed) {
  const std::lock_guard lock(mutex_);
  committed_ = std::move(committed);
}

Result<std::optional<ImportProgress>> SqliteWriter::import_progress(const std::string& file_digest) {
  PERENNIAL_TRY_ASSIGN(const std::vector<ImportProgress> all, reader_.imports());
  for (const ImportProgress& progress : all)
    if (progress.file_digest == file_digest) return std::optional(progress);
  return std::optional<ImportProgress>();
}

void SqliteWriter::run() {
  while (true) {
    const Group group = take_group();
    if (group.empty()) return;
    std::vector<Batch*> batches;
    for (const std::unique_ptr<Batch>& batch : group) batches.push_back(batch.get());
    commit_group(batches);
  }
}

/// Everything that waits, up to a transaction's size; nothing once the log closes and the queue is empty.
SqliteWriter::Group SqliteWriter::take_group() {
  std::unique_lock lock(mutex_);
  waiting_.wait(lock, [&] { return stop_ || !queue_.empty(); });
  Group group;
  size_t records = 0;
  size_t bytes = 0;
  const auto fits = [&](const Batch& batch) {
    return records + batch.records.size() <= kGroupRecords && bytes + batch.bytes <= kGroupBytes;
  };
  while (!queue_.empty() && (group.empty() || fits(*queue_.front()))) {
    records += queue_.front()->records.size();
    bytes += queue_.front()->bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_records_ -= static_cast<int64_t>(records);
  queued_bytes_ -= bytes;
  return group;
}

void SqliteWriter::commit_group(std::span<Batch* const> group) {
  const Status status = appender_->commit(group, stored_);
  if (status.ok()) {
    publish();
    for (Batch* batch : group) batch->done(batch->outcome);
  } else if (group.size() == 1 || is_storage_failure(status)) {
    for (Batch* batch : group) batch->done(status);
  } else {
    for (size_t i = 0; i < group.size(); ++i) commit_group(group.subspan(i, 1));
  }
}

void SqliteWriter::publish() {
  visible_end_ = appender_->end();
  Committed committed;
  {
    const std::lock_guard lock(mutex_);
    committed = committed_;
  }
  if (committed && !stored_.empty()) committed(stored_);
  for (const StoredRecord& record : stored_) {
    if (!std::holds_alternative<Erasure>(record.payload)) continue;
    checkpointer_->request_truncate();
    return;
  }
}

}  // namespace perennial
