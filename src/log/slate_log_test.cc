#include "log/slate_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>

#include "base/temporary_folder.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kNoon = 20'000 * kDay + kDay / 2;

class SlateLogTest : public ::testing::Test {
 protected:
  SlateLogTest() { options_.write_after_seconds = 0.001; }

  void open() {
    log_.reset();
    Result<std::unique_ptr<SlateLog>> opened =
        SlateLog::open(folder_.path(), options_, clock_,
                       [this](size_t slates, const Status& status) { (status.ok() ? written_ : lost_) += slates; });
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    log_ = std::move(opened).value();
  }

  Slate make(TimeMs time, const std::string& user, size_t items = 3) {
    Slate slate{new_slate_id(time, random_), time, {random_.next(), 7}, user, "home", "model", "plain", "retention",
                R"({"device":"tv"})",        {}};
    for (size_t i = 0; i < items; ++i)
      slate.items.push_back({static_cast<ItemId>(random_.below(1000)), static_cast<float>(random_.normal()),
                             static_cast<float>(1 - random_.uniform() / 2),
                             i % 2 == 0 ? ItemSource::transformer : ItemSource::popular});
    return slate;
  }

  Slate add(TimeMs time, const std::string& user, size_t items = 3) {
    const Slate slate = make(time, user, items);
    log_->add(ref_of(slate));
    return slate;
  }

  int64_t erase(const std::string& user, TimeMs since = 0) {
    std::promise<int64_t> erased;
    log_->erase({user}, since, [&](const Result<int64_t>& slates) { erased.set_value(slates.ok() ? *slates : -1); });
    return erased.get_future().get();
  }

  std::vector<Slate> read(TimeMs from = 0, TimeMs to = INT64_MAX) {
    std::vector<Slate> slates;
    const Result<int64_t> damaged = read_slates(folder_.path(), from, to, [&](const Slate& slate) {
      slates.push_back(slate);
      return Status();
    });
    EXPECT_TRUE(damaged.ok());
    damaged_ = *damaged;
    return slates;
  }

  /// A file that ends with most of a pack that names the user.
  void add_torn(const char* day, const std::string& whole, const std::string& user) {
    std::string pack = whole;
    pack.replace(pack.find("otto"), 4, user.substr(0, 4));
    std::ofstream(day_file(day), std::ios::binary) << whole << pack.substr(0, pack.size() - 1);
  }

  fs::path day_file(const char* day) const { return folder_.path() / "slates" / (std::string(day) + ".slates"); }

  TemporaryFolder folder_;
  SlateLogOptions options_;
  FakeClock clock_{kNoon};
  Random random_{7};
  std::atomic<size_t> written_{0}, lost_{0};
  int64_t damaged_ = 0;
  std::unique_ptr<SlateLog> log_;
};

TEST_F(SlateLogTest, SlatesComeBackFromMemoryFromTheDiskAndAfterAReopening) {
  open();
  std::vector<Slate> slates;
  for (int i = 0; i < 500; ++i) slates.push_back(add(kNoon + i, i % 3 == 0 ? "" : "user", static_cast<size_t>(i % 7)));
  for (const Slate& slate : slates) ASSERT_EQ(log_->recent(slate.id), slate);
  log_.reset();
  EXPECT_EQ(written_, 500u);
  EXPECT_EQ(read(), slates);
  options_.recent = 100;
  open();
  EXPECT_FALSE(log_->recent(slates[0].id));
  EXPECT_EQ(log_->find(slates[0].id).value(), slates[0]);
  EXPECT_EQ(log_->recent(slates[499].id), slates[499]);
  EXPECT_EQ(log_->find(new_slate_id(kNoon, random_)).status().code(), Code::not_found);
}

TEST_F(SlateLogTest, ReadingTakesATimeFromItsFirstMomentToBeforeItsLast) {
  open();
  for (int i = 0; i < 10; ++i) add(kNoon + i, "u");
  add(kNoon + kDay, "u");
  log_.reset();
  EXPECT_EQ(read(kNoon + 3, kNoon + 5).size(), 2u);
  EXPECT_EQ(read(kNoon + 5, kNoon + kDay).size(), 5u);
  EXPECT_EQ(read(kNoon + kDay).size(), 1u);
  const Result<int64_t> stopped =
      read_slates(folder_.path(), 0, INT64_MAX, [](const Slate&) { return invalid_argument("enough"); });
  EXPECT_EQ(stopped.status().message(), "enough");
}

TEST_F(SlateLogTest, MemoryHoldsTheNewestByNumberAndByBytes) {
  options_.recent = 4;
  open();
  std::vector<Slate> slates;
  for (int i = 0; i < 6; ++i) slates.push_back(add(kNoon + i, "u"));
  EXPECT_FALSE(log_->recent(slates[1].id));
  EXPECT_TRUE(log_->recent(slates[2].id));
  for (int i = 0; i < 3; ++i) slates.push_back(add(kNoon + 10 + i, "u", 100));
  EXPECT_FALSE(log_->recent(slates[6].id)) << "three large ones take 5 KB, and 4 are allowed";
  EXPECT_TRUE(log_->recent(slates[7].id));
}

TEST_F(SlateLogTest, ErasedUsersAreInNoFile) {
  open();
  for (int day = 0; day < 3; ++day)
    for (int i = 0; i < 50; ++i) add(kNoon - day * kDay + i, i % 10 == 0 ? "Secret Una" : "otto");
  const Slate last = add(kNoon, "Secret Una");
  EXPECT_EQ(erase("Secret Una"), 16);
  EXPECT_FALSE(log_->recent(last.id));
  EXPECT_EQ(log_->find(last.id).status().code(), Code::not_found);
  EXPECT_EQ(erase("Secret Una"), 0);
  const Slate again = add(kNoon + 1, "Secret Una");
  EXPECT_EQ(log_->recent(again.id), again) << "it may come back";
  EXPECT_EQ(erase("Secret Una", kNoon), 1);
  log_.reset();
  EXPECT_EQ(read().size(), 135u);
  for (const auto& entry : fs::directory_iterator(folder_.path() / "slates"))
    EXPECT_EQ(read_file(entry.path()).value().find("Secret"), std::string::npos) << entry.path();
}

TEST_F(SlateLogTest, DaysThatAreTooOldGo) {
  options_.keep_days = 2;
  open();
  for (int day = 0; day < 4; ++day) add(kNoon - day * kDay, "u");
  open();
  EXPECT_EQ(read().size(), 3u) << "of the day before yesterday not all is two days old";
  EXPECT_FALSE(fs::exists(day_file("2024-10-01")));
  EXPECT_TRUE(fs::exists(day_file("2024-10-02")));
}

TEST_F(SlateLogTest, TornEndOfACrashIsCutOffAndTheRestStays) {
  open();
  add(kNoon, "u");
  log_.reset();
  const std::string whole = read_file(day_file("2024-10-04")).value();
  for (const size_t torn : {size_t{1}, size_t{39}, size_t{48}, whole.size() - 1}) {
    std::ofstream(day_file("2024-10-04"), std::ios::binary) << whole << whole.substr(0, torn);
    open();
    EXPECT_EQ(read().size(), 1u) << torn;
    add(kNoon + 5, "u");
    log_.reset();
    EXPECT_EQ(read().size(), 2u) << torn;
    EXPECT_EQ(damaged_, 0);
  }
}

TEST_F(SlateLogTest, DamagedPackIsLeftOutAndCounted) {
  open();
  add(kNoon, "u");
  open();
  const Slate second = add(kNoon + 1, "u");
  log_.reset();
  std::string bytes = read_file(day_file("2024-10-04")).value();
  bytes[50] ^= 1;
  std::ofstream(day_file("2024-10-04"), std::ios::binary) << bytes;
  EXPECT_EQ(read(), std::vector<Slate>{second});
  EXPECT_EQ(damaged_, 1);
  open();
  EXPECT_EQ(log_->recent(second.id), second);
}

TEST_F(SlateLogTest, DamagedHeaderHidesNothingBehindItAndNothingIsCutOff) {
  std::vector<Slate> slates;
  for (int i = 0; i < 3; ++i) {
    open();
    slates.push_back(add(kNoon + i, "u"));
    log_.reset();
  }
  const std::string whole = read_file(day_file("2024-10-04")).value();
  const size_t pack = whole.size() / 3;
  for (size_t at = 0; at < 40; ++at) {  // of the second's header
    std::string bytes = whole;
    bytes[pack + at] = static_cast<char>(bytes[pack + at] ^ 0x40);
    std::ofstream(day_file("2024-10-04"), std::ios::binary) << bytes;
    EXPECT_EQ(read(), (std::vector<Slate>{slates[0], slates[2]})) << at;
    EXPECT_EQ(damaged_, 1) << at;
  }
  open();
  slates.push_back(add(kNoon + 9, "u"));
  log_.reset();
  EXPECT_EQ(read(), (std::vector<Slate>{slates[0], slates[2], slates[3]}));
  open();
  EXPECT_EQ(erase("somebody else"), 0);
  log_.reset();
  EXPECT_EQ(read(), (std::vector<Slate>{slates[0], slates[2], slates[3]}));
  EXPECT_EQ(damaged_, 0) << "an erasure leaves nothing of which nobody knows whose it is";
}

TEST_F(SlateLogTest, ErasureReachesATornEndToo) {
  open();
  add(kNoon, "otto");
  log_.reset();
  const std::string whole = read_file(day_file("2024-10-04")).value();
  add_torn("2024-10-04", whole, "Secret Una");
  open();
  EXPECT_EQ(erase("Secret Una"), 0);
  EXPECT_EQ(read_file(day_file("2024-10-04")).value(), whole);
}

TEST_F(SlateLogTest, WhatARewritingLeftIsRemoved) {
  fs::create_directories(folder_.path() / "slates");
  std::ofstream(folder_.path() / "slates" / "2024-10-04.slates.77.0.tmp") << "somebody's";
  open();
  EXPECT_TRUE(fs::is_empty(folder_.path() / "slates"));
}

TEST_F(SlateLogTest, FullQueueAndABrokenDiskLoseSlatesAndSaySo) {
  options_.waiting_bytes = 10;
  open();
  const Slate slate = add(kNoon, "u");
  EXPECT_EQ(log_->recent(slate.id), slate) << "feedback is credited all the same";
  options_.waiting_bytes = 1 << 20;
  open();
  EXPECT_EQ(lost_, 1u);
  fs::create_directory(day_file("2024-10-04"));  // no file can be there
  add(kNoon, "u");
  log_.reset();
  EXPECT_EQ(lost_, 2u);
  EXPECT_EQ(written_, 0u);
}

}  // namespace
}  // namespace perennial
