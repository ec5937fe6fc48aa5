#include "log/importer.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "base/stop_signal.h"
#include "events/test_files.h"
#include "log/log_fixture.h"

namespace perennial {
namespace {

/// A log that refuses appends from the n-th on, as a full disk would.
class FailingLog final : public LogWriter {
 public:
  FailingLog(LogWriter& log, int appends) : log_(log), appends_(appends) {}
  Result<AppendOutcome> append(std::vector<Record> records, const ImportProgress* progress) override {
    if (appends_-- <= 0) return resource_exhausted("the disk is full");
    return log_.append(std::move(records), progress);
  }
  void append_async(std::vector<Record> records, Done done) override {
    log_.append_async(std::move(records), std::move(done));
  }
  void on_committed(Committed committed) override { log_.on_committed(std::move(committed)); }
  Result<std::optional<ImportProgress>> import_progress(const std::string& digest) override {
    return log_.import_progress(digest);
  }
  Result<Offset> end() override { return log_.end(); }
  Status replay_pages(Offset after, Offset up_to, const PageVisitor& visit) override {
    return log_.replay_pages(after, up_to, visit);
  }
  Status replay_kinds(std::span<const RecordKind> kinds, Offset after, Offset up_to, const Visitor& visit) override {
    return log_.replay_kinds(kinds, after, up_to, visit);
  }
  Status replay_user(UserId user, const Visitor& visit) override { return log_.replay_user(user, visit); }
  Result<std::vector<StoredRecord>> newest(RecordKind kind, int64_t limit) override { return log_.newest(kind, limit); }
  Result<std::vector<ImportProgress>> imports() override { return log_.imports(); }
  const Dictionary& users() override { return log_.users(); }
  const Dictionary& items() override { return log_.items(); }
  const Dictionary& event_types() override { return log_.event_types(); }

 private:
  LogWriter& log_;
  int appends_;
};

class Importer : public testing::Test {
 protected:
  Importer() {
    auto opened = open_log(folder_.path() / "data");
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    log_ = *std::move(opened);
    options_.rejects_file = folder_.path() / "rejects.tsv";
    options_.show_progress = false;
    options_.batch_records = 7;
  }

  fs::path write(std::string_view name, std::string_view text) {
    const fs::path path = folder_.path() / name;
    EXPECT_TRUE(write_file_atomically(path, text).ok());
    return path;
  }

  ImportReport import_or_fail(const fs::path& file) {
    const Result<ImportReport> report = import_file(file, *log_, clock_, options_);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? *report : ImportReport();
  }

  static std::string csv(int rows, int bad_every = 0) {
    std::string text = "user_id,item_id,event,timestamp\n";
    for (int row = 1; row <= rows; ++row) {
      const bool bad = bad_every > 0 && row % bad_every == 0;
      text += fmt::format("user {},item {},viewed,{}\n", row % 3, row % 5,
                          bad ? "no\\time" : std::to_string(1'600'000'000 + row));
    }
    return text;
  }

  TemporaryFolder folder_;
  std::unique_ptr<LogWriter> log_;
  FakeClock clock_{1'700'000'000'000};
  ImportOptions options_;
};

TEST_F(Importer, PutsEachRowInOnceInOrder) {
  const fs::path file = write("events.csv", csv(30));
  const ImportReport report = import_or_fail(file);
  EXPECT_EQ(report.rows, 30);
  EXPECT_EQ(report.kept, 30);
  EXPECT_EQ(report.rejected, 0);
  EXPECT_EQ(report.layout, "csv");
  EXPECT_FALSE(report.already_imported);
  EXPECT_TRUE(report.rejects_file.empty());
  EXPECT_FALSE(fs::exists(options_.rejects_file));
  TimeMs expected = 1'600'000'000'000;
  ASSERT_TRUE(log_->replay(0, 1000,
                           [&](const StoredRecord& record) {
                             EXPECT_EQ(record.time, expected += 1000);
                             return Status();
                           })
                  .ok());
  EXPECT_EQ(*log_->end(), 30);
}

TEST_F(Importer, SameBytesUnderAnotherNameAreAlreadyImported) {
  import_or_fail(write("events.csv", csv(30)));
  const ImportReport again = import_or_fail(write("copy.csv", csv(30)));
  EXPECT_TRUE(again.already_imported);
  EXPECT_EQ(again.rows, 0);
  EXPECT_EQ(*log_->end(), 30);
}

TEST_F(Importer, CutGzipPutsNothingInSoThatTheWholeOneComesOnce) {
  const std::string packed = gzip(csv(5000));
  for (const size_t length : {packed.size() / 2, packed.size() - 9, packed.size() - 1}) {
    const Result<ImportReport> cut =
        import_file(write("cut.csv.gz", packed.substr(0, length)), *log_, clock_, options_);
    EXPECT_EQ(cut.status().code(), Code::data_loss);
    EXPECT_NE(cut.status().message().find("nothing was put into the log"), std::string::npos) << cut.status().message();
    EXPECT_EQ(*log_->end(), 0);
  }
  EXPECT_EQ(import_or_fail(write("cut.csv.gz", packed)).kept, 5000);
  EXPECT_EQ(*log_->end(), 5000);
}

TEST_F(Importer, FailureNamesTheSafeRowAndTheNextRunGoesOnThere) {
  const fs::path file = write("events.csv", csv(30, 4));
  for (int appends = 0; appends < 5; ++appends) {
    FailingLog failing(*log_, 1);
    const Result<ImportReport> cut = import_file(file, failing, clock_, options_);
    ASSERT_EQ(cut.status().code(), Code::resource_exhausted);
    const std::optional<ImportProgress> progress = *log_->import_progress(log_->imports()->front().file_digest);
    ASSERT_TRUE(progress.has_value());
    const std::string safe =
        fmt::format("its first {} rows are in the log, run the import again to go on", progress->rows_read);
    EXPECT_NE(cut.status().message().find(safe), std::string::npos) << cut.status().message();
    if (progress->rows_read > 14) break;
  }
  const ImportReport report = import_or_fail(file);
  EXPECT_GT(report.resumed_at_row, 14);
  EXPECT_EQ(report.rows, 30 - report.resumed_at_row);
  EXPECT_EQ(*log_->end(), 23);
  const std::vector<MessageId> messages = all_messages(*log_);
  EXPECT_EQ(std::set(messages.begin(), messages.end()).size(), 23U);
  const std::string rejects = *read_file(options_.rejects_file);
  EXPECT_EQ(std::count(rejects.begin(), rejects.end(), '\n'), 1 + 7)
      << rejects;  // those of earlier runs as well, each once
}

TEST_F(Importer, RejectsFileSaysLineReasonAndText) {
  const ImportReport report = import_or_fail(write("events.csv", csv(10, 5)));
  EXPECT_EQ(report.kept, 8);
  EXPECT_EQ(report.rejected, 2);
  EXPECT_TRUE(report.first_reject.starts_with("line 6: ")) << report.first_reject;
  EXPECT_EQ(report.rejects_file, options_.rejects_file);
  const std::string rejects = *read_file(options_.rejects_file);
  EXPECT_TRUE(rejects.starts_with("line\treason\ttext\n6\t")) << rejects;
  EXPECT_NE(rejects.find("\tuser 2,item 0,viewed,no\\\\time\n"), std::string::npos) << rejects;
  EXPECT_NE(rejects.find("\n11\t"), std::string::npos) << rejects;
}

TEST_F(Importer, StrictNamesTheFirstBadRowAndKeepsNothingSoThatTheMendedFileComesOnce) {
  options_.strict = true;
  const fs::path file = write("events.csv", csv(30, 17));
  const Result<ImportReport> report = import_file(file, *log_, clock_, options_);
  EXPECT_EQ(report.status().code(), Code::invalid_argument);
  EXPECT_NE(report.status().message().find("line 18"), std::string::npos) << report.status().message();
  EXPECT_NE(report.status().message().find("nothing was put into the log"), std::string::npos)
      << report.status().message();
  EXPECT_EQ(*log_->end(), 0);
  EXPECT_FALSE(fs::exists(options_.rejects_file));
  EXPECT_EQ(import_or_fail(write("events.csv", csv(30))).kept, 30);
}

TEST_F(Importer, RecordThatTheLogWouldRefuseRejectsItsRowAlone) {
  const std::string text = csv(3) + "user 1,item 1,viewed,1900000000\n";  // in the future of the clock
  const ImportReport report = import_or_fail(write("events.csv", text));
  EXPECT_EQ(report.kept, 3);
  EXPECT_EQ(report.rejected, 1);
  EXPECT_NE(report.first_reject.find("future"), std::string::npos) << report.first_reject;
}

TEST_F(Importer, FileOfWhichNothingWasKeptMayBeImportedAgain) {
  std::string text = "who,item_id,event,timestamp\n";
  for (int row = 0; row < 20; ++row) text += ",a,viewed,1600000000\n";  // batches of 7
  const fs::path file = write("events.csv", text);
  options_.reader.columns = {{"user_id", "who"}};
  EXPECT_EQ(import_or_fail(file).kept, 0);
  options_.reader.columns = {{"user_id", "event"}};
  const ImportReport report = import_or_fail(file);
  EXPECT_FALSE(report.already_imported);
  EXPECT_EQ(report.resumed_at_row, 0);
  EXPECT_EQ(report.kept, 20);
  EXPECT_TRUE(import_or_fail(file).already_imported);
}

TEST_F(Importer, SequencesHaveNoTimesAndWhatItemsFilesSayIsSaidNow) {
  import_or_fail(write("sequences.txt", "1 5 6 7\n2 8 9\n3 1 2 3 4\n"));
  import_or_fail(write("items.csv", "item_id,title\n5,Five\n6,Six\n"));
  std::vector<TimeMs> times;
  ASSERT_TRUE(
      log_->replay(0, 1000, [&](const StoredRecord& record) { return times.push_back(record.time), Status(); }).ok());
  std::vector<TimeMs> expected(9, kNoTime);
  expected.resize(11, clock_.now_ms());
  EXPECT_EQ(times, expected);
}

TEST_F(Importer, MissingFileIsNotFound) {
  EXPECT_EQ(import_file(folder_.path() / "none.csv", *log_, clock_, options_).status().code(), Code::not_found);
}

TEST_F(Importer, RejectsFileThatCannotBeMadeFailsBeforeItsBatch) {
  options_.rejects_file = folder_.path() / "no such folder" / "rejects.tsv";
  const Result<ImportReport> report = import_file(write("events.csv", csv(30, 2)), *log_, clock_, options_);
  EXPECT_EQ(report.status().code(), Code::not_found);
  EXPECT_NE(report.status().message().find("rejects.tsv"), std::string::npos) << report.status().message();
}

// In a process of its own: the stop flag, once set, stays.
TEST(ImporterStop, StopsAtTheCommittedRowAndGoesOnLater) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "sequences.txt";
  std::string text = "u1";
  for (int i = 0; i < 5000; ++i) text += fmt::format(" item{}", i);
  ASSERT_TRUE(write_file_atomically(file, text + "\n").ok());
  ImportOptions options;
  options.show_progress = false;
  const pid_t child = ::fork();
  if (child == 0) {
    install_stop_signals();
    ::raise(SIGTERM);
    auto log = open_log(folder.path() / "data");
    if (!log.ok()) ::_exit(1);
    const Result<ImportReport> report = import_file(file, **log, SystemClock(), options);
    const bool told = report.status().message().find("its first 1,024 rows are in the log") != std::string::npos;
    log->reset();
    ::_exit(report.status().code() == Code::cancelled && told ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  auto log = open_log(folder.path() / "data");
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(*(*log)->end(), 1024);
  const Result<ImportReport> report = import_file(file, **log, SystemClock(), options);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->resumed_at_row, 1024);
  EXPECT_EQ(*(*log)->end(), 5000);
}

}  // namespace
}  // namespace perennial
