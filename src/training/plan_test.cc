// What training chooses for itself, what it leaves as it was said, and how it stays within a limit; the curve it draws.
#include "training/plan.h"

#include <gtest/gtest.h>

#include "training/learning_curve.h"

namespace perennial {
namespace {

TrainerOptions free_options() {
  TrainerOptions options;
  options.model.width = options.model.layers = options.model.heads = options.model.window = options.model.members = 0;
  options.model.feed_forward = 0;
  options.threads = 2;
  return options;
}

TEST(Plan, ChoosesByTheDataAndKeepsWhatWasSaid) {
  TrainerOptions options = free_options();
  ASSERT_TRUE(plan_training({.users = 6'040, .tokens = 1'000'000, .items = 3'416, .long_history = 520}, options).ok());
  EXPECT_EQ(options.model.width, 64);
  EXPECT_EQ(options.model.heads, 2);
  EXPECT_EQ(options.model.feed_forward, 256);
  EXPECT_EQ(options.model.window, 200) << "histories are longer than the longest window";
  EXPECT_EQ(options.model.members, 1);
  EXPECT_EQ(options.dropout, 0.2);
  EXPECT_EQ(options.muon_rate, 0.02);
  EXPECT_EQ(options.max_epochs, 28);
  EXPECT_FALSE(options.start_near_neighbours.value()) << "an item is read 8,000 times";
  TrainerOptions hurried = free_options();
  hurried.budget_seconds = 60;
  ASSERT_TRUE(plan_training({.users = 6'040, .tokens = 1'000'000, .items = 3'416, .long_history = 520}, hurried).ok());
  EXPECT_TRUE(hurried.start_near_neighbours.value());
  TrainerOptions small = free_options();
  small.model.window = 77;
  small.max_epochs = 3;
  ASSERT_TRUE(plan_training({.users = 900, .tokens = 20'000, .items = 500, .long_history = 30}, small).ok());
  EXPECT_EQ(small.model.width, 32);
  EXPECT_EQ(small.model.window, 77);
  EXPECT_EQ(small.max_epochs, 3);
  EXPECT_EQ(small.batch_tokens, 1'024);
  EXPECT_EQ(small.model.members, 4) << "little data";
  EXPECT_EQ(small.dropout, 0.2);
  TrainerOptions sparse = free_options();
  sparse.weight_decay = 0;
  ASSERT_TRUE(plan_training({.users = 22'000, .tokens = 198'000, .items = 12'000, .long_history = 20}, sparse).ok());
  EXPECT_EQ(sparse.dropout, 0.4);
  EXPECT_EQ(sparse.muon_rate, 0);
  EXPECT_EQ(sparse.max_epochs, 14);
  EXPECT_TRUE(sparse.start_near_neighbours.value());
  EXPECT_EQ(sparse.weight_decay, 0) << "it was said";
  TrainerOptions at_random = free_options();
  at_random.start_near_neighbours = false;
  ASSERT_TRUE(plan_training({.users = 22'000, .tokens = 198'000, .items = 12'000, .long_history = 20}, at_random).ok());
  EXPECT_FALSE(at_random.start_near_neighbours.value()) << "it was said";
  TrainerOptions small_and_sparse = free_options();
  ASSERT_TRUE(plan_training({.users = 600, .tokens = 5'000, .items = 400, .long_history = 20}, small_and_sparse).ok());
  EXPECT_EQ(small_and_sparse.max_epochs, 40) << "of five steps each";
  TrainerOptions big = free_options();
  ASSERT_TRUE(
      plan_training({.users = 1'500'000, .tokens = 10'000'000, .items = 150'000, .long_history = 25}, big).ok());
  EXPECT_EQ(big.max_epochs, 8);
  EXPECT_EQ(big.model.window, 32);
  TrainerOptions empty = free_options();
  ASSERT_TRUE(plan_training({}, empty).ok());
  EXPECT_GE(empty.max_epochs, 1);
}

TEST(Plan, ABudgetGivesEpochsToOneMemberBeforeItGivesThemToMore) {
  struct Case {
    double fitting;
    int64_t members, epochs;
  };
  for (const auto& [fitting, members, epochs] :
       {Case{0.3, 1, 1}, Case{7.9, 1, 7}, Case{19.9, 1, 10}, Case{20, 2, 10}, Case{39, 3, 10}, Case{500, 4, 10}}) {
    const RunLength length = run_length(fitting, 10, 4);
    EXPECT_EQ(length.members, members) << fitting;
    EXPECT_EQ(length.epochs, epochs) << fitting;
  }
}

TEST(Plan, ASlowerMachineShortensAMemberAndNoneIsBegunThatCannotBeFinished) {
  constexpr int64_t kMost = 4;
  const auto after = [](RunLength planned, RunPosition at, double fitting) {
    return replanned(planned, at, fitting, 10, kMost);
  };
  EXPECT_EQ(after({0, 0}, {0, 1, false}, 24), (RunLength{2, 10})) << "25 in all";
  EXPECT_EQ(after({2, 10}, {0, 5, false}, 5), (RunLength{2, 10})) << "of the second is spoken when the first is over";
  EXPECT_EQ(after({2, 10}, {0, 5, false}, 3.9), (RunLength{2, 8}));
  EXPECT_EQ(after({2, 10}, {0, 5, false}, -2), (RunLength{2, 5})) << "over at once";
  EXPECT_EQ(after({2, 8}, {0, 8, true}, 7.9), (RunLength{1, 8}));
  EXPECT_EQ(after({2, 10}, {0, 4, true}, 21), (RunLength{3, 10})) << "patience left time for one more";
  EXPECT_EQ(after({2, 10}, {2, 10, true}, 500), (RunLength{kMost, 10}));
}

TEST(Plan, HeadsFitAnyWidthThatCanBeRotatedAndOthersAreRefused) {
  for (const int32_t width : {8, 16, 32, 64, 96, 100, 112, 128, 256}) {
    TrainerOptions options = free_options();
    options.model.width = width;
    ASSERT_TRUE(plan_training({.tokens = 500'000, .items = 10, .long_history = 9}, options).ok()) << width;
    EXPECT_EQ(width % (2 * options.model.heads), 0) << width;
  }
  for (const int32_t width : {4, 33}) {
    TrainerOptions options = free_options();
    options.model.width = width;
    EXPECT_EQ(plan_training({.tokens = 500'000, .items = 10}, options).code(), Code::invalid_argument) << width;
  }
  TrainerOptions deep = free_options();
  deep.model.layers = 6;
  ASSERT_TRUE(plan_training({.tokens = 1'000'000, .items = 10, .long_history = 900}, deep).ok());
  EXPECT_LE(deep.model.layers * (deep.model.window - 1) + 2, deep.history_limit)
      << "serving keeps what the model reads";
  TrainerOptions wide = free_options();
  wide.model.window = 600;
  const Status status = plan_training({.tokens = 1'000'000, .items = 10, .long_history = 900}, wide);
  EXPECT_EQ(status.code(), Code::invalid_argument) << "nothing could serve it";
  EXPECT_NE(status.message().find("a window of at most 512"), std::string::npos) << status.message();
}

TEST(Plan, StaysWithinTheMemoryOrSaysWhatItTakes) {
  const DataShape data{.users = 100'000, .tokens = 2'000'000, .items = 100'000, .long_history = 90};
  TrainerOptions options = free_options();
  ASSERT_TRUE(plan_training(data, options).ok());
  const int64_t unlimited = memory_bytes(data, options);
  TrainerOptions limited = free_options();
  limited.memory_limit_bytes = unlimited * 85 / 100;  // too little for the items' neighbours
  ASSERT_TRUE(plan_training(data, limited).ok());
  EXPECT_FALSE(limited.start_near_neighbours.value()) << "the start goes before the width";
  EXPECT_EQ(limited.model.width, 64);
  EXPECT_LE(memory_bytes(data, limited), limited.memory_limit_bytes);
  TrainerOptions tight = free_options();
  tight.memory_limit_bytes = unlimited * 65 / 100;
  ASSERT_TRUE(plan_training(data, tight).ok());
  EXPECT_EQ(tight.batch_tokens, 1'024);
  EXPECT_EQ(tight.model.width, 32);
  EXPECT_LE(memory_bytes(data, tight), tight.memory_limit_bytes);
  TrainerOptions narrowed = free_options();
  narrowed.model.heads = 32;
  narrowed.memory_limit_bytes = tight.memory_limit_bytes;
  EXPECT_EQ(plan_training(data, narrowed).code(), Code::resource_exhausted) << "narrower heads could not be rotated";
  TrainerOptions impossible = free_options();
  impossible.memory_limit_bytes = 1 << 20;
  const Status status = plan_training(data, impossible);
  EXPECT_EQ(status.code(), Code::resource_exhausted);
  EXPECT_NE(status.message().find("100,000 items"), std::string::npos);
}

TEST(LearningCurve, ShowsWhereTheBestIs) {
  EXPECT_EQ(draw_learning_curve("{\"epoch\":1,\"loss\":7.0,\"validation_ndcg@10\":0.1,\"tokens\":1}\n"), "");
  const std::string drawn = draw_learning_curve(
      "{\"epoch\":1,\"loss\":7.0,\"validation_ndcg@10\":0.1,\"tokens\":1}\n"
      "{\"epoch\":2,\"loss\":6.0,\"validation_ndcg@10\":0.3,\"tokens\":2}\n"
      "{\"epoch\":3,\"loss\":5.0,\"validation_ndcg@10\":0.2,\"tokens\":3}\n");
  EXPECT_NE(drawn.find("7.0000 █▅▁ best 5.0000, epoch 3"), std::string::npos) << drawn;
  EXPECT_NE(drawn.find("0.1000 ▁█▅ best 0.3000, epoch 2"), std::string::npos) << drawn;
  const std::string unvalidated = draw_learning_curve(
      "{\"epoch\":1,\"loss\":7.0,\"validation_ndcg@10\":0.0,\"tokens\":1}\n"
      "{\"epoch\":2,\"loss\":6.0,\"validation_ndcg@10\":0.0,\"tokens\":2}");
  EXPECT_EQ(unvalidated.find("validation"), std::string::npos) << unvalidated;
}

}  // namespace
}  // namespace perennial
