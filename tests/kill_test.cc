// A process that appends and imports is killed again and again, at random moments, over the same data folder. What it
// acknowledged is there once; what it had not finished goes on. (A kill keeps the system's page cache: power cuts are
// log/durability_test.cc's matter.)
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "base/random.h"
#include "base/temporary_folder.h"
#include "log/importer.h"
#include "log/sqlite_log.h"

namespace perennial {
namespace {

constexpr int kKills = 50;
constexpr int kFileRows = 30'000;
constexpr size_t kHexDigits = 32;
constexpr Offset kAll = std::numeric_limits<Offset>::max();

Record make_record(int round, int thread, int number) {
  Record record;
  record.message_id = message_id_of(fmt::format("{} {} {}", round, thread, number));
  record.user = fmt::format("user {}", number % 50);
  record.item = fmt::format("item {}", number % 20);
  record.type = "viewed";
  record.payload = Event();
  return record;
}

/// Appends until it is killed, and writes the ids of what was acknowledged into the pipe.
void append_for_ever(LogWriter& log, int round, int thread, int pipe) {
  for (int number = 0;; number += 3) {
    std::vector<Record> records;
    std::string acknowledged;
    for (int i = 0; i < 3; ++i) {
      records.push_back(make_record(round, thread, number + i));
      acknowledged += to_hex(records.back().message_id);
    }
    if (!log.append(std::move(records)).ok()) ::_exit(3);
    if (::write(pipe, acknowledged.data(), acknowledged.size()) < 0) ::_exit(4);
  }
}

Result<ImportReport> import_into(LogWriter& log, const fs::path& file) {
  ImportOptions options;
  options.batch_records = 50;
  options.show_progress = false;
  return import_file(file, log, SystemClock(), options);
}

[[noreturn]] void run_child(const fs::path& data, const fs::path& file, int round, int pipe) {
  auto log = open_log(data);
  if (!log.ok()) ::_exit(2);
  std::thread first([&] { append_for_ever(**log, round, 0, pipe); });
  std::thread second([&] { append_for_ever(**log, round, 1, pipe); });
  if (!import_into(**log, file).ok()) ::_exit(5);
  while (true) ::pause();
}

/// Runs a child for `microseconds`, kills it, and returns the ids that it acknowledged.
std::vector<std::string> run_and_kill(const fs::path& data, const fs::path& file, int round, useconds_t microseconds) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    run_child(data, file, round, ends[1]);
  }
  ::close(ends[1]);
  std::string received;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
      received.append(buffer, static_cast<size_t>(got));
  });
  ::usleep(microseconds);
  ::kill(child, SIGKILL);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself: " << status;
  reader.join();
  ::close(ends[0]);
  std::vector<std::string> acknowledged;
  for (size_t at = 0; at + kHexDigits <= received.size(); at += kHexDigits)
    acknowledged.push_back(received.substr(at, kHexDigits));
  return acknowledged;
}

/// The file's rows that are in the log are exactly those of the committed progress.
void expect_progress_fits(LogReader& log, const std::set<std::string>& present, const MessageId& base) {
  const auto imports = log.imports();
  ASSERT_TRUE(imports.ok());
  const int64_t rows_read = imports->empty() ? 0 : imports->front().rows_read;
  for (int64_t row = 1; row <= kFileRows; ++row) {
    const std::string message = to_hex(derive_message_id(base, static_cast<uint64_t>(row)));
    ASSERT_EQ(present.contains(message), row <= rows_read) << "row " << row << ", progress " << rows_read;
  }
}

void take_new_records(LogReader& log, Offset& seen, std::set<std::string>& present) {
  const Status status = log.replay(seen, kAll, [&](const StoredRecord& record) {
    EXPECT_GT(record.offset, seen);
    seen = record.offset;
    EXPECT_TRUE(present.insert(to_hex(record.message_id)).second) << "twice: " << to_hex(record.message_id);
    return Status();
  });
  ASSERT_TRUE(status.ok()) << status.message();
}

TEST(Kill, AcknowledgedRecordsAndImportedRowsAreThereOnceAfterFiftyKills) {
  const TemporaryFolder folder(TemporaryFolder::Place::disk);
  const fs::path data = folder.path() / "data";
  const fs::path file = folder.path() / "events.csv";
  std::string text = "user_id,item_id,event,timestamp\n";
  for (int row = 1; row <= kFileRows; ++row)
    text += fmt::format("importer {},item {},viewed,{}\n", row % 90, row % 7, 1'600'000'000 + row);
  ASSERT_TRUE(write_file_atomically(file, text).ok());
  const MessageId base = *message_id_from_hex(to_hex(sha256(text)).substr(0, kHexDigits));

  constexpr uint64_t kSeed = 11;
  Random random(kSeed);
  std::set<std::string> present;
  Offset seen = 0;
  size_t acknowledged_in_all = 0;
  for (int round = 0; round < kKills; ++round) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << " round " << round);
    const auto acknowledged = run_and_kill(data, file, round, static_cast<useconds_t>(1000 + random.below(100'000)));
    acknowledged_in_all += acknowledged.size();
    auto log = open_log(data);
    ASSERT_TRUE(log.ok()) << log.status().message();
    ASSERT_NO_FATAL_FAILURE(take_new_records(**log, seen, present));
    for (const std::string& message : acknowledged) ASSERT_TRUE(present.contains(message)) << "lost: " << message;
    ASSERT_NO_FATAL_FAILURE(expect_progress_fits(**log, present, base));
  }
  EXPECT_GT(acknowledged_in_all, 100U) << "the children were killed before they did anything";

  auto log = open_log(data);
  ASSERT_TRUE(log.ok());
  const Result<ImportReport> resumed = import_into(**log, file);
  ASSERT_TRUE(resumed.ok()) << resumed.status().message();
  EXPECT_GT(resumed->resumed_at_row + resumed->already_imported, 0);
  ASSERT_NO_FATAL_FAILURE(take_new_records(**log, seen, present));
  ASSERT_NO_FATAL_FAILURE(expect_progress_fits(**log, present, base));
  EXPECT_EQ(log->get()->imports()->front().rows_read, kFileRows);
}

}  // namespace
}  // namespace perennial
