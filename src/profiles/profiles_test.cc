// The fold's three equalities under random streams with late events, merges and erasures: by replay, by snapshot and
// replay, and in any batch split the same to the bit; and against a simple model that keeps every record.
#include <gtest/gtest.h>

#include <algorithm>

#include <filesystem>
#include <set>

#include "base/random.h"
#include "log/sqlite_log.h"
#include "profiles/snapshot_bytes.h"
#include "profiles/state.h"

namespace perennial {
namespace {

constexpr size_t kHistoryLimit = 7;
constexpr UserId kUsers = 9;
constexpr ItemId kItems = 12;

constexpr EventTypeId kHide = 4;

/// Types 0 and 1 are tokens, 2 is value without a token, 3 is ignored, 4 is negative.
void fill_types(Dictionary& types) {
  for (const char* name : {"view", "Order Completed", "Signed Up", "impression", "hide"}) types.add(name);
}

EventRoles test_roles() {
  EventRoles roles;
  EXPECT_TRUE(roles.set("view", "token target").ok());
  EXPECT_TRUE(roles.set("Order Completed", "token target value").ok());
  EXPECT_TRUE(roles.set("Signed Up", "value").ok());
  EXPECT_TRUE(roles.set("impression", "ignored").ok());
  return roles;
}

StoredRecord random_event(Random& random, Offset offset) {
  StoredRecord record;
  record.offset = offset;
  record.user = static_cast<UserId>(random.below(kUsers));
  record.type = static_cast<EventTypeId>(random.below(5));
  record.item = random.chance(0.9) ? static_cast<ItemId>(random.below(kItems)) : kNoId;
  // Few distinct times, so that ties and late events are common; some events have none.
  record.time = random.chance(0.1) ? kNoTime : static_cast<TimeMs>(1000 * random.below(40));
  Event event;
  if (random.chance(0.5)) event.value = static_cast<float>(random.below(6));
  if (random.chance(0.5))
    event.amount = Money{static_cast<int64_t>(random.below(1000)) - 200, random.chance(0.5) ? "EUR" : "USD"};
  if (random.chance(0.3)) event.device = random.chance(0.5) ? "mobile" : "desktop";
  record.payload = event;
  return record;
}

StoredRecord random_record(Random& random, Offset offset) {
  StoredRecord record = random_event(random, offset);
  const double draw = random.uniform();
  if (draw < 0.80) return record;
  record.type = kNoEventType;
  record.item = kNoId;
  if (draw < 0.88) {
    record.payload = UserTraits{fmt::format(R"({{"plan":"{}","n":{}}})", random.below(3), random.below(100))};
  } else if (draw < 0.93) {
    record.into = static_cast<UserId>(random.below(kUsers));
    record.payload = IdentityMerge{};
  } else if (draw < 0.96) {
    record.payload = Erasure{};
  } else {
    record.user = kNoId;
    record.item = static_cast<ItemId>(random.below(kItems));
    if (random.chance(0.8))
      record.payload = ItemUpsert{fmt::format(R"({{"title":"t{}","price":{}}})", offset, random.below(50))};
    else
      record.payload = ItemDelete{};
  }
  return record;
}

std::vector<StoredRecord> random_stream(uint64_t seed, int count) {
  Random random(seed);
  std::vector<StoredRecord> stream;
  Offset offset = 0;
  for (int i = 0; i < count; ++i)
    stream.push_back(random_record(random, offset += 1 + static_cast<Offset>(random.below(3))));
  return stream;
}

/// The fold as one would write it without caring for speed: all records of each person, sorted and cut when asked.
class SimpleProfiles {
 public:
  explicit SimpleProfiles(const std::vector<StoredRecord>& stream) {
    for (UserId user = 0; user < kUsers; ++user) person_[user] = user;
    for (const StoredRecord& record : stream) apply(record);
  }

  std::vector<Offset> history(UserId user) const {
    std::vector<const StoredRecord*> tokens;
    for (const StoredRecord& record : records_)
      if (record.user == person_.at(user) && record.type <= 1 && record.item != kNoId) tokens.push_back(&record);
    std::sort(tokens.begin(), tokens.end(),
              [](auto* a, auto* b) { return std::pair(a->time, a->offset) < std::pair(b->time, b->offset); });
    std::vector<Offset> offsets;
    for (size_t i = tokens.size() > kHistoryLimit ? tokens.size() - kHistoryLimit : 0; i < tokens.size(); ++i)
      offsets.push_back(tokens[i]->offset);
    return offsets;
  }

  int64_t value(UserId user, const std::string& currency) const {
    int64_t sum = 0;
    for (const StoredRecord& record : records_)
      if (const auto* event = std::get_if<Event>(&record.payload); event != nullptr && record.user == person_.at(user))
        if ((record.type == 1 || record.type == 2) && event->amount && event->amount->currency == currency)
          sum += event->amount->minor_units;
    return sum;
  }

  std::string plan(UserId user) const {
    const StoredRecord* latest = nullptr;
    for (const StoredRecord& record : records_)
      if (record.user == person_.at(user) && std::holds_alternative<UserTraits>(record.payload))
        if (latest == nullptr || std::pair(record.time, record.offset) > std::pair(latest->time, latest->offset))
          latest = &record;
    return latest == nullptr ? "" : std::get<UserTraits>(latest->payload).traits.substr(8, 3);
  }

  /// Items whose last word from the user is a negative one.
  std::set<ItemId> rejected(UserId user) const {
    std::map<ItemId, const StoredRecord*> last;
    for (const StoredRecord& record : records_) {
      if (record.user != person_.at(user) || record.item == kNoId || (record.type > 1 && record.type != kHide))
        continue;
      const StoredRecord*& known = last[record.item];
      if (known == nullptr || std::pair(record.time, record.offset) > std::pair(known->time, known->offset))
        known = &record;
    }
    std::erase_if(last, [](const auto& word) { return word.second->type != kHide; });
    std::set<ItemId> items;
    for (const auto& [item, record] : last) items.insert(item);
    return items;
  }

  size_t count(UserId user) const {
    return static_cast<size_t>(std::count_if(records_.begin(), records_.end(), [&](const StoredRecord& record) {
      return record.user == person_.at(user) && std::holds_alternative<Event>(record.payload);
    }));
  }

 private:
  void apply(StoredRecord record) {
    if (record.user == kNoId) return;
    record.user = person_[record.user];
    if (std::holds_alternative<Erasure>(record.payload)) {
      const UserId erased = record.user;
      std::erase_if(records_, [&](const StoredRecord& old) { return old.user == erased; });
      for (auto& [user, person] : person_)
        if (person == erased) person = user;
    } else if (std::holds_alternative<IdentityMerge>(record.payload)) {
      const UserId into = person_[record.into];
      for (StoredRecord& old : records_)
        if (old.user == record.user) old.user = into;
      for (auto& [user, person] : person_)
        if (person == record.user) person = into;
    } else {
      records_.push_back(record);
    }
  }

  std::vector<StoredRecord> records_;
  std::map<UserId, UserId> person_;
};

class StateTest : public ::testing::Test {
 protected:
  StateTest() { fill_types(types_); }

  State fold(const std::vector<StoredRecord>& stream, size_t begin = 0, size_t end = SIZE_MAX) {
    State state(test_roles(), types_, kHistoryLimit);
    for (size_t i = begin; i < std::min(end, stream.size()); ++i) state.apply(stream[i]);
    return state;
  }

  Dictionary types_;
};

TEST_F(StateTest, AgreesWithASimpleModelUnderLateEventsMergesAndErasures) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const auto stream = random_stream(seed, 300);
    const State state = fold(stream);
    const SimpleProfiles simple(stream);
    for (UserId user = 0; user < kUsers; ++user) {
      SCOPED_TRACE(user);
      const Found<Profile> profile = state.profiles().find(user);
      std::vector<Offset> history;
      size_t count = 0;
      if (profile != nullptr) {
        for (const HistoryToken& token : profile->history) history.push_back(static_cast<Offset>(token.offset));
        for (const auto& [type, number] : profile->event_counts) count += number;
      }
      EXPECT_EQ(history, simple.history(user));
      EXPECT_EQ(count, simple.count(user));
      const auto value = [&](const char* currency) {
        return profile != nullptr && profile->value_by_currency.contains(currency)
                   ? profile->value_by_currency.at(currency)
                   : 0;
      };
      EXPECT_EQ(value("EUR"), simple.value(user, "EUR"));
      EXPECT_EQ(value("USD"), simple.value(user, "USD"));
      EXPECT_EQ(profile != nullptr && profile->traits.contains("plan") ? profile->traits.at("plan").value : "",
                simple.plan(user));
    }
  }
}

TEST_F(StateTest, DrainedProfilesComeInOrderAndAreForgotten) {
  const State state = fold(random_stream(7, 300));
  Profiles profiles(test_roles(), types_, kHistoryLimit);
  for (const StoredRecord& record : random_stream(7, 300)) profiles.apply(record);
  std::vector<std::pair<UserId, Profile>> expected, drained;
  state.profiles().for_each([&](UserId user, const Profile& profile) { expected.emplace_back(user, profile); });
  profiles.drain([&](UserId user, const Profile& profile) {
    EXPECT_EQ(profiles.size() + drained.size() + 1, expected.size());
    drained.emplace_back(user, profile);
  });
  EXPECT_EQ(drained, expected);
  EXPECT_EQ(profiles.size(), 0U);
}

TEST_F(StateTest, AnItemIsRejectedWhileTheLastWordAboutItIsNegative) {
  size_t rejected = 0;
  for (uint64_t seed = 300; seed < 330; ++seed) {
    SCOPED_TRACE(seed);
    const auto stream = random_stream(seed, 300);
    State state(test_roles(), types_, Profiles::kUnlimited);
    for (const StoredRecord& record : stream) state.apply(record);
    const SimpleProfiles simple(stream);
    for (UserId user = 0; user < kUsers; ++user) {
      std::set<ItemId> items;
      if (const Found<Profile> profile = state.profiles().find(user); profile != nullptr)
        for (const auto& [item, rejection] : profile->rejected) items.insert(item);
      EXPECT_EQ(items, simple.rejected(user)) << user;
      rejected += items.size();
    }
  }
  EXPECT_GT(rejected, 300U);
}

TEST_F(StateTest, OfMoreRejectionsThanTokensKeptTheNewestStay) {
  State state(test_roles(), types_, kHistoryLimit);
  for (Offset i = 1; i <= 10; ++i)
    state.apply(
        {.offset = i, .time = 1000 - i, .user = 0, .item = static_cast<ItemId>(i), .type = kHide, .payload = Event{}});
  const Found<Profile> profile = state.profiles().find(0);
  ASSERT_NE(profile, nullptr);
  EXPECT_EQ(profile->rejected.size(), kHistoryLimit);
  EXPECT_TRUE(profile->rejected.contains(1) && !profile->rejected.contains(10));
}

TEST_F(StateTest, LongChainsOfMergesAreWalkedOnce) {
  constexpr UserId kChain = 50'000;  // quadratic work would take minutes
  State state(test_roles(), types_, kHistoryLimit);
  Offset offset = 0;
  const auto apply = [&](StoredRecord record) {
    record.offset = ++offset;
    state.apply(record);
  };
  for (UserId user = 0; user < kChain; ++user) apply({.user = user, .into = user + 1, .payload = IdentityMerge{}});
  EXPECT_EQ(state.profiles().identities_of(7).size(), kChain + 1);
  const std::string untouched = snapshot_bytes(state);
  for (UserId user = 0; user < kChain; ++user) apply({.user = 0, .item = 1, .type = 0, .payload = Event{}});
  ASSERT_NE(state.profiles().find(kChain), nullptr);
  const std::string bytes = snapshot_bytes(state);
  EXPECT_GT(bytes.size(), untouched.size());
  State again(test_roles(), types_, kHistoryLimit);
  const TemporaryFolder folder;
  ASSERT_TRUE(state.save(folder.path(), at_once).ok());
  ASSERT_TRUE(again.load(folder.path()).ok());
  EXPECT_EQ(snapshot_bytes(again), bytes);
  apply({.user = 3, .payload = Erasure{}});
  EXPECT_EQ(state.profiles().find(kChain), nullptr);
  EXPECT_EQ(state.profiles().identities_of(3), std::vector<UserId>{3});
}

TEST_F(StateTest, MoneyBeyondTheRangeStaysAtItsEnd) {
  State state(test_roles(), types_, kHistoryLimit);
  for (Offset i = 1; i <= 2; ++i) {
    Event event;
    event.amount = Money{INT64_MAX - 5, "EUR"};
    state.apply({.offset = i, .user = 0, .type = 1, .payload = event});
  }
  EXPECT_EQ(state.profiles().find(0)->value_by_currency.at("EUR"), INT64_MAX);
}

TEST_F(StateTest, SnapshotAndReplayGivesTheSameBytesAsReplay) {
  for (uint64_t seed = 100; seed < 130; ++seed) {
    SCOPED_TRACE(seed);
    const TemporaryFolder temporary;
    const fs::path& folder = temporary.path();
    const auto stream = random_stream(seed, 200);
    const std::string whole = snapshot_bytes(fold(stream));
    const size_t cut = Random(seed).below(stream.size());
    ASSERT_TRUE(fold(stream, 0, cut).save(folder, at_once).ok());
    State resumed(test_roles(), types_, kHistoryLimit);
    ASSERT_TRUE(resumed.load(folder).ok());
    for (size_t i = cut; i < stream.size(); ++i) resumed.apply(stream[i]);
    EXPECT_EQ(snapshot_bytes(resumed), whole);
  }
}

TEST_F(StateTest, OutOfMemoryOrNotTheStateIsTheSame) {
  for (uint64_t seed = 400; seed < 430; ++seed) {
    SCOPED_TRACE(seed);
    const TemporaryFolder folder;
    const auto stream = random_stream(seed, 300);
    State tight(test_roles(), types_, kHistoryLimit);
    ASSERT_TRUE(tight.spill_to(folder.path()).ok());
    tight.set_budget(seed % 3 * 1500);  // of nobody but who is changed, of one, of a few
    for (const StoredRecord& record : stream) tight.apply(record);
    EXPECT_LT(tight.users().memory_bytes(), 6000U);
    EXPECT_EQ(snapshot_bytes(tight), snapshot_bytes(fold(stream)));
    ASSERT_TRUE(tight.users().damage().ok());

    State loaded(test_roles(), types_, kHistoryLimit);
    ASSERT_TRUE(loaded.spill_to(folder.path()).ok());
    loaded.set_budget(1500);
    ASSERT_TRUE(tight.save(folder.path(), at_once).ok());
    ASSERT_TRUE(loaded.load(folder.path()).ok());
    EXPECT_EQ(snapshot_bytes(loaded), snapshot_bytes(tight));
    EXPECT_EQ(loaded.profiles().size(), tight.profiles().size());
  }
}

TEST_F(StateTest, ASnapshotIsOfTheMomentWhenItBeganWhateverHappensMeanwhile) {
  for (uint64_t seed = 500; seed < 530; ++seed) {
    SCOPED_TRACE(seed);
    const TemporaryFolder folder;
    auto stream = random_stream(seed, 300);
    State state(test_roles(), types_, kHistoryLimit);
    ASSERT_TRUE(state.spill_to(folder.path()).ok());
    state.set_budget(seed % 2 == 0 ? 2000 : SIZE_MAX);
    size_t at = 0;
    for (; at < 150; ++at) state.apply(stream[at]);
    State then = fold(stream, 0, 150);
    std::string expected;
    then.users().begin_snapshot();
    then.users().next_of_snapshot(SIZE_MAX, expected);
    UserStore<Profile>& users = state.users();
    users.begin_snapshot();
    std::string taken;
    for (bool more = true; more;) {
      more = users.next_of_snapshot(taken.size() + 1, taken);  // a user at a time
      for (int i = 0; i < 10; ++i) state.apply(stream[at++]);
    }
    EXPECT_EQ(taken, expected);
    EXPECT_FALSE(taken.empty());
    users.end_snapshot();
  }
}

TEST_F(StateTest, ReplayAfterErasuresWereCompactedGivesTheSameBytes) {
  for (uint64_t seed = 200; seed < 230; ++seed) {
    SCOPED_TRACE(seed);
    // What the log does on an erasure: every earlier record of the person goes, the tombstones stay, the names are new.
    const auto stream = random_stream(seed, 200);
    std::vector<StoredRecord> compacted;
    std::map<UserId, UserId> joined;
    const std::function<UserId(UserId)> root = [&](UserId user) {
      return joined.contains(user) && joined[user] != user ? root(joined[user]) : user;
    };
    std::set<UserId> gone;
    std::vector<StoredRecord> live;
    for (const StoredRecord& record : stream) {
      if (record.user != kNoId && gone.contains(record.user)) continue;  // an erased name gets a new id: none here
      if (std::holds_alternative<IdentityMerge>(record.payload) && gone.contains(record.into)) continue;
      live.push_back(record);
      if (std::holds_alternative<IdentityMerge>(record.payload)) joined[root(record.user)] = root(record.into);
      if (std::holds_alternative<Erasure>(record.payload)) {
        std::set<UserId> closure;
        for (UserId user = 0; user < kUsers; ++user)
          if (root(user) == root(record.user)) closure.insert(user);
        std::erase_if(compacted,
                      [&](const StoredRecord& old) { return old.user != kNoId && closure.contains(old.user); });
        gone.insert(closure.begin(), closure.end());
      }
      compacted.push_back(record);
    }
    EXPECT_EQ(snapshot_bytes(fold(compacted)), snapshot_bytes(fold(live)));
    for (const UserId user : gone) EXPECT_EQ(fold(live).profiles().find(user), nullptr) << user;
  }
}

TEST_F(StateTest, SnapshotOfOtherRolesOrWithAFlippedByteIsRefusedAndLeavesNothing) {
  const TemporaryFolder temporary;
  const fs::path& folder = temporary.path();
  const auto stream = random_stream(7, 100);
  ASSERT_TRUE(fold(stream).save(folder, at_once).ok());

  EventRoles other = test_roles();
  ASSERT_TRUE(other.set("impression", "token").ok());
  State with_other_roles(other, types_, kHistoryLimit);
  EXPECT_EQ(with_other_roles.load(folder).code(), Code::failed_precondition);

  std::string bytes = read_file(folder / "state.snapshot").value();
  for (const size_t place : {size_t{40}, bytes.size() / 2, bytes.size() - 1}) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] ^ 1);
    ASSERT_TRUE(write_file_atomically(folder / "state.snapshot", damaged).ok());
    State state(test_roles(), types_, kHistoryLimit);
    EXPECT_EQ(state.load(folder).code(), Code::data_loss) << place;
    EXPECT_EQ(snapshot_bytes(state), snapshot_bytes(State(test_roles(), types_, kHistoryLimit)));
  }
  ASSERT_TRUE(write_file_atomically(folder / "state.snapshot", bytes.substr(0, bytes.size() / 2)).ok());
  State cut(test_roles(), types_, kHistoryLimit);
  EXPECT_EQ(cut.load(folder).code(), Code::data_loss);
}

TEST(State, CatchesUpToTheLastRecordOfTheLog) {
  const TemporaryFolder temporary;
  const fs::path& folder = temporary.path();
  const auto log = open_log(folder);
  ASSERT_TRUE(log.ok()) << log.status().message();
  std::vector<Record> records;
  for (uint64_t i = 1; i <= 3; ++i) {
    Record record{
        .message_id = {0, i}, .time = static_cast<TimeMs>(1000 * i), .user = "u", .item = fmt::format("i{}", i)};
    record.type = "view";
    record.payload = Event{};
    records.push_back(record);
  }
  ASSERT_TRUE((*log)->append(records).ok());
  const Offset end = (*log)->end().value();
  State state(EventRoles(), (*log)->event_types(), kHistoryLimit);
  ASSERT_TRUE(state.catch_up(**log, end).ok());
  EXPECT_EQ(state.applied(), end);
  ASSERT_NE(state.profiles().find(0), nullptr);
  EXPECT_EQ(state.profiles().find(0)->history.size(), 3U);
}

TEST(Catalogue, LaterFieldsReplaceEarlierOnesAndADeletedItemIsNotRecommended) {
  Catalogue catalogue;
  StoredRecord record{
      .offset = 1,
      .item = 3,
      .payload = ItemUpsert{R"({"title":"Lamp","price":12.5,"currency":"EUR","category":["Home","Light"]})"}};
  catalogue.apply(record);
  record.payload = ItemUpsert{R"({"price":10})"};
  catalogue.apply(record);
  ASSERT_NE(catalogue.find(3), nullptr);
  EXPECT_EQ(catalogue.find(3)->title(), "Lamp");
  EXPECT_EQ(catalogue.find(3)->price(), (Money{1000, "EUR"}));
  EXPECT_EQ(catalogue.find(3)->categories(), (std::vector<std::string>{"Home", "Light"}));
  const auto may_show = [&](ItemId item) { return static_cast<bool>(catalogue.recommendable(10)[item]); };
  EXPECT_TRUE(may_show(3));
  EXPECT_TRUE(may_show(2)) << "an item that nothing has described";
  EXPECT_TRUE(may_show(9)) << "an item that came later";
  record.payload = ItemUpsert{R"({"available":false})"};
  catalogue.apply(record);
  EXPECT_FALSE(may_show(3));
  record.payload = ItemDelete{};
  catalogue.apply(record);
  EXPECT_FALSE(may_show(3));
  std::string bytes;
  catalogue.serialize(bytes);
  Catalogue read;
  ASSERT_TRUE(read.parse(bytes).ok());
  for (const size_t count : {2, 3, 4, 63, 64, 65}) EXPECT_EQ(read.recommendable(count), catalogue.recommendable(count));
  EXPECT_FALSE(read.recommendable(4)[3]);
  EXPECT_EQ(read.recommendable(3).size(), 3U) << "fewer than it knows";
}

}  // namespace
}  // namespace perennial
