// Over a real log, because the report reads one.
#include "insight/behaviours.h"

#include "base/temporary_folder.h"
#include "insight/lives_fixture.h"
#include "log/sqlite_log.h"

namespace perennial {
namespace {

class BehavioursTest : public testing::Test {
 protected:
  void event(const std::string& user, TimeMs time, const std::string& type) {
    Record record;
    record.message_id = message_id_of(std::to_string(records_.size()));
    record.time = time;
    record.user = user;
    record.item = "item";
    record.type = type;
    record.payload = Event();
    records_.push_back(record);
  }
  void merge(const std::string& from, const std::string& into) {
    Record record;
    record.message_id = message_id_of(std::to_string(records_.size()));
    record.time = at("2025-01-02");
    record.user = from;
    record.payload = IdentityMerge{into};
    records_.push_back(record);
  }

  /// 20 users who say hello on day 1, of whom 15 buy on day 10; 40 who do not, of whom 10 do.
  void sixty_users() {
    for (int i = 0; i < 60; ++i) {
      const std::string user = fmt::format("u{}", i);
      event(user, kStart, "view");
      if (i < 20) event(user, kStart + kDayMs, "hello");
      if (i < 20) event(user, kStart + 2 * kDayMs, "hello");
      if (i < 15 || i >= 50) event(user, kStart + 10 * kDayMs, "order");
    }
  }

  Result<Table> report(const BehaviourOptions& options = {}, const char* now = "2025-03-01") {
    const auto log = open_log(folder_.path()).value();
    EXPECT_TRUE(log->append(records_).ok());
    const Offset end = log->end().value();
    Lives lives(small_definition(), log->event_types(), log->users());
    EXPECT_TRUE(log->replay(0, end, [&](const StoredRecord& record) { return lives.apply(record), Status(); }).ok());
    return early_behaviours(lives, *log, end, options, at(now));
  }

  const TimeMs kStart = at("2025-01-01");
  TemporaryFolder folder_;
  std::vector<Record> records_;
};

TEST_F(BehavioursTest, LiftByHand) {
  sixty_users();
  const Table table = report().value();
  ASSERT_EQ(table.rows.size(), 1U) << "everybody viewed, and orders came later";
  EXPECT_EQ(words(table, 0, "behaviour"), "hello");
  EXPECT_EQ(whole(table, 0, "users"), 20);
  EXPECT_DOUBLE_EQ(real(table, 0, "activated"), 0.75);
  EXPECT_DOUBLE_EQ(real(table, 0, "activated_without"), 0.25);
  EXPECT_NEAR(real(table, 0, "lift"), 3, 1e-12);
  EXPECT_GT(real(table, 0, "lift_low"), 1);
  EXPECT_EQ(words(table, 0, "verdict"), "activated more often");
  EXPECT_NE(table.explanation.find("60 users"), std::string::npos) << table.explanation;
}

TEST_F(BehavioursTest, WhoIsActivatedEarlyOrKnownTooShortIsNotCompared) {
  sixty_users();
  for (int i = 0; i < 30; ++i) {
    event(fmt::format("early{}", i), kStart, "hello");
    event(fmt::format("early{}", i), kStart + 6 * kDayMs, "order");
    event(fmt::format("late{}", i), at("2025-02-10"), "hello");
  }
  EXPECT_EQ(whole(report().value(), 0, "users"), 20);
}

TEST_F(BehavioursTest, LateDeedsAndLateActivationDoNotCount) {
  sixty_users();
  event("u30", kStart + 7 * kDayMs, "hello");
  event("u31", kStart + 40 * kDayMs, "order");
  const Table table = report().value();
  EXPECT_EQ(whole(table, 0, "users"), 20);
  EXPECT_DOUBLE_EQ(real(table, 0, "activated_without"), 0.25);
}

TEST_F(BehavioursTest, DeedsOfAMergedUserAreOfTheOneItBecame) {
  sixty_users();
  for (int i = 20; i < 30; ++i) {
    event(fmt::format("anonymous{}", i), kStart + kDayMs, "hello");
    event(fmt::format("u{}", i), kStart + kDayMs, "hello");  // said twice, by one user
    merge(fmt::format("anonymous{}", i), fmt::format("u{}", i));
  }
  const Table table = report().value();
  EXPECT_EQ(whole(table, 0, "users"), 30);
  EXPECT_DOUBLE_EQ(real(table, 0, "activated"), 0.5);
}

TEST_F(BehavioursTest, FewUsersProveNothing) {
  sixty_users();
  for (int i = 0; i < 9; ++i) event(fmt::format("u{}", i), kStart + kDayMs, "rare");
  EXPECT_EQ(report().value().rows.size(), 1U);
}

TEST_F(BehavioursTest, AskedWhatCannotBe) {
  sixty_users();
  for (const BehaviourOptions& options : {BehaviourOptions{7, 7}, {0, 30}, {7, int64_t{1} << 60}})
    EXPECT_EQ(report(options).status().code(), Code::invalid_argument);
}

TEST_F(BehavioursTest, NobodyYetIsNothing) {
  sixty_users();
  EXPECT_TRUE(report({}, "2025-01-20").value().rows.empty());
}

}  // namespace
}  // namespace perennial
