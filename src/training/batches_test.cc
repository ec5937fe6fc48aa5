#include "training/batches.h"

#include <gtest/gtest.h>

#include "model/read_features.h"

namespace perennial {
namespace {

constexpr TimeMs kStart = 1'700'000'000'000;
constexpr TimeMs kHour = 3'600'000;
constexpr int32_t kView = 0;
constexpr int32_t kCheckout = 1;  // a token, but no target

std::vector<int64_t> numbers(const torch::Tensor& tensor) {
  return {tensor.data_ptr<int64_t>(), tensor.data_ptr<int64_t>() + tensor.numel()};
}

/// The names of the features at a position.
std::vector<std::string> features_at(const PackedBatch& batch, const ModelConfig& config, size_t position) {
  const std::vector<int64_t> ids = numbers(batch.feature_ids);
  const std::vector<int64_t> starts = numbers(batch.feature_starts);
  const size_t end = position + 1 < starts.size() ? static_cast<size_t>(starts[position + 1]) : ids.size();
  std::vector<std::string> names;
  for (auto at = static_cast<size_t>(starts[position]); at < end; ++at)
    names.push_back(config.features[static_cast<size_t>(ids[at])]);
  return names;
}

class BatchMakerTest : public testing::Test {
 protected:
  BatchMakerTest() {
    dataset_.items = 5;
    dataset_.event_types = {"view", "checkout"};
    dataset_.is_target = {true, false};
    UserHistory user;
    const auto add = [&](int32_t item, int32_t type, TimeMs hours) {
      user.tokens.push_back({.item = item, .type = type, .time_ms = kStart + hours * kHour});
      user.devices.push_back(item == 3 ? 2 : 0);  // mobile
    };
    add(0, kView, 0);
    add(1, kCheckout, 1);
    add(1, kView, 2);
    add(3, kView, 30);
    add(4, kView, 31);  // held out below
    user.traits = {{.name = "trait:plan=pro", .time = kStart + 10 * kHour}};
    dataset_.newest_time_ms = user.tokens.back().time_ms;
    dataset_.users.push_back(user);
    config_.items = 5;
    config_.features = feature_vocabulary(dataset_, 1);
  }

  PackedBatch make(double feature_dropping) const {
    Random random(1);
    const BatchMaker maker(dataset_, {4}, config_, {.tokens = 100, .feature_dropping = feature_dropping});
    return maker.make(maker.pieces_of(0), random);
  }

  Dataset dataset_;
  ModelConfig config_;
};

TEST_F(BatchMakerTest, ReadsAndPredictsOnlyWhatIsNotHeldOut) {
  const PackedBatch batch = make(0);
  EXPECT_EQ(numbers(batch.items), (std::vector<int64_t>{0, 1, 1}));
  // The checkout is no target; item 1 once more is the token's own item.
  EXPECT_EQ(numbers(batch.targets), (std::vector<int64_t>{-1, -1, 3}));
  EXPECT_EQ(batch.predictions, 1);
}

TEST_F(BatchMakerTest, GapsLookBackAndElapsedLooksToTheTarget) {
  const PackedBatch batch = make(0);
  const int64_t hour = gap_bucket(kStart, kStart + kHour);
  const int64_t day = gap_bucket(kStart, kStart + 28 * kHour);
  EXPECT_EQ(numbers(batch.gaps), (std::vector<int64_t>{0, hour, hour}));
  EXPECT_EQ(numbers(batch.elapsed), (std::vector<int64_t>{hour, hour, day}));
}

TEST_F(BatchMakerTest, FeaturesAreThoseOfTheTargetsMoment) {
  const PackedBatch batch = make(0);
  const TimeMs first = kStart + kHour;
  EXPECT_EQ(features_at(batch, config_, 0),
            (std::vector<std::string>{hour_feature(hour_of(first)), weekday_feature(weekday_of(first))}))
      << "the plan was said later";
  const TimeMs last = kStart + 30 * kHour;
  EXPECT_EQ(features_at(batch, config_, 2),
            (std::vector<std::string>{"trait:plan=pro", "device:mobile", hour_feature(hour_of(last)),
                                      weekday_feature(weekday_of(last))}));
}

TEST_F(BatchMakerTest, DroppingAllLeavesTheHistoryAlone) {
  const PackedBatch batch = make(1);
  EXPECT_EQ(numbers(batch.items), (std::vector<int64_t>{0, 1, 1}));
  EXPECT_EQ(numbers(batch.elapsed), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(batch.feature_ids.numel(), 0);
}

TEST(BatchMaker, AnEpochHasEveryUserWithSomethingToPredictOnce) {
  Dataset dataset;
  std::vector<size_t> lengths;
  for (size_t user = 0; user < 40; ++user) {
    dataset.users.emplace_back();
    lengths.push_back(user % 5);
  }
  const BatchMaker maker(dataset, lengths, ModelConfig(), {.tokens = 10});
  std::vector<size_t> users;
  for (const BatchMaker::Batch& batch : maker.epoch(3)) {
    size_t tokens = 0;
    for (const HistoryPiece& piece : batch) {
      tokens += piece.end - piece.begin;
      users.push_back(piece.user);
    }
    EXPECT_LE(tokens, 10U);
  }
  EXPECT_EQ(users.size(), 24U);
  EXPECT_NE(maker.epoch(3), maker.epoch(4));
  EXPECT_EQ(maker.epoch(3), maker.epoch(3));
  std::sort(users.begin(), users.end());
  EXPECT_EQ(std::unique(users.begin(), users.end()), users.end());
  for (const size_t user : users) EXPECT_GE(lengths[user], 2U);
}

TEST(BatchMaker, AHistoryLongerThanABatchIsCutAndEachOfItsTokensIsLearnedFromOnce) {
  Dataset dataset;
  dataset.users.resize(2);
  ModelConfig config;
  config.layers = 2;
  config.window = 5;  // 8 tokens are looked back at
  for (const int64_t tokens : {10, 16, 30}) {
    const BatchMaker maker(dataset, {101, 9}, config, {.tokens = tokens});
    EXPECT_EQ(maker.pieces_of(1), (BatchMaker::Batch{{1, 0, 0, 8}}));
    uint32_t learned = 0;
    for (const auto& [user, begin, first, end] : maker.pieces_of(0)) {
      EXPECT_EQ(first, learned);
      EXPECT_EQ(begin, first < 8 ? 0 : first - 8);
      EXPECT_LE(end - begin, std::max<int64_t>(tokens, 16));
      learned = end;
    }
    EXPECT_EQ(learned, 100U);
  }
}

}  // namespace
}  // namespace perennial
