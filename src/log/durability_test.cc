// What was acknowledged survives a power cut at any moment, and full or failing disks, exactly once.
#include <map>
#include <set>
#include <thread>

#include "log/fault_vfs.h"
#include "log/importer.h"
#include "log/log_fixture.h"

namespace perennial {
namespace {

constexpr int64_t kFileRows = 150;
constexpr Offset kAll = std::numeric_limits<Offset>::max();

/// The file that each run imports, and what its rows look like in the log.
struct ImportFile {
  TemporaryFolder folder;
  fs::path path = folder.path() / "events.csv";
  std::vector<MessageId> rows;

  ImportFile() {
    std::string text = "user_id,item_id,event,timestamp\n";
    for (int64_t row = 1; row <= kFileRows; ++row)
      text += fmt::format("importer,item-{},viewed,{}\n", row % 7, 1'600'000'000 + row);
    EXPECT_TRUE(write_file_atomically(path, text).ok());
    const MessageId base = *message_id_from_hex(to_hex(sha256(text)).substr(0, 32));
    for (int64_t row = 1; row <= kFileRows; ++row) rows.push_back(derive_message_id(base, static_cast<uint64_t>(row)));
  }

  [[nodiscard]] Result<ImportReport> import_into(LogWriter& log, int64_t batch_records) const {
    ImportOptions options;
    options.batch_records = batch_records;
    options.show_progress = false;
    options.rejects_file = folder.path() / "rejects.tsv";
    return import_file(path, log, SystemClock(), options);
  }
};

struct Acknowledged {
  std::vector<std::vector<MessageId>> by_thread;
  std::vector<MessageId> of_victim;
  bool victim_erased = false;
  bool victim_erasure_tried = false;
};

/// Appends batches of random size until one fails or there are enough; what was acknowledged, in order.
std::vector<MessageId> append_until_failure(LogWriter& log, uint64_t seed, int thread, int batches) {
  Random random(seed * 100 + static_cast<uint64_t>(thread));
  std::vector<MessageId> acknowledged;
  for (int batch = 0; batch < batches; ++batch) {
    std::vector<Record> records;
    std::vector<MessageId> messages;
    for (uint64_t i = 1 + random.below(12); i > 0; --i) {
      records.push_back(
          make_event(fmt::format("{} {} {}", thread, batch, i), fmt::format("user {} {}", thread, random.below(4))));
      std::get<Event>(records.back().payload).properties =
          fmt::format(R"({{"x":"{}"}})", std::string(random.below(300), 'x'));
      messages.push_back(records.back().message_id);
    }
    if (!log.append(std::move(records)).ok()) break;
    acknowledged.insert(acknowledged.end(), messages.begin(), messages.end());
  }
  return acknowledged;
}

void append_and_erase_victim(LogWriter& log, Acknowledged& acknowledged) {
  for (int i = 0; i < 5; ++i) {
    const Record record = make_event(fmt::format("victim {}", i), "victim");
    if (!log.append({record}).ok()) return;
    acknowledged.of_victim.push_back(record.message_id);
  }
  acknowledged.victim_erasure_tried = true;
  acknowledged.victim_erased = log.append({make_erasure("erase victim", "victim")}).ok();
}

Acknowledged run_until_cut(LogWriter& log, const ImportFile& file, uint64_t seed) {
  Acknowledged acknowledged;
  acknowledged.by_thread.resize(2);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back(
        [&, t] { acknowledged.by_thread[static_cast<size_t>(t)] = append_until_failure(log, seed, t, 12); });
  threads.emplace_back([&] { append_and_erase_victim(log, acknowledged); });
  (void)file.import_into(log, 16);
  for (std::thread& thread : threads) thread.join();
  return acknowledged;
}

using Places = std::map<MessageId, Offset>;

/// Where each message stands; fails when one stands twice or the order is broken.
Places places_of(LogReader& log) {
  Places places;
  Offset last = 0;
  const Status status = log.replay(0, kAll, [&](const StoredRecord& record) {
    EXPECT_GT(record.offset, last);
    last = record.offset;
    EXPECT_TRUE(places.emplace(record.message_id, record.offset).second) << "twice: " << to_hex(record.message_id);
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return places;
}

void expect_in_order(const Places& places, const std::vector<MessageId>& messages) {
  Offset last = 0;
  for (const MessageId& message : messages) {
    const auto place = places.find(message);
    ASSERT_NE(place, places.end()) << "an acknowledged record is lost";
    ASSERT_GT(place->second, last);
    last = place->second;
  }
}

void expect_chains_equal_replay(LogReader& log) {
  std::map<UserId, std::vector<Offset>> by_user;
  ASSERT_TRUE(
      log.replay(0, kAll,
                 [&](const StoredRecord& record) { return by_user[record.user].push_back(record.offset), Status(); })
          .ok());
  for (UserId user = 0; user < log.users().size(); ++user) {
    std::vector<Offset> chain;
    const Status status =
        log.replay_user(user, [&](const StoredRecord& record) { return chain.push_back(record.offset), Status(); });
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(chain, by_user[user]);
  }
}

/// The rows of the file that are there are exactly those that the progress names.
void expect_progress_fits(LogReader& log, const Places& places, const ImportFile& file) {
  const auto imports = log.imports();
  ASSERT_TRUE(imports.ok());
  const int64_t rows_read = imports->empty() ? 0 : imports->front().rows_read;
  for (int64_t row = 0; row < kFileRows; ++row)
    ASSERT_EQ(places.contains(file.rows[static_cast<size_t>(row)]), row < rows_read)
        << "row " << row + 1 << ", progress " << rows_read;
}

void expect_victim(LogReader& log, const Places& places, const Acknowledged& acknowledged) {
  const bool gone = !log.users().find("victim").has_value();
  EXPECT_TRUE(gone || !acknowledged.victim_erased);
  EXPECT_TRUE(!gone || acknowledged.victim_erasure_tried || acknowledged.of_victim.empty());
  if (gone) {
    for (const MessageId& message : acknowledged.of_victim) EXPECT_FALSE(places.contains(message));
  } else {
    expect_in_order(places, acknowledged.of_victim);
  }
}

void verify(const fs::path& folder, const ImportFile& file, const Acknowledged& acknowledged) {
  auto log = open_log(folder);
  ASSERT_TRUE(log.ok()) << log.status().message();
  const Places places = places_of(**log);
  for (const std::vector<MessageId>& messages : acknowledged.by_thread) expect_in_order(places, messages);
  expect_progress_fits(**log, places, file);
  expect_victim(**log, places, acknowledged);
  expect_chains_equal_replay(**log);

  const Result<ImportReport> resumed = file.import_into(**log, 1000);
  ASSERT_TRUE(resumed.ok()) << resumed.status().message();
  expect_in_order(places_of(**log), file.rows);
}

TEST(Durability, AcknowledgedRecordsSurvivePowerCutsExactlyOnce) {
  const ImportFile file;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TemporaryFolder folder;
    Random random(seed);
    Acknowledged acknowledged;
    {
      FaultVfs vfs(seed);
      vfs.cut_power_after(static_cast<int64_t>(random.below(random.chance(0.2) ? 40 : 500)));
      SqliteLogOptions options;
      options.vfs = vfs.name();
      options.checkpoint_wal_bytes = 1 << (13 + random.below(5));
      auto log = open_log(folder.path(), options);
      if (log.ok()) acknowledged = run_until_cut(**log, file, seed);
      if (random.chance(0.5)) vfs.cut_power_now();
      if (log.ok()) log->reset();
      vfs.cut_power_now();
    }
    verify(folder.path(), file, acknowledged);
    if (testing::Test::HasFailure()) return;
  }
}

/// Disks that fill up or fail for a while: each append tells the truth, and afterwards all goes on. Adds to `refused`.
void run_with_faults(uint64_t seed, int code, size_t& refused) {
  const TemporaryFolder folder;
  FaultVfs vfs(seed);
  Random random(seed);
  std::vector<MessageId> acknowledged;
  std::vector<std::string> committed;
  std::vector<std::string> in_log;
  {
    SqliteLogOptions options;
    options.vfs = vfs.name();
    options.checkpoint_wal_bytes = 1 << 15;
    auto log = open_log(folder.path(), options);
    ASSERT_TRUE(log.ok()) << log.status().message();
    (*log)->on_committed([&](std::span<const StoredRecord> records) {
      for (const StoredRecord& record : records) committed.push_back(describe(record));
    });
    vfs.fail_after(static_cast<int64_t>(random.below(60)), code, 1 + static_cast<int64_t>(random.below(20)));
    for (int batch = 0; batch < 60; ++batch) {
      const std::string name = fmt::format("user {}", random.below(30));
      Record record = random_record(random, name, name + " else", "mark");
      const MessageId message = record.message_id;
      Result<AppendOutcome> outcome = (*log)->append({record});
      while (!outcome.ok()) {
        ASSERT_TRUE(outcome.status().code() == Code::resource_exhausted || outcome.status().code() == Code::unavailable)
            << outcome.status().message();
        ASSERT_NE(outcome.status().message().find(code == SQLITE_FULL ? "do it again" : "check the disk"),
                  std::string::npos)
            << outcome.status().message();
        ++refused;
        outcome = (*log)->append({record});
      }
      ASSERT_EQ(outcome->appended, 1) << "a refused append was taken for a repeat";
      acknowledged.push_back(message);
    }
    in_log = describe_all(**log);
    const Status usable = (*log)->append({make_event("last", "ada")}).status();
    EXPECT_TRUE(usable.ok()) << usable.message();
  }
  EXPECT_EQ(committed.size(), 61U);
  vfs.cut_power_now();
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok()) << log.status().message();
  std::vector<std::string> after = describe_all(**log);
  ASSERT_EQ(after.size(), committed.size());
  EXPECT_TRUE(after == committed);
  after.pop_back();
  EXPECT_TRUE(after == in_log);
  expect_in_order(places_of(**log), acknowledged);
  expect_chains_equal_replay(**log);
}

TEST(Durability, FullDiskIsAClearErrorAndLosesNothing) {
  size_t refused = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    run_with_faults(seed, SQLITE_FULL, refused);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(refused, 60U);
}

TEST(Durability, FailingWritesAndSyncsAreClearErrorsAndLoseNothing) {
  size_t refused = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    run_with_faults(seed, seed % 2 == 0 ? SQLITE_IOERR_WRITE : SQLITE_IOERR_FSYNC, refused);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(refused, 60U);
}

TEST(Durability, FullDiskWhileTheLogIsMadeLeavesAFolderThatOpensLater) {
  for (int64_t operation = 0; operation < 20; ++operation) {
    SCOPED_TRACE(testing::Message() << "operation " << operation);
    const TemporaryFolder folder;
    FaultVfs vfs(static_cast<uint64_t>(operation));
    vfs.fail_after(operation, SQLITE_FULL, 3);
    SqliteLogOptions options;
    options.vfs = vfs.name();
    const Status first = open_log(folder.path(), options).status();
    EXPECT_TRUE(first.ok() || first.code() == Code::resource_exhausted || first.code() == Code::unavailable)
        << first.message();
    auto again = open_log(folder.path(), options);
    for (int attempt = 0; attempt < 3 && !again.ok(); ++attempt) again = open_log(folder.path(), options);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_TRUE((*again)->append({make_event("1", "ada")}).ok());
  }
}

TEST(Durability, ImportOnAFullDiskNamesTheSafeRowAndGoesOnLater) {
  const ImportFile file;
  int cuts = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TemporaryFolder folder;
    FaultVfs vfs(seed);
    SqliteLogOptions options;
    options.vfs = vfs.name();
    auto log = open_log(folder.path(), options);
    ASSERT_TRUE(log.ok());
    vfs.fail_after(static_cast<int64_t>(seed), SQLITE_FULL, 1);
    const Result<ImportReport> cut = file.import_into(**log, 16);
    if (!cut.ok()) {
      ++cuts;
      EXPECT_NE(cut.status().message().find("rows are in the log, run the import again to go on"), std::string::npos)
          << cut.status().message();
      expect_progress_fits(**log, places_of(**log), file);
    }
    ASSERT_TRUE(file.import_into(**log, 16).ok());
    expect_in_order(places_of(**log), file.rows);
    EXPECT_EQ(*(*log)->end(), kFileRows);
  }
  EXPECT_GE(cuts, 5) << "the disk was rarely full while the import wrote";
}

}  // namespace
}  // namespace perennial
