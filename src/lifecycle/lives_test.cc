#include "lifecycle/lives.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "lifecycle/stage_counts.h"
#include "profiles/snapshot_bytes.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kStart = 1'700'000'000'000;

class LivesTest : public testing::Test {
 protected:
  LivesTest() {
    for (const char* type : {"Product Viewed", "order_completed", "Sofa Tried Out", "Signed Up"}) types_.add(type);
    for (const char* name : {"zoe", "ann", "bob", "cid", "dan", "eve"}) users_.add(name);
  }

  StoredRecord record(UserId user, TimeMs time, Payload payload, EventTypeId type = kNoEventType) {
    StoredRecord record;
    record.offset = ++offset_;
    record.user = user;
    record.time = time;
    record.type = type;
    record.payload = std::move(payload);
    return record;
  }
  StoredRecord event(UserId user, TimeMs time, EventTypeId type, int64_t minor = 0) {
    Event event;
    if (minor != 0) event.amount = Money{minor, "USD"};
    return record(user, time, event, type);
  }
  StoredRecord invited(UserId user, TimeMs time, const std::string& inviter) {
    Event event;
    event.properties = fmt::format(R"({{"method":"referral","referred_by":"{}"}})", inviter);
    return record(user, time, event, 3);
  }
  size_t referrals_of(UserId user) {
    const Found<Life> life = lives_.find(user);
    return life == nullptr ? 0 : life->facts.of(*lives_.definition().find_signal("referral")).size();
  }
  StoredRecord merge(UserId from, UserId into) {
    StoredRecord merge = record(from, kStart, IdentityMerge{});
    merge.into = into;
    return merge;
  }

  Dictionary types_;
  Dictionary users_;
  Lives lives_{preset("e-commerce").value(), types_, users_};
  Offset offset_ = 0;
};

TEST_F(LivesTest, TypesCountAsTheirSignalsHoweverTheyAreSpelt) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(event(1, kStart + 1, 1, 5000));
  lives_.apply(event(1, kStart + 2, 2));
  const Found<Life> life = lives_.find(1);
  ASSERT_NE(life, nullptr);
  EXPECT_EQ(life->facts.of(*lives_.definition().find_signal("active")).size(), 2U);
  const auto value = life->facts.of(*lives_.definition().find_signal("value"));
  ASSERT_EQ(value.size(), 1U);
  EXPECT_EQ(value[0].total_minor, 5000);
  EXPECT_EQ(life->first_seen, kStart);
}

TEST_F(LivesTest, AnonymousVisitorsCountAndBecomeTheirUser) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(event(2, kStart + kDay, 1, 100));
  EXPECT_EQ(count_stages(lives_, kStart + kDay).in(Stage::acquisition), 1);
  EXPECT_EQ(count_stages(lives_, kStart + kDay).in(Stage::activation), 1);
  lives_.apply(merge(1, 2));
  const StageCounts counts = count_stages(lives_, kStart + kDay);
  EXPECT_EQ(counts.all(), 1);
  EXPECT_EQ(counts.in(Stage::activation), 1);
  EXPECT_EQ(lives_.find(1).get(), lives_.find(2).get());
  EXPECT_EQ(lives_.find(1)->first_seen, kStart);
}

TEST_F(LivesTest, ThePastIsCountedAsItWas) {
  lives_.apply(event(1, kStart, 1, 100));
  lives_.apply(event(2, kStart + 10 * kDay, 0));
  EXPECT_EQ(count_stages(lives_, kStart - 1).all(), 0);
  EXPECT_EQ(count_stages(lives_, kStart).all(), 1);
  EXPECT_EQ(count_stages(lives_, kStart + 200 * kDay).users[1][static_cast<size_t>(Overlay::churned)], 1);
}

TEST_F(LivesTest, AnErasedUserLeavesNothing) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(event(2, kStart, 0));
  lives_.apply(merge(1, 2));
  lives_.apply(record(1, kStart, Erasure{}));
  EXPECT_EQ(lives_.size(), 0U);
  EXPECT_EQ(lives_.find(2), nullptr);
}

TEST_F(LivesTest, EventsWithoutATimeMakeAUserKnownAndNoMore) {
  lives_.apply(event(1, kNoTime, 1, 100));
  ASSERT_NE(lives_.find(1), nullptr);
  EXPECT_TRUE(lives_.find(1)->facts.empty());
  EXPECT_EQ(count_stages(lives_, kStart).all(), 0) << "it is at no date";
}

TEST_F(LivesTest, TheOrderInWhichRecordsArriveDoesNotMatter) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    std::vector<StoredRecord> stream;
    for (int i = 0; i < 300; ++i)
      stream.push_back(event(static_cast<UserId>(random.below(6)),
                             kStart + static_cast<TimeMs>(random.below(400)) * kDay,
                             static_cast<EventTypeId>(random.below(3)), static_cast<int64_t>(random.below(9000))));
    stream.push_back(merge(0, 1));
    stream.push_back(merge(2, 1));
    Lives in_order(lives_.definition(), types_, users_);
    Lives shuffled(lives_.definition(), types_, users_);
    for (const StoredRecord& one : stream) in_order.apply(one);
    random.shuffle(std::span(stream));
    for (const StoredRecord& one : stream) shuffled.apply(one);
    for (int day = 0; day < 500; day += 7)
      ASSERT_EQ(count_stages(in_order, kStart + day * kDay).users, count_stages(shuffled, kStart + day * kDay).users)
          << "seed " << seed << " day " << day;
  }
}

TEST_F(LivesTest, AnOrderOfSeveralLinesIsOneEvent) {
  for (const int32_t line : {0, 1, 2}) {
    Event event;
    event.amount = Money{100 * (line + 1), "USD"};
    event.line = line;
    lives_.apply(record(1, kStart, event, 1));
  }
  const auto value = lives_.find(1)->facts.of(*lives_.definition().find_signal("value"));
  ASSERT_EQ(value.size(), 1U);
  EXPECT_EQ(value[0].total_minor, 600);
  EXPECT_EQ(value[0].offset, 1);
  lives_.apply(event(1, kStart, 1, 5));
  EXPECT_EQ(lives_.find(1)->facts.of(*lives_.definition().find_signal("value")).size(), 2U) << "an order of its own";
}

TEST_F(LivesTest, AnInviterIsCreditedOnceWhenTheInvitedUserComes) {
  lives_.apply(event(1, kStart, 0));
  EXPECT_EQ(referrals_of(1), 0U);
  lives_.apply(invited(2, kStart + kDay, "ann"));
  lives_.apply(invited(2, kStart + 2 * kDay, "ann"));
  EXPECT_EQ(referrals_of(1), 1U);
  EXPECT_EQ(lives_.touched().size(), 1U) << "the second time changes nothing of the inviter's";
  EXPECT_EQ(count_stages(lives_, kStart + kDay - 1).in(Stage::advocacy), 0);
  EXPECT_EQ(count_stages(lives_, kStart + kDay).in(Stage::advocacy), 1);
}

TEST_F(LivesTest, AnInviterWhoseIdIsANumberIsCredited) {
  users_.add("42");
  lives_.apply(event(6, kStart, 0));
  Event signed_up;
  signed_up.properties = R"({"invited_by":42})";
  lives_.apply(record(2, kStart + kDay, signed_up, 3));
  EXPECT_EQ(referrals_of(6), 1U);
}

TEST_F(LivesTest, TheEarliestInvitationCountsHoweverLateItIsHeardOf) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(event(3, kStart, 0));
  lives_.apply(invited(2, kStart + 5 * kDay, "ann"));
  lives_.apply(invited(2, kStart + kDay, "cid"));
  EXPECT_EQ(referrals_of(1), 0U);
  EXPECT_EQ(referrals_of(3), 1U);
}

TEST_F(LivesTest, AnInviterThatIsHeardOfLaterIsCreditedThen) {
  lives_.apply(invited(2, kStart + kDay, "ann"));
  lives_.apply(event(1, kStart, 0));
  EXPECT_EQ(referrals_of(1), 1U);
}

TEST_F(LivesTest, NobodyIsCreditedForInvitingHimself) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(invited(2, kStart + kDay, "ann"));
  lives_.apply(merge(2, 1));
  EXPECT_EQ(referrals_of(1), 0U);
  lives_.apply(invited(1, kStart + 2 * kDay, "ann"));
  EXPECT_EQ(referrals_of(1), 0U);
}

TEST_F(LivesTest, AMergedInviterKeepsItsReferrals) {
  lives_.apply(event(1, kStart, 0));
  lives_.apply(invited(2, kStart + kDay, "ann"));
  lives_.apply(merge(1, 3));
  EXPECT_EQ(referrals_of(3), 1U);
  lives_.apply(record(2, kStart + 3 * kDay, Erasure{}));
  EXPECT_EQ(referrals_of(3), 0U) << "what the erased guest said is gone";
}

TEST_F(LivesTest, ReplaySnapshotAndReplayAndWhatAnErasureLeavesAreTheSame) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const auto anyone = [&] { return static_cast<UserId>(random.below(6)); };
    Lives live(lives_.definition(), types_, users_);
    Lives restored(lives_.definition(), types_, users_);
    const TemporaryFolder out_of_memory;
    ASSERT_TRUE(restored.spill_to(out_of_memory.path()).ok());
    restored.set_budget(seed % 2 * 400);
    std::vector<StoredRecord> log;
    Identities identities;
    for (int i = 0; i < 60; ++i) {
      const TimeMs time = kStart + static_cast<TimeMs>(random.below(50)) * kDay;
      const double kind = random.uniform();
      StoredRecord next = kind < 0.5    ? event(anyone(), time, static_cast<EventTypeId>(random.below(4)), 100)
                          : kind < 0.8  ? invited(anyone(), time, users_.name(anyone()))
                          : kind < 0.95 ? merge(anyone(), anyone())
                                        : record(anyone(), time, Erasure{});
      if (next.into != kNoId) identities.merge(next.user, next.into);
      if (std::holds_alternative<Erasure>(next.payload)) {  // as the log does it: of all who are one by now
        const std::vector<UserId> gone = identities.all_of(next.user);
        std::erase_if(
            log, [&](const StoredRecord& one) { return std::find(gone.begin(), gone.end(), one.user) != gone.end(); });
        identities.forget(next.user);
      }
      log.push_back(next);
      live.apply(next);
      restored.apply(next);
      if (random.chance(0.1)) {
        Lives again(lives_.definition(), types_, users_);
        const TemporaryFolder folder;
        ASSERT_TRUE(live.save(folder.path(), at_once).ok());
        ASSERT_TRUE(again.load(folder.path()).ok());
        ASSERT_EQ(snapshot_bytes(again), snapshot_bytes(live));
        ASSERT_TRUE(restored.load(folder.path()).ok());
      }
    }
    Lives replayed(lives_.definition(), types_, users_);
    for (const StoredRecord& one : log) replayed.apply(one);
    ASSERT_EQ(snapshot_bytes(live), snapshot_bytes(restored)) << "seed " << seed;
    ASSERT_EQ(snapshot_bytes(live), snapshot_bytes(replayed)) << "seed " << seed;
  }
}

TEST_F(LivesTest, ASnapshotOfOtherSignalsOrCutShortIsRefused) {
  lives_.apply(event(1, kStart, 1, 100));
  lives_.apply(invited(2, kStart, "ann"));
  const TemporaryFolder folder;
  ASSERT_TRUE(lives_.save(folder.path(), at_once).ok());
  const fs::path path = folder.path() / "lives.snapshot";
  const std::string bytes = read_file(path).value();
  Lives content(preset("content").value(), types_, users_);
  EXPECT_EQ(content.load(folder.path()).code(), Code::failed_precondition);
  Lives read(lives_.definition(), types_, users_);
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_TRUE(write_file_atomically(path, bytes.substr(0, size)).ok());
    ASSERT_EQ(read.load(folder.path()).code(), Code::data_loss) << size;
    ASSERT_EQ(read.size(), 0U);
  }
  ASSERT_TRUE(write_file_atomically(path, bytes).ok());
  EXPECT_TRUE(read.load(folder.path()).ok());
}

}  // namespace
}  // namespace perennial
