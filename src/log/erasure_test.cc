#include "log/erasure.h"

#include <algorithm>
#include <set>

#include "log/log_fixture.h"
#include "log/log_schema.h"

namespace perennial {
namespace {

void append_all(LogWriter& log, std::vector<Record> records) {
  const Result<AppendOutcome> outcome = log.append(std::move(records));
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
}

std::vector<UserId> erased_users(LogReader& log) {
  std::vector<UserId> users;
  const Result<std::vector<StoredRecord>> records = log.newest(RecordKind::erasure, 1000);
  EXPECT_TRUE(records.ok());
  for (const StoredRecord& record : *records) users.push_back(record.user);
  std::sort(users.begin(), users.end());
  return users;
}

TEST(Erasure, LeavesNoByteOfTheUserInAnyFileAfterClosing) {
  const TemporaryFolder folder;
  {
    auto log = open_log(folder.path());
    ASSERT_TRUE(log.ok()) << log.status().message();
    std::vector<Record> records;
    Random random(7);
    for (int i = 0; i < 300; ++i) {
      const bool secret = i % 3 == 0;
      records.push_back(random_record(random, secret ? "secret-person" : "open-person", "open-friend",
                                      secret ? "SECRETMARK" : "OPENMARK"));
      if (!records.back().user.empty()) continue;
      records.pop_back();
    }
    std::erase_if(records, [](const Record& record) { return std::holds_alternative<IdentityMerge>(record.payload); });
    append_all(**log, std::move(records));
    append_all(**log, {make_erasure("erase", "secret-person")});
    EXPECT_EQ(erased_users(**log).size(), 1U);
    EXPECT_FALSE((*log)->users().find("secret-person").has_value());
  }
  EXPECT_EQ(files_with(folder.path(), "secret-person"), std::vector<std::string>());
  EXPECT_EQ(files_with(folder.path(), "SECRETMARK"), std::vector<std::string>());
  EXPECT_EQ(files_with(folder.path(), "open-person"), std::vector<std::string>{"log.db"});
}

TEST(Erasure, LeavesNoByteWhileTheLogStaysOpenAndAReaderStandsBeside) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  auto reader = open_log_for_reading(folder.path());
  ASSERT_TRUE(reader.ok());
  append_all(**log, {make_event("1", "secret-person"), make_event("2", "open-person")});
  EXPECT_EQ(*(*reader)->end(), 2);
  EXPECT_FALSE(files_with(folder.path(), "secret-person").empty());
  append_all(**log, {make_erasure("e", "secret-person")});
  // The WAL is emptied on another thread, soon after.
  for (int i = 0; i < 1000 && !files_with(folder.path(), "secret-person").empty(); ++i) ::usleep(10'000);
  EXPECT_EQ(files_with(folder.path(), "secret-person"), std::vector<std::string>());
  EXPECT_EQ(files_with(folder.path(), "open-person"), std::vector<std::string>{"log.db"});
}

Record marked_event(Random& random, int user) {
  Record record = make_event("", fmt::format("<person-{}>", user));
  record.message_id = {random.next(), random.next()};
  const size_t filling = random.chance(0.8) ? random.below(200) : 200 + random.below(3300);
  std::get<Event>(record.payload).properties =
      fmt::format(R"({{"m":"<mark-{}>","f":"{}"}})", user, std::string(filling, 'x'));
  return record;
}

// Deleting rows would make SQLite merge pages, which leaves copies of moved rows behind; with rows of these sizes in
// most runs some of them belong to users that are erased later. (Seen with DELETE in place of overwriting.)
TEST(Erasure, ManyErasuresBetweenAppendsLeaveNoCopyBehind) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TemporaryFolder folder;
    Random random(seed);
    std::set<int> erased;
    {
      auto log = open_log(folder.path());
      ASSERT_TRUE(log.ok());
      for (int round = 0; round < 40; ++round) {
        std::vector<Record> records;
        for (int i = 0; i < 60; ++i) {
          const int user = round + static_cast<int>(random.below(40));
          if (!erased.contains(user)) records.push_back(marked_event(random, user));
        }
        append_all(**log, std::move(records));
        for (int i = 0; i < 2; ++i) {
          const int victim = round + static_cast<int>(random.below(40));
          append_all(**log, {make_erasure(fmt::format("erase {} {}", round, i), fmt::format("<person-{}>", victim))});
          erased.insert(victim);
        }
      }
    }
    const std::string bytes = *read_file(log_path(folder.path()));
    for (const int user : erased) {
      EXPECT_EQ(bytes.find(fmt::format("<person-{}>", user)), std::string::npos) << user;
      EXPECT_EQ(bytes.find(fmt::format("<mark-{}>", user)), std::string::npos) << user;
    }
  }
}

// An erased row fills exactly the bytes that it had, so that SQLite overwrites it where it lies.
TEST(Erasure, OverwritesEachRowAtItsExactSize) {
  const TemporaryFolder folder;
  const auto unused_bytes = [&] {
    auto database = Database::open(log_path(folder.path()).string(), SQLITE_OPEN_READONLY, "");
    return *database->query_integer("SELECT sum(unused) FROM dbstat WHERE name IN ('records', 'users')");
  };
  Random random(3);
  {
    auto log = open_log(folder.path());
    ASSERT_TRUE(log.ok());
    std::vector<Record> records;
    for (size_t length = 0; length < 300; ++length) {  // over the lengths at which a varint grows
      Record record = make_event(fmt::format("{}", length), "ada");
      std::get<Event>(record.payload).properties = fmt::format(R"({{"x":"{}"}})", std::string(length, 'y'));
      records.push_back(std::move(record));
    }
    for (int i = 0; i < 2000; ++i) {
      Record record = random_record(random, "ada", "bob", "m");
      if (!record.user.empty() && !std::holds_alternative<IdentityMerge>(record.payload))
        records.push_back(std::move(record));
    }
    for (size_t length = 8100; length < 8300; ++length) {
      Record record = make_event(fmt::format("{}", length), "ada");
      std::get<Event>(record.payload).properties = fmt::format(R"({{"x":"{}"}})", std::string(length, 'y'));
      records.push_back(std::move(record));
    }
    records.push_back(make_event("last", "bob"));
    append_all(**log, std::move(records));
  }
  const int64_t before = unused_bytes();
  {
    auto log = open_log(folder.path());
    ASSERT_TRUE(log.ok());
    append_all(**log, {make_erasure("erase", "ada")});
  }
  auto database = Database::open(log_path(folder.path()).string(), SQLITE_OPEN_READWRITE, "");
  ASSERT_TRUE(database.ok());
  // The erasure record's own: cell pointer, payload size and key; header; kind, time, message.
  EXPECT_EQ(before - unused_bytes(), (2 + 1 + 2) + 15 + (1 + 2 + 16));
  EXPECT_EQ(*database->query_integer(
                "SELECT count(*) FROM records WHERE kind IS NULL AND coalesce(time, user, item, type, value, "
                "amount, currency, previous, merged_into, message) IS NULL AND body = zeroblob(length(body))"),
            *database->query_integer("SELECT count(*) - 2 FROM records"));
}

TEST(Erasure, TakesAllIdentitiesJoinedByMergesInEitherDirection) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  std::vector<Record> records;
  for (const char* user : {"phone", "laptop", "ada", "ada-old", "tablet", "bob", "bob-phone"})
    records.push_back(make_event(user, user));
  records.push_back(make_merge("m1", "phone", "ada"));
  records.push_back(make_merge("m2", "laptop", "ada"));
  records.push_back(make_merge("m3", "ada-old", "ada"));
  records.push_back(make_merge("m4", "tablet", "ada-old"));
  records.push_back(make_merge("m5", "bob-phone", "bob"));
  append_all(**log, std::move(records));
  const Result<AppendOutcome> outcome = (*log)->append({make_erasure("erase", "laptop")});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->appended, 5);
  EXPECT_EQ(erased_users(**log), (std::vector<UserId>{0, 1, 2, 3, 4}));
  std::vector<UserId> left;
  ASSERT_TRUE((*log)
                  ->replay(0, 1000,
                           [&](const StoredRecord& record) {
                             if (!std::holds_alternative<Erasure>(record.payload)) left.push_back(record.user);
                             return Status();
                           })
                  .ok());
  EXPECT_EQ(left, (std::vector<UserId>{5, 6, 6}));
  EXPECT_EQ((*log)->users().find("ada"), std::nullopt);
  EXPECT_EQ((*log)->users().find("bob"), 5U);
}

TEST(Erasure, OfAnUnknownUserAppendsNothingAndSucceeds) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  append_all(**log, {make_event("1", "ada")});
  for (int i = 0; i < 2; ++i) {
    const Result<AppendOutcome> outcome = (*log)->append({make_erasure("e", "nobody")});
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->appended, 0);
  }
  EXPECT_EQ(*(*log)->end(), 1);
}

TEST(Erasure, IsNotUndoneByWhatIsSaidOfKnownUsersOnly) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  append_all(**log, {make_event("1", "person"), make_event("2", "other")});
  const auto delivered = [](const char* message, const char* user) {
    Record record = make_event(message, user);
    record.item = record.type = "";
    record.payload = Delivery{"a", "delivered", ""};
    record.of_known_user = true;
    return record;
  };
  append_all(**log, {delivered("3", "person"), make_erasure("e", "person"), delivered("4", "person")});
  append_all(**log, {delivered("5", "person"), delivered("6", "other")});
  EXPECT_FALSE((*log)->users().find("person").has_value());
  const std::vector<StoredRecord> kept = (*log)->newest(RecordKind::delivery, 10).value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].user, (*log)->users().find("other"));
}

TEST(Erasure, SameUserComesBackAsANewOne) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  // All in one batch, so in one transaction: what comes before the erasure goes, what comes after stays.
  append_all(**log, {make_event("1", "ada"), make_erasure("e", "ada"), make_event("2", "ada")});
  EXPECT_EQ((*log)->users().find("ada"), 1U);
  EXPECT_EQ(describe_all(**log).size(), 2U);
  std::vector<MessageId> of_ada;
  ASSERT_TRUE(
      (*log)
          ->replay_user(1, [&](const StoredRecord& record) { return of_ada.push_back(record.message_id), Status(); })
          .ok());
  EXPECT_EQ(of_ada, std::vector<MessageId>{message_id_of("2")});
}

TEST(Erasure, IsNotUndoneByARepeatOfWhatWasErased) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  append_all(**log, {make_event("1", "ada")});
  append_all(**log, {make_erasure("e", "ada")});
  const Result<AppendOutcome> again = (*log)->append({make_event("1", "ada")});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->repeated, 1);
  EXPECT_EQ((*log)->users().find("ada"), std::nullopt);
}

TEST(Erasure, AMergeThatWasErasedJoinsAgainWhenItIsSaidAgain) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  const Record merge = make_merge("phone is ada, today", "phone", "ada");
  append_all(**log, {merge, make_event("1", "ada")});
  EXPECT_EQ((*log)->append({merge})->repeated, 1);
  append_all(**log, {make_erasure("e", "ada")});
  EXPECT_EQ((*log)->append({make_event("1", "ada"), merge})->repeated, 2) << "a late retry";
  EXPECT_EQ((*log)->users().find("ada"), std::nullopt);
  append_all(**log, {make_event("2", "ada"), merge, make_event("3", "phone")});
  append_all(**log, {make_erasure("e2", "ada")});
  EXPECT_EQ((*log)->users().find("phone"), std::nullopt) << "joined again, so erased as well";
  log->reset();
  EXPECT_TRUE(files_with(folder.path(), "phone").empty());
}

TEST(Erasure, ReaderOfAnotherConnectionForgetsTheName) {
  const TemporaryFolder folder;
  auto log = open_log(folder.path());
  ASSERT_TRUE(log.ok());
  append_all(**log, {make_event("1", "ada"), make_event("2", "bob")});
  auto reader = open_log_for_reading(folder.path());
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->users().name(0), "ada");
  append_all(**log, {make_erasure("e", "ada"), make_event("3", "ada")});
  EXPECT_EQ(*(*reader)->end(), 4);
  EXPECT_EQ((*reader)->users().name(0), "");
  EXPECT_EQ((*reader)->users().find("ada"), 2U);
}

}  // namespace
}  // namespace perennial
