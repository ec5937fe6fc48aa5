#include "log/importer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <future>

#include "base/progress.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "events/byte_source.h"
#include "log/rejects_file.h"

namespace perennial {
namespace {

constexpr size_t kBatchBytes = 32 << 20;  // rows may have a megabyte each

struct FileIdentity {
  std::string digest;
  int64_t size_bytes = 0;
};

Result<FileIdentity> identify(const fs::path& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(std::fopen(file.c_str(), "rbe"), std::fclose);
  if (input == nullptr) return errno_status(errno, fmt::format("opening {}", file.string()));
  Sha256Stream digest;
  FileIdentity identity;
  std::vector<char> buffer(1 << 20);
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), input.get())) {
    digest.add({buffer.data(), got});
    identity.size_bytes += static_cast<int64_t>(got);
  }
  if (std::ferror(input.get()) != 0) return errno_status(errno, fmt::format("reading {}", file.string()));
  identity.digest = to_hex(digest.finish());
  return identity;
}

/// Reads a compressed file to its end. A cut or damaged one is refused before its first row is in the log: got again
/// whole it has another digest, and the rows kept of it would then come twice.
Status check_compressed(const fs::path& file, const FileIdentity& identity, bool show_progress) {
  PERENNIAL_TRY_ASSIGN(const std::unique_ptr<ByteSource> source, ByteSource::open(file));
  if (!source->compressed()) return {};
  Progress progress(fmt::format("checking {}", file.filename().string()), identity.size_bytes, "bytes");
  std::vector<char> buffer(1 << 20);
  while (true) {
    PERENNIAL_TRY_ASSIGN(const size_t got, source->read(buffer.data(), buffer.size()));
    if (got == 0) return {};
    if (show_progress) progress.update(source->bytes_read(), "");
    if (stop_requested()) return {Code::cancelled, fmt::format("the import of {} was stopped", file.string())};
  }
}

/// Sequence files have no times at all. Elsewhere an event without a time is known by its order only, too; but what a
/// file says of items and users, it says now.
bool needs_a_time(const Record& record, Layout layout) {
  return record.time == kNoTime && layout != Layout::sequence && !std::holds_alternative<Event>(record.payload);
}

/// One import: a thread that reads and checks rows, while the log commits the batch before.
class Import {
 public:
  Import(const fs::path& file, LogWriter& log, const Clock& clock, const ImportOptions& options)
      : file_(file), log_(log), clock_(clock), options_(options), rejects_(rejects_path(file, options.rejects_file)) {}

  Result<ImportReport> run() {
    const double started = monotonic_seconds();
    PERENNIAL_TRY(begin());
    if (!report_.already_imported) PERENNIAL_TRY(import_rows());
    report_.seconds = monotonic_seconds() - started;
    return report_;
  }

 private:
  Status begin() {
    PERENNIAL_TRY_ASSIGN(reader_, open_file(file_, options_.reader, clock_));
    PERENNIAL_TRY_ASSIGN(identity_, identify(file_));
    PERENNIAL_TRY_ASSIGN(id_base_, message_id_from_hex(std::string_view(identity_.digest).substr(0, 32)));
    PERENNIAL_TRY_ASSIGN(const std::optional<ImportProgress> before, log_.import_progress(identity_.digest));
    report_.layout = layout_name(reader_->layout());
    // A finished import that kept nothing had the wrong columns or layout: it may be done again with the right ones.
    if (before.has_value() && before->rows_kept > 0) {
      report_.already_imported = before->finished;
      report_.resumed_at_row = before->finished ? 0 : before->rows_read;
      safe_row_ = before->rows_read;
      kept_rows_ = before->rows_kept;
    }
    if (report_.already_imported) return {};
    Status status = check_compressed(file_, identity_, options_.show_progress);
    if (status.ok() && options_.strict) status = check_rows();
    return status.with_context("nothing was put into the log by this call");
  }

  Status import_rows() {
    Progress progress(fmt::format("importing {}", file_.filename().string()), identity_.size_bytes, "bytes");
    while (true) {
      PERENNIAL_TRY_ASSIGN(std::optional<Row> row, next_row());
      if (!row.has_value()) break;
      PERENNIAL_TRY(take(std::move(*row)));
      if (static_cast<int64_t>(batch_.size()) >= options_.batch_records || batch_bytes_ >= kBatchBytes)
        PERENNIAL_TRY(send_batch(false));
      if (row_ % 1024 != 0) continue;
      if (options_.show_progress) progress.update(reader_->bytes_read(), fmt::format("{} rows", with_commas(row_)));
      if (stop_requested()) return stop();
    }
    PERENNIAL_TRY(send_batch(true));
    PERENNIAL_TRY(await_batch());
    if (options_.show_progress) progress.finish(fmt::format("{} rows", with_commas(row_)));
    return {};
  }

  Result<std::optional<Row>> next_row() {
    Result<std::optional<Row>> row = reader_->next();
    if (row.ok()) return row;
    PERENNIAL_TRY(await_batch());
    return row.status().with_context(where());
  }

  /// --strict: all rows are looked at before the first one is stored, for the reason that check_compressed has.
  Status check_rows() {
    while (true) {
      Result<std::optional<Row>> row = reader_->next();
      if (!row.ok()) return row.status();
      if (!row->has_value()) break;
      const Status status = check(**row);
      if (!status.ok())
        return invalid_argument("{}, line {}: {}: mend the file, or import without --strict to leave bad rows out",
                                file_.string(), (*row)->line, status.message());
      if (stop_requested()) return {Code::cancelled, fmt::format("the import of {} was stopped", file_.string())};
    }
    row_ = 0;
    PERENNIAL_TRY_ASSIGN(reader_, open_file(file_, options_.reader, clock_));
    return {};
  }

  /// Counts the row, and makes its records whole.
  Status check(Row& row) {
    ++row_;
    Status status = row.status;
    for (size_t i = 0; status.ok() && i < row.records.size(); ++i) {
      complete(row.records[i], i);
      status = validate(row.records[i], clock_.now_ms());
    }
    return status;
  }

  /// Rows that an earlier run put in are read again only to list those that were rejected, so that the rejects file is
  /// whole.
  Status take(Row row) {
    const Status status = check(row);
    const bool known = row_ <= report_.resumed_at_row;
    if (!known) ++report_.rows;
    if (!status.ok()) return reject(row, status, known);
    if (known) return {};
    ++kept_rows_;
    for (const Record& record : row.records) batch_bytes_ += json_bytes(record.payload);
    batch_.insert(batch_.end(), std::make_move_iterator(row.records.begin()),
                  std::make_move_iterator(row.records.end()));
    return {};
  }

  void complete(Record& record, size_t index) {
    if (record.message_id.is_zero()) {
      record.message_id = derive_message_id(id_base_, static_cast<uint64_t>(row_));
      if (index > 0) record.message_id = derive_message_id(record.message_id, index);
    }
    if (needs_a_time(record, reader_->layout())) record.time = clock_.now_ms();
  }

  Status reject(const Row& row, const Status& status, bool known) {
    if (report_.first_reject.empty()) report_.first_reject = fmt::format("line {}: {}", row.line, status.message());
    report_.rejects_file = rejects_.path();
    if (!known) ++report_.rejected;
    return rejects_.add(row.line, status.message(), row.text);
  }

  /// Hands the batch to the log and waits for the one before it; the rows of this one are read meanwhile.
  Status send_batch(bool last) {
    PERENNIAL_TRY(rejects_.flush());
    PERENNIAL_TRY(await_batch());
    ImportProgress progress{identity_.digest, file_.filename().string(), row_, kept_rows_, last};
    sent_row_ = row_;
    batch_bytes_ = 0;
    outcome_ = std::async(std::launch::async, [this, batch = std::exchange(batch_, {}), progress]() mutable {
      return log_.append(std::move(batch), &progress);
    });
    return {};
  }

  Status await_batch() {
    if (!outcome_.valid()) return {};
    const Result<AppendOutcome> outcome = outcome_.get();
    if (!outcome.ok()) return outcome.status().with_context(where());
    report_.kept += outcome->appended;
    report_.repeated += outcome->repeated;
    safe_row_ = sent_row_;
    return {};
  }

  Status stop() {
    if (!batch_.empty()) PERENNIAL_TRY(send_batch(false));
    PERENNIAL_TRY(await_batch());
    return {Code::cancelled, fmt::format("the import of {} was stopped; {}", file_.string(), progress_so_far())};
  }

  [[nodiscard]] std::string progress_so_far() const {
    return fmt::format("its first {} rows are in the log, run the import again to go on", with_commas(safe_row_));
  }

  [[nodiscard]] std::string where() const {
    return fmt::format("importing {} ({})", file_.string(), progress_so_far());
  }

  const fs::path& file_;
  LogWriter& log_;
  const Clock& clock_;
  const ImportOptions& options_;
  RejectsFile rejects_;
  FileIdentity identity_;
  MessageId id_base_;
  std::unique_ptr<FileReader> reader_;
  ImportReport report_;

  int64_t row_ = 0;        // of the file, from 1: the one read last
  int64_t kept_rows_ = 0;  // of those, not rejected
  int64_t sent_row_ = 0;   // the last row of the batch on its way
  int64_t safe_row_ = 0;   // the last row that is on disk
  std::vector<Record> batch_;
  size_t batch_bytes_ = 0;  // of its JSON
  std::future<Result<AppendOutcome>> outcome_;
};

}  // namespace

fs::path rejects_path(const fs::path& file, const fs::path& chosen) {
  return chosen.empty() ? fs::path(file.filename().string() + ".rejects.tsv") : chosen;
}

Result<ImportReport> import_file(const fs::path& file, LogWriter& log, const Clock& clock,
                                 const ImportOptions& options) {
  return Import(file, log, clock, options).run();
}

}  // namespace perennial
