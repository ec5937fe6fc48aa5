#include "log/sqlite_log.h"

#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "log/log_fixture.h"
#include "log/log_schema.h"

namespace perennial {
namespace {

std::unique_ptr<LogWriter> open_or_fail(const fs::path& folder, const SqliteLogOptions& options = {}) {
  auto log = open_log(folder, options);
  EXPECT_TRUE(log.ok()) << log.status().message();
  return log.ok() ? *std::move(log) : nullptr;
}

AppendOutcome append_or_fail(LogWriter& log, std::vector<Record> records, const ImportProgress* progress = nullptr) {
  const Result<AppendOutcome> outcome = log.append(std::move(records), progress);
  EXPECT_TRUE(outcome.ok()) << outcome.status().message();
  return outcome.ok() ? *outcome : AppendOutcome();
}

std::vector<std::string> describe_user(LogReader& log, UserId user) {
  std::vector<std::string> all;
  const Status status =
      log.replay_user(user, [&](const StoredRecord& record) { return all.push_back(describe(record)), Status(); });
  EXPECT_TRUE(status.ok()) << status.message();
  return all;
}

TEST(SqliteLog, RecordsComeBackInOrderWithDenseIdsAfterReopening) {
  const TemporaryFolder folder;
  std::vector<std::string> before;
  {
    const auto log = open_or_fail(folder.path() / "new" / "folder");
    EXPECT_EQ(*log->end(), 0);
    Record rating = make_event("1", "ada", "film", kNoTime);
    std::get<Event>(rating.payload) = {4.5F, Money{-199, "EUR"}, -2, "slate-1", "tv", R"({"a": 1.0})"};
    const AppendOutcome outcome =
        append_or_fail(*log, {rating, make_event("2", "bob", "film"), make_event("3", "ada", "book")});
    EXPECT_EQ(outcome.appended, 3);
    EXPECT_EQ(outcome.last_offset, 3);
    EXPECT_EQ(*log->end(), 3);
    before = describe_all(*log);
    EXPECT_EQ(
        before.at(0),
        fmt::format(R"(1 event time {} user 0 into {} item 0 type 0 message {} body {{"recommendation_id":"slate-1",)"
                    R"("device":"tv","properties":{{"a": 1.0}}}} value 4.5 quantity -2 amount -199 EUR)",
                    kNoTime, kNoId, to_hex(message_id_of("1"))));
  }
  const auto log = open_or_fail(folder.path() / "new" / "folder");
  EXPECT_EQ(describe_all(*log), before);
  EXPECT_EQ(log->users().find("bob"), 1U);
  EXPECT_EQ(log->items().name(1), "book");
  EXPECT_EQ(log->event_types().size(), 1U);
}

TEST(SqliteLog, ReplayVisitsTheHalfOpenRangeAndStopsAtTheFirstFailure) {
  const TemporaryFolder folder;
  const auto log = open_or_fail(folder.path());
  std::vector<Record> records;
  for (int i = 1; i <= 50'000; ++i) records.push_back(make_event(std::to_string(i), "ada"));  // three pages
  append_or_fail(*log, std::move(records));
  Offset next = 5;
  ASSERT_TRUE(log->replay(4, 45'003,
                          [&](const StoredRecord& record) {
                            EXPECT_EQ(record.offset, next++);
                            return Status();
                          })
                  .ok());
  EXPECT_EQ(next, 45'004);
  int visited = 0;
  const Status stopped = log->replay(
      0, 50'000, [&](const StoredRecord&) { return ++visited == 3 ? invalid_argument("enough") : Status(); });
  EXPECT_EQ(stopped.message(), "enough");
  EXPECT_EQ(visited, 3);
  EXPECT_EQ(describe_user(*log, 0).size(), 50'000U);
}

TEST(SqliteLog, RepeatsAreSkippedWithinABatchAcrossBatchesAndAfterReopening) {
  const TemporaryFolder folder;
  {
    const auto log = open_or_fail(folder.path());
    const AppendOutcome first =
        append_or_fail(*log, {make_event("1", "ada"), make_event("1", "ada"), make_event("2", "ada")});
    EXPECT_EQ(first.appended, 2);
    EXPECT_EQ(first.repeated, 1);
    EXPECT_EQ(append_or_fail(*log, {make_event("2", "ada")}).repeated, 1);
  }
  const auto log = open_or_fail(folder.path());
  const AppendOutcome again = append_or_fail(*log, {make_event("1", "new user", "new item")});
  EXPECT_EQ(again.repeated, 1);
  EXPECT_EQ(again.last_offset, 2);
  EXPECT_EQ(log->users().size(), 1U);
  EXPECT_EQ(log->items().size(), 1U);
}

TEST(SqliteLog, AFailedTransactionAfterAStartForgetsNoRepeats) {
  const TemporaryFolder folder;
  const auto progress = [](int64_t rows) { return ImportProgress{"digest", "file", rows, rows, false}; };
  const ImportProgress later = progress(10);
  const ImportProgress earlier = progress(5);
  ASSERT_TRUE(open_or_fail(folder.path())->append({make_event("1", "ada"), make_event("2", "ada")}, &later).ok());
  const auto log = open_or_fail(folder.path());
  EXPECT_EQ(log->append({make_event("3", "eve")}, &earlier).status().code(), Code::failed_precondition);
  const AppendOutcome again = append_or_fail(*log, {make_event("1", "ada"), make_event("3", "eve")});
  EXPECT_EQ(again.repeated, 1);
  EXPECT_EQ(again.appended, 1);
  EXPECT_EQ(describe_user(*log, 0).size(), 2U) << "the chain is as it was";
}

TEST(SqliteLog, RepeatWindowIsTheNewestRecords) {
  const TemporaryFolder folder;
  const SqliteLogOptions options{.repeat_window = 3};
  for (int round = 0; round < 2; ++round) {
    SCOPED_TRACE(round);
    const auto log = open_or_fail(folder.path(), options);
    for (int i = 1; i <= 4; ++i) append_or_fail(*log, {make_event(fmt::format("{} {}", round, i), "ada")});
    EXPECT_EQ(append_or_fail(*log, {make_event(fmt::format("{} 2", round), "ada")}).repeated, 1);
    EXPECT_EQ(append_or_fail(*log, {make_event(fmt::format("{} 1", round), "ada")}).appended, 1);
  }
}

TEST(SqliteLog, InvalidRecordsRefuseTheirBatchAlone) {
  const TemporaryFolder folder;
  const auto log = open_or_fail(folder.path());
  Record nameless = make_event("2", "");
  Record no_message = make_event("3", "ada");
  no_message.message_id = {};
  for (const Record& bad : {nameless, no_message}) {
    const Result<AppendOutcome> refused = log->append({make_event("1", "ada"), bad});
    EXPECT_EQ(refused.status().code(), Code::invalid_argument);
    EXPECT_TRUE(refused.status().message().starts_with("record 2 of 2: ")) << refused.status().message();
  }
  EXPECT_EQ(*log->end(), 0);
  EXPECT_EQ(append_or_fail(*log, {make_event("1", "ada")}).appended, 1);
}

TEST(SqliteLog, BatchThatCannotFitFailsAloneAmongThoseThatShareItsCommit) {
  const TemporaryFolder folder;
  const auto log = open_or_fail(folder.path());
  std::vector<Record> records;
  for (int i = 0; i < 65'535; ++i) {
    records.push_back(make_event(fmt::format("t{}", i), "ada"));
    records.back().type = fmt::format("type {}", i);
  }
  append_or_fail(*log, std::move(records));
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::vector<std::future<Code>> codes;
  const auto submit = [&](Record record, bool wait) {
    auto promise = std::make_shared<std::promise<Code>>();
    codes.push_back(promise->get_future());
    log->append_async({std::move(record)}, [promise, released, wait](const Result<AppendOutcome>& outcome) {
      promise->set_value(outcome.ok() ? Code::ok : outcome.status().code());
      if (wait) released.wait();  // holds the log's thread, so that the next three share a transaction
    });
  };
  const auto of_type = [](std::string_view message, std::string_view user, std::string_view type) {
    Record record = make_event(message, user);
    record.type = type;
    return record;
  };
  submit(of_type("a", "ada", "type 1"), true);
  submit(of_type("b", "bob", "type 2"), false);
  submit(of_type("c", "carl", "one type too many"), false);
  submit(of_type("d", "dan", "type 3"), false);
  release.set_value();
  std::vector<Code> got;
  for (auto& code : codes) got.push_back(code.get());
  EXPECT_EQ(got, (std::vector<Code>{Code::ok, Code::ok, Code::invalid_argument, Code::ok}));
  EXPECT_EQ(log->users().find("carl"), std::nullopt);
  EXPECT_EQ(log->users().find("dan"), 2U);
  EXPECT_EQ(*log->end(), 65'538);
}

TEST(SqliteLog, AppendsOfManyThreadsAllArriveOnceAndCallbacksSeeThemInOrder) {
  const TemporaryFolder folder;
  std::vector<std::string> committed;
  std::vector<std::string> in_log;
  {
    const auto log = open_or_fail(folder.path());
    std::atomic<size_t> commits{0};
    log->on_committed([&](std::span<const StoredRecord> records) {
      ++commits;
      for (const StoredRecord& record : records) {
        EXPECT_FALSE(log->users().name(record.user).empty());
        committed.push_back(describe(record));
      }
    });
    constexpr int kThreads = 8;
    constexpr int kBatches = 50;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int b = 0; b < kBatches; ++b)
          append_or_fail(*log, {make_event(fmt::format("{} {} 1", t, b), fmt::format("user {}", t)),
                                make_event(fmt::format("{} {} 2", t, b), fmt::format("user {} {}", t, b))});
      });
    for (std::thread& thread : threads) thread.join();
    in_log = describe_all(*log);
    EXPECT_EQ(in_log.size(), 2U * kThreads * kBatches);
    EXPECT_EQ(*log->end(), 2 * kThreads * kBatches);
    EXPECT_LT(commits, size_t{kThreads * kBatches}) << "no commit was shared";
  }
  EXPECT_EQ(committed, in_log);
}

TEST(SqliteLog, FullQueueRefusesInsteadOfGrowing) {
  const TemporaryFolder folder;
  const auto log = open_or_fail(folder.path(), {.queue_limit_records = 2});
  std::promise<void> release;
  std::promise<void> holding;
  log->append_async({make_event("1", "ada")}, [&](const Result<AppendOutcome>&) {
    holding.set_value();
    release.get_future().wait();
  });
  holding.get_future().wait();
  std::promise<void> drained;
  log->append_async({make_event("2", "ada")}, [](const Result<AppendOutcome>& outcome) { EXPECT_TRUE(outcome.ok()); });
  log->append_async({make_event("3", "ada")}, [&](const Result<AppendOutcome>& outcome) {
    EXPECT_TRUE(outcome.ok());
    drained.set_value();
  });
  const Result<AppendOutcome> refused = log->append({make_event("4", "ada")});
  EXPECT_EQ(refused.status().code(), Code::resource_exhausted);
  release.set_value();
  drained.get_future().wait();
  const AppendOutcome larger_than_the_limit =
      append_or_fail(*log, {make_event("4", "ada"), make_event("5", "ada"), make_event("6", "ada")});
  EXPECT_EQ(larger_than_the_limit.last_offset, 6);
}

TEST(SqliteLog, ClosingCommitsWhatIsQueued) {
  const TemporaryFolder folder;
  int done = 0;
  {
    const auto log = open_or_fail(folder.path());
    for (int i = 0; i < 100; ++i)
      log->append_async({make_event(std::to_string(i), "ada")},
                        [&](const Result<AppendOutcome>& outcome) { done += outcome.ok() ? 1 : 0; });
  }
  EXPECT_EQ(done, 100);
  EXPECT_FALSE(fs::exists(folder.path() / "log.db-wal"));
  EXPECT_EQ(*open_or_fail(folder.path())->end(), 100);
}

TEST(SqliteLog, ReaderFollowsARunningWriterWithItsNames) {
  const TemporaryFolder folder;
  auto log = open_or_fail(folder.path(), {.checkpoint_wal_bytes = 1 << 16});
  append_or_fail(*log, {make_event("first", "user 0")});
  auto reader = *open_log_for_reading(folder.path());
  std::thread writer([&] {
    for (int i = 1; i <= 300; ++i)
      append_or_fail(*log, {make_event(std::to_string(i), fmt::format("user {}", i), fmt::format("item {}", i))});
  });
  Offset seen = 0;
  while (seen < 301) {
    const Status status = reader->replay(seen, std::numeric_limits<Offset>::max(), [&](const StoredRecord& record) {
      EXPECT_EQ(record.offset, seen + 1);
      EXPECT_EQ(reader->users().name(record.user), fmt::format("user {}", record.offset - 1));
      EXPECT_EQ(record.item == 0 ? "item" : reader->items().name(record.item),
                record.offset == 1 ? "item" : fmt::format("item {}", record.offset - 1));
      seen = record.offset;
      return Status();
    });
    ASSERT_TRUE(status.ok()) << status.message();
  }
  writer.join();
  log.reset();
  EXPECT_EQ(*reader->end(), 301);  // after the writer is gone, on the connection made while it ran
  auto later = open_log_for_reading(folder.path());
  ASSERT_TRUE(later.ok()) << later.status().message();
  EXPECT_EQ(describe_all(**later), describe_all(*reader));
}

TEST(SqliteLog, WalStaysBoundedUnderALongRunOfAppends) {
  const TemporaryFolder folder;
  constexpr int64_t kLimit = 256 << 10;
  const auto log = open_or_fail(folder.path(), {.checkpoint_wal_bytes = kLimit});
  uintmax_t largest = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<Record> records;
    for (int r = 0; r < 500; ++r) records.push_back(make_event(fmt::format("{} {}", i, r), fmt::format("user {}", r)));
    append_or_fail(*log, std::move(records));
    largest = std::max(largest, fs::file_size(folder.path() / "log.db-wal"));
  }
  EXPECT_LT(largest, uintmax_t{fs::file_size(folder.path() / "log.db")});
  EXPECT_LT(largest, uintmax_t{16 * kLimit});
}

TEST(SqliteLog, NewestOfAKindComesNewestFirst) {
  const TemporaryFolder folder;
  const auto log = open_or_fail(folder.path());
  std::vector<Record> records;
  for (int i = 1; i <= 10; ++i)
    records.push_back(i % 2 == 0 ? make_event(std::to_string(i), "ada") : make_merge(std::to_string(i), "ada", "bob"));
  append_or_fail(*log, std::move(records));
  const auto offsets = [&](RecordKind kind, int64_t limit) {
    std::vector<Offset> found;
    const auto newest = log->newest(kind, limit);
    EXPECT_TRUE(newest.ok()) << newest.status().message();
    for (const StoredRecord& record : *newest) found.push_back(record.offset);
    return found;
  };
  EXPECT_EQ(offsets(RecordKind::identity_merge, 3), (std::vector<Offset>{9, 7, 5}));
  EXPECT_EQ(offsets(RecordKind::event, 2), (std::vector<Offset>{10, 8}));
  EXPECT_EQ(offsets(RecordKind::action, 2), std::vector<Offset>());
  EXPECT_EQ(offsets(RecordKind::event, 0), std::vector<Offset>());
}

TEST(SqliteLog, ProgressIsCommittedWithItsRowsAndNeverGoesBack) {
  const TemporaryFolder folder;
  const std::string digest(64, 'a');
  {
    const auto log = open_or_fail(folder.path());
    EXPECT_EQ(*log->import_progress(digest), std::nullopt);
    const ImportProgress progress{digest, "events.csv", 10, 9, false};
    append_or_fail(*log, {make_event("1", "ada")}, &progress);
    const ImportProgress back{digest, "events.csv", 9, 8, false};
    const Result<AppendOutcome> refused = log->append({make_event("2", "ada")}, &back);
    EXPECT_EQ(refused.status().code(), Code::failed_precondition) << "and not " << code_name(refused.status().code());
    const ImportProgress empty_end{digest, "events.csv", 12, 9, true};
    append_or_fail(*log, {}, &empty_end);
  }
  const auto log = open_or_fail(folder.path());
  const auto progress = *log->import_progress(digest);
  ASSERT_TRUE(progress.has_value());
  EXPECT_EQ(progress->rows_read, 12);
  EXPECT_EQ(progress->rows_kept, 9);
  EXPECT_TRUE(progress->finished);
  EXPECT_EQ(log->imports()->size(), 1U);
  EXPECT_EQ(*log->end(), 1);
}

TEST(SqliteLog, SecondWriterIsRefusedWithThePidOfTheFirst) {
  const TemporaryFolder folder;
  const auto log = open_or_fail(folder.path());
  const auto second = open_log(folder.path());
  EXPECT_EQ(second.status().code(), Code::failed_precondition);
  EXPECT_NE(second.status().message().find(std::to_string(::getpid())), std::string::npos) << second.status().message();
}

TEST(SqliteLog, NewerFormatIsRefusedNamingBothVersions) {
  const TemporaryFolder folder;
  open_or_fail(folder.path()).reset();
  ASSERT_TRUE(Database::open((folder.path() / "log.db").string(), SQLITE_OPEN_READWRITE, "")
                  ->execute("PRAGMA user_version = 7")
                  .ok());
  for (const Status& status : {open_log(folder.path()).status(), open_log_for_reading(folder.path()).status()}) {
    EXPECT_EQ(status.code(), Code::failed_precondition);
    EXPECT_NE(status.message().find("has format 7, this program knows formats up to 1"), std::string::npos)
        << status.message();
  }
}

TEST(SqliteLog, FilesThatAreNotLogsAreDataLossAndStayAsTheyAre) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "log.db";
  const std::string text(5000, 'x');
  ASSERT_TRUE(write_file_atomically(path, text).ok());
  EXPECT_EQ(open_log(folder.path()).status().code(), Code::data_loss);
  EXPECT_EQ(open_log_for_reading(folder.path()).status().code(), Code::data_loss);
  EXPECT_EQ(*read_file(path), text);
  fs::remove(path);
  ASSERT_TRUE(Database::open(path.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "")
                  ->execute("CREATE TABLE other(x)")
                  .ok());
  const std::string other = *read_file(path);
  EXPECT_EQ(open_log(folder.path()).status().code(), Code::data_loss);
  EXPECT_EQ(*read_file(path), other);
}

TEST(SqliteLog, DamagedPagesAreDataLossAndNotACrash) {
  const TemporaryFolder folder;
  {
    const auto log = open_or_fail(folder.path());
    std::vector<Record> records;
    for (int i = 0; i < 5000; ++i) records.push_back(make_event(std::to_string(i), "ada"));
    append_or_fail(*log, std::move(records));
  }
  const fs::path path = folder.path() / "log.db";
  std::string bytes = *read_file(path);
  for (size_t page = 12; page * 4096 < bytes.size(); ++page) bytes.replace(page * 4096, 200, 200, '\xA5');
  ASSERT_TRUE(write_file_atomically(path, bytes).ok());
  const auto writer = open_log(folder.path());
  EXPECT_EQ(writer.status().code(), Code::data_loss) << writer.status().message();
  const auto reader = open_log_for_reading(folder.path());
  const Status status =
      reader.ok() ? (*reader)->replay(0, 5000, [](const StoredRecord&) { return Status(); }) : reader.status();
  EXPECT_EQ(status.code(), Code::data_loss) << status.message();
}

TEST(SqliteLog, ReadingWithoutALogSaysHowToMakeOne) {
  const TemporaryFolder folder;
  const Status missing = open_log_for_reading(folder.path()).status();
  EXPECT_EQ(missing.code(), Code::not_found);
  EXPECT_NE(missing.message().find("import"), std::string::npos) << missing.message();
  ASSERT_TRUE(write_file_atomically(folder.path() / "log.db", "").ok());
  EXPECT_EQ(open_log_for_reading(folder.path()).status().code(), Code::not_found);
}

/// Runs `body` in a child without root's rights, for whom permissions count. The child's exit code is `body`'s value.
int as_nobody(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(99);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SqliteLog, ReadOnlyFolderRefusesTheWriterAndServesTheReader) {
  const TemporaryFolder folder;
  append_or_fail(*open_or_fail(folder.path()), {make_event("1", "ada")});
  fs::permissions(folder.path() / "log.db", fs::perms(0444));
  fs::permissions(folder.path(), fs::perms(0555));
  EXPECT_EQ(as_nobody([&] {
              const Status refused = open_log(folder.path()).status();
              if (refused.code() != Code::failed_precondition) return 1;
              const auto reader = open_log_for_reading(folder.path());
              if (!reader.ok()) return 2;
              return describe_all(**reader).size() == 1 ? 0 : 3;
            }),
            0);
  fs::permissions(folder.path(), fs::perms(0755));
}

// The log against maps and vectors: random batches of all kinds, repeats, merges, erasures, and reopening in between.
class ModelLog {
 public:
  AppendOutcome append(const std::vector<Record>& records) {
    AppendOutcome outcome;
    for (const Record& record : records) {
      if (!messages_.insert(record.message_id).second && !joins_again(record))
        ++outcome.repeated;
      else if (std::holds_alternative<Erasure>(record.payload))
        erase(record, outcome);
      else
        put(record, outcome);
    }
    if (outcome.appended == 0) outcome.last_offset = end_;
    return outcome;
  }

  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> all;
    for (const auto& [offset, record] : records_) all.push_back(describe(record));
    return all;
  }

  [[nodiscard]] std::vector<std::string> of_user(UserId user) const {
    std::vector<std::string> all;
    for (const auto& [offset, record] : records_)
      if (record.user == user) all.push_back(describe(record));
    return all;
  }

  std::vector<std::string> users;  // by id; erased ones are empty
  std::vector<std::string> items;
  std::vector<std::string> event_types;
  std::set<UserId> erased_users;

  /// The message ids of erased records live in memory only.
  void reopen() {
    for (const MessageId& id : erased_messages_) messages_.erase(id);
    erased_messages_.clear();
  }

 private:
  /// An erasure has taken the merge back, and one of its users is here again.
  [[nodiscard]] bool joins_again(const Record& record) const {
    const auto* merge = std::get_if<IdentityMerge>(&record.payload);
    const auto known = [&](const std::string& name) { return std::ranges::find(users, name) != users.end(); };
    return merge != nullptr && known(record.user) != known(merge->into);
  }

  static uint32_t id_of(std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return names.push_back(name), static_cast<uint32_t>(names.size() - 1);
    return static_cast<uint32_t>(found - names.begin());
  }

  void put(const Record& record, AppendOutcome& outcome) {
    StoredRecord stored{++end_, record.message_id, record.time, kNoId, kNoId, kNoId, kNoEventType, record.payload};
    if (!record.user.empty()) stored.user = id_of(users, record.user);
    if (const auto* merge = std::get_if<IdentityMerge>(&record.payload)) {
      stored.into = id_of(users, merge->into);
      std::get<IdentityMerge>(stored.payload).into.clear();
    }
    if (!record.item.empty()) stored.item = id_of(items, record.item);
    if (!record.type.empty()) stored.type = static_cast<EventTypeId>(id_of(event_types, record.type));
    records_[end_] = stored;
    ++outcome.appended;
    outcome.last_offset = end_;
  }

  void erase(const Record& record, AppendOutcome& outcome) {
    const auto found = std::find(users.begin(), users.end(), record.user);
    if (found == users.end()) {
      messages_.erase(record.message_id);
      return;
    }
    std::set<UserId> joined = {static_cast<UserId>(found - users.begin())};
    for (size_t before = 0; before != joined.size();) {
      before = joined.size();
      for (const auto& [offset, stored] : records_) {
        if (stored.into == kNoId) continue;
        if (joined.contains(stored.user)) joined.insert(stored.into);
        if (joined.contains(stored.into)) joined.insert(stored.user);
      }
    }
    for (const auto& [offset, stored] : records_)
      if (joined.contains(stored.user)) erased_messages_.insert(stored.message_id);
    std::erase_if(records_, [&](const auto& entry) { return joined.contains(entry.second.user); });
    for (const UserId user : joined) users[user].clear();
    erased_users.insert(joined.begin(), joined.end());
    end_ += static_cast<Offset>(joined.size());
    outcome.appended += static_cast<int64_t>(joined.size());
    outcome.last_offset = end_;
  }

  std::map<Offset, StoredRecord> records_;
  std::set<MessageId> messages_;
  std::set<MessageId> erased_messages_;
  Offset end_ = 0;
};

/// The erasure records are checked by the set of their users: the order of the identities is the log's own affair.
std::vector<std::string> without_erasures(const std::vector<std::string>& records) {
  std::vector<std::string> rest;
  for (const std::string& record : records)
    if (record.find(" erasure ") == std::string::npos) rest.push_back(record);
  return rest;
}

void expect_equal(LogReader& log, const ModelLog& model) {
  ASSERT_EQ(without_erasures(describe_all(log)), model.all());
  ASSERT_EQ(log.users().size(), model.users.size());
  for (UserId user = 0; user < model.users.size(); ++user) {
    ASSERT_EQ(log.users().name(user), model.users[user]);
    const std::vector<std::string> chain = describe_user(log, user);
    ASSERT_EQ(without_erasures(chain), model.of_user(user));
    ASSERT_EQ(chain.size() - without_erasures(chain).size(), model.erased_users.contains(user) ? 1U : 0U);
  }
  for (uint32_t item = 0; item < model.items.size(); ++item) ASSERT_EQ(log.items().name(item), model.items[item]);
  for (uint32_t type = 0; type < model.event_types.size(); ++type)
    ASSERT_EQ(log.event_types().name(type), model.event_types[type]);
}

TEST(SqliteLog, AgreesWithAModelUnderRandomOperationsAndReopening) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TemporaryFolder folder;
    Random random(seed);
    const SqliteLogOptions options{.checkpoint_wal_bytes = 1 << 15};
    auto log = open_or_fail(folder.path(), options);
    auto reader = *open_log_for_reading(folder.path());
    ModelLog model;
    std::vector<Record> sent;
    for (int step = 0; step < 60; ++step) {
      std::vector<Record> batch;
      for (uint64_t i = random.below(12); i > 0; --i) {
        const uint64_t user = random.below(12);
        const std::string name = fmt::format("user {}", user);
        if (!sent.empty() && random.chance(0.1))
          batch.push_back(sent[random.below(sent.size())]);
        else if (random.chance(0.03))
          batch.push_back(make_erasure(fmt::format("{} {} {}", seed, step, i), name));
        else
          batch.push_back(random_record(random, name, fmt::format("user {}", (user + 1) % 12), "mark"));
        if (std::holds_alternative<IdentityMerge>(batch.back().payload) && random.chance(0.8)) batch.pop_back();
      }
      sent.insert(sent.end(), batch.begin(), batch.end());
      const AppendOutcome wanted = model.append(batch);
      const AppendOutcome got = append_or_fail(*log, std::move(batch));
      ASSERT_EQ(got.appended, wanted.appended);
      ASSERT_EQ(got.repeated, wanted.repeated);
      ASSERT_EQ(got.last_offset, wanted.last_offset);
      if (random.chance(0.1)) {
        log.reset();
        log = open_or_fail(folder.path(), options);
        model.reopen();
      }
      if (!random.chance(0.15)) continue;
      ASSERT_NO_FATAL_FAILURE(expect_equal(*log, model));
      ASSERT_NO_FATAL_FAILURE(expect_equal(*reader, model));
    }
    ASSERT_NO_FATAL_FAILURE(expect_equal(*log, model));
    ASSERT_NO_FATAL_FAILURE(expect_equal(*reader, model));
  }
}

}  // namespace
}  // namespace perennial
