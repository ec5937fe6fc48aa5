// The chain that holds training together: the tiled loss against the composed formula, the module against the
// torch-free forward pass, attention blind to other sequences and to the future, and a run that stops and goes on
// against one that did not.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "base/temporary_folder.h"
#include "model/model_folder.h"
#include "training/softmax_loss.h"
#include "training/trainer.h"
#include "training/training_state.h"

namespace perennial {
namespace {

ModelConfig small_config(int32_t items = 30) {
  ModelConfig config;
  config.items = items;
  config.width = 16;
  config.layers = 2;
  config.heads = 2;
  config.window = 5;
  config.feed_forward = 32;
  config.event_types = {"view", "order"};
  config.features = {"device:mobile", "trait:plan=pro"};
  return config;
}

/// Gives every parameter, zeros included, a value that matters.
void randomise(TransformerModule& module) {
  torch::NoGradGuard no_grad;
  for (auto& parameter : module->parameters())
    if (parameter.numel() > 0) parameter.add_(torch::randn_like(parameter) * 0.2);
}

std::vector<Token> random_history(Random& random, size_t length, int32_t items) {
  std::vector<Token> history;
  int64_t time = 1'700'000'000'000;
  for (size_t i = 0; i < length; ++i) {
    time += static_cast<int64_t>(random.below(100'000'000));
    history.push_back({.item = static_cast<int32_t>(random.below(static_cast<uint64_t>(items))),
                       .type = static_cast<int32_t>(random.below(2)),
                       .value = random.chance(0.5) ? static_cast<float>(random.below(6)) : NAN,
                       .time_ms = random.chance(0.9) ? time : kNoTime});
  }
  return history;
}

Dataset random_dataset(uint64_t seed, size_t users, int32_t items, size_t longest = 23) {
  Random random(seed);
  Dataset dataset;
  dataset.items = items;
  for (int32_t item = 0; item < items; ++item) dataset.item_names.push_back(fmt::format("item-{}", item));
  dataset.event_types = {"view", "order"};
  dataset.is_target = {true, true};
  for (size_t user = 0; user < users; ++user) {
    UserHistory history;
    history.user = static_cast<UserId>(user);
    // A chain with noise: there is something to learn.
    int32_t item = static_cast<int32_t>(random.below(static_cast<uint64_t>(items)));
    const size_t length = 4 + random.below(longest - 3);
    for (size_t i = 0; i < length; ++i) {
      history.tokens.push_back({.item = item,
                                .type = static_cast<int32_t>(random.below(2)),
                                .time_ms = static_cast<int64_t>(1'000'000 * (i + 1))});
      history.devices.push_back(static_cast<uint16_t>(2 * random.below(2)));
      item = random.chance(0.8) ? (item + 1) % items : static_cast<int32_t>(random.below(static_cast<uint64_t>(items)));
    }
    if (random.chance(0.5)) history.traits = {{.name = "trait:plan=pro"}};
    dataset.newest_time_ms = std::max(dataset.newest_time_ms, history.tokens.back().time_ms);
    dataset.events += static_cast<int64_t>(history.tokens.size());
    dataset.users.push_back(std::move(history));
  }
  return dataset;
}

PackedBatch batch_of(const Dataset& dataset, const ModelConfig& config, const std::vector<size_t>& users) {
  std::vector<size_t> lengths;
  for (const UserHistory& user : dataset.users) lengths.push_back(user.tokens.size());
  Random random(1);
  const BatchMaker maker(dataset, lengths, config, {.tokens = 1 << 20, .feature_dropping = 0});
  BatchMaker::Batch batch;
  for (const size_t user : users)
    for (const HistoryPiece& piece : maker.pieces_of(user)) batch.push_back(piece);
  return maker.make(batch, random);
}

TEST(SoftmaxLoss, TiledLossAndGradientsEqualTheComposedFormula) {
  torch::manual_seed(1);
  const int64_t rows = 1100;  // more than two tiles, the last one partial
  torch::Tensor u = torch::randn({rows, 8}, torch::requires_grad());
  torch::Tensor items = torch::randn({50, 8}, torch::requires_grad());
  torch::Tensor bias = torch::randn({50}, torch::requires_grad());
  const torch::Tensor targets = torch::randint(50, {rows}, torch::kInt64);
  const auto tiled = full_softmax_loss(u, items, bias, targets, Precision::float32);
  const auto tiled_gradients = torch::autograd::grad({tiled * 3}, {u, items, bias});
  const auto u64 = u.to(torch::kFloat64);
  const auto composed = torch::nn::functional::cross_entropy(
      torch::matmul(u64, items.to(torch::kFloat64).t()) + bias.to(torch::kFloat64), targets);
  const auto gradients = torch::autograd::grad({composed * 3}, {u, items, bias});
  EXPECT_NEAR(tiled.item<double>(), composed.item<double>(), 1e-5);
  for (size_t i = 0; i < 3; ++i) EXPECT_LE((tiled_gradients[i] - gradients[i]).abs().max().item<double>(), 1e-5) << i;
}

TEST(SoftmaxLoss, SampledLossWithManyDrawsIsNearTheFullOne) {
  torch::manual_seed(2);
  const torch::Tensor u = torch::randn({64, 8});
  const torch::Tensor items = torch::randn({40, 8});
  const torch::Tensor bias = torch::randn({40});
  const torch::Tensor targets = torch::randint(40, {64}, torch::kInt64);
  const double full = full_softmax_loss(u, items, bias, targets, Precision::float32).item<double>();
  const double sampled = sampled_softmax_loss(u, items, bias, targets, 200'000, Precision::float32).item<double>();
  EXPECT_NEAR(sampled, full, 0.012);
}

TEST(TransformerModule, ItemsPointWhereTheyAreToldAtTheirUsualLength) {
  torch::manual_seed(9);
  TransformerModule module(small_config(), Precision::float32, 0, nullptr);
  const auto items = [&] { return module->named_parameters()["items.weight"].detach().clone(); };
  const torch::Tensor before = items();
  torch::Tensor directions = torch::zeros({30, 16});
  directions[4][7] = 1;
  module->point_items(directions);
  torch::Tensor expected = before.clone();
  expected[4] = directions[4] * 0.02 * 4;
  EXPECT_TRUE(torch::allclose(items(), expected));
}

class TransformerModuleWindow : public testing::TestWithParam<int32_t> {};

// Windows below, at and above the blocks of 64 in which the module attends, over histories that cross several blocks.
TEST_P(TransformerModuleWindow, EqualsTheTorchFreeForwardPass) {
  torch::manual_seed(3);
  ModelConfig config = small_config();
  config.window = GetParam();
  TransformerModule module(config, Precision::float32, 0.0, nullptr);
  randomise(module);
  module->eval();
  const auto served = Transformer::create(config, module->export_weights());
  ASSERT_TRUE(served.ok()) << served.status().message();
  const Dataset dataset = random_dataset(4, 6, config.items, 300);
  const PackedBatch batch = batch_of(dataset, config, {0, 1, 2, 3, 4, 5});
  torch::NoGradGuard no_grad;
  const torch::Tensor h = module->history_vectors(batch);
  int64_t row = 0;
  for (const UserHistory& user : dataset.users) {
    Transformer::Cache cache = (*served)->new_cache();
    for (size_t i = 0; i + 1 < user.tokens.size(); ++i, ++row) {
      (*served)->append(cache, user.tokens[i]);
      for (int32_t d = 0; d < config.width; ++d)
        ASSERT_NEAR(cache.history_vector()[static_cast<size_t>(d)], h[row][d].item<float>(), 2e-4)
            << "user " << user.user << " token " << i;
    }
  }
  EXPECT_EQ(row, h.size(0));
  EXPECT_GT(row, 300);
}
INSTANTIATE_TEST_SUITE_P(Windows, TransformerModuleWindow, testing::Values(1, 5, 64, 65, 66, 128));

TEST(TransformerModule, ReadTimeInputsEqualTheTorchFreeOnes) {
  torch::manual_seed(5);
  const ModelConfig config = small_config();
  TransformerModule module(config, Precision::float32, 0.0, nullptr);
  randomise(module);
  module->eval();
  const auto served = Transformer::create(config, module->export_weights());
  ASSERT_TRUE(served.ok());
  torch::NoGradGuard no_grad;
  PackedBatch batch;
  batch.elapsed = torch::tensor({int64_t{0}, int64_t{gap_bucket(0, 90'000)}}, torch::kInt64);
  batch.feature_ids = torch::tensor({int64_t{0}, int64_t{1}}, torch::kInt64);
  batch.feature_starts =
      torch::tensor({int64_t{0}, int64_t{0}}, torch::kInt64);  // none for the first row, both for the second
  const torch::Tensor h = torch::randn({2, config.width});
  const torch::Tensor want = module->user_vectors(h, batch, torch::arange(2));
  for (int64_t row = 0; row < 2; ++row) {
    std::vector<float> u(static_cast<size_t>(config.width));
    const torch::Tensor source = h[row].contiguous();
    const ReadInputs inputs = row == 0 ? ReadInputs{} : ReadInputs{.elapsed_ms = 90'000, .features = {0, 1}};
    (*served)->user_vector({source.data_ptr<float>(), u.size()}, inputs, u);
    for (int32_t d = 0; d < config.width; ++d)
      EXPECT_NEAR(u[static_cast<size_t>(d)], want[row][d].item<float>(), 1e-5) << row;
  }
}

TEST(TransformerModule, AHistoryLongerThanTheReceptiveFieldScoresAsItsEnd) {
  torch::manual_seed(6);
  const ModelConfig config = small_config();
  TransformerModule module(config, Precision::float32, 0.0, nullptr);
  randomise(module);
  const auto served = Transformer::create(config, module->export_weights());
  ASSERT_TRUE(served.ok());
  Random random(7);
  const std::vector<Token> history = random_history(random, 40, config.items);
  Transformer::Cache whole = (*served)->new_cache();
  for (const Token& token : history) (*served)->append(whole, token);
  std::vector<float> u(static_cast<size_t>(config.width));
  std::vector<float> want(static_cast<size_t>(config.items));
  std::vector<float> got(static_cast<size_t>(config.items));
  (*served)->user_vector(whole.history_vector(), {}, u);
  (*served)->score_items(u, want);
  (*served)->score(history, got);
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-3) << i;
  // One token fewer than the field needs is not enough: the bound is tight.
  const std::span<const Token> short_end =
      std::span(history).last(static_cast<size_t>(config.layers * (config.window - 1)));
  (*served)->score(short_end, got);
  float largest = 0;
  for (size_t i = 0; i < want.size(); ++i) largest = std::max(largest, std::fabs(got[i] - want[i]));
  EXPECT_GT(largest, 1e-3F);
}

TEST(TransformerModule, AHistoryThatIsCutTeachesWhatTheWholeDoes) {
  torch::manual_seed(11);
  const ModelConfig config = small_config();
  TransformerModule module(config, Precision::float32, 0.0, nullptr);
  randomise(module);
  Dataset dataset = random_dataset(12, 1, config.items, 4);
  Random random(13);
  dataset.users[0].tokens = random_history(random, 90, config.items);
  dataset.users[0].devices.assign(90, 0);
  const auto learn = [&](int64_t tokens) {
    const BatchMaker maker(dataset, {90}, config, {.tokens = tokens, .feature_dropping = 0});
    EXPECT_EQ(maker.pieces_of(0).size() > 1, tokens < 89);
    module->zero_grad();
    double loss = 0;
    for (const BatchMaker::Batch& pieces : maker.epoch(1)) {
      const PackedBatch batch = maker.make(pieces, random);
      const torch::Tensor sum = module->loss(batch, 0).next_item * batch.predictions;
      sum.backward();
      loss += sum.item<double>();
    }
    std::map<std::string, torch::Tensor> gradients;
    for (const auto& pair : module->named_parameters())
      if (pair.value().grad().defined()) gradients[pair.key()] = pair.value().grad().clone();
    return std::pair(loss, std::move(gradients));
  };
  const auto [whole_loss, whole] = learn(1'000);
  const auto [cut_loss, cut] = learn(20);
  EXPECT_NEAR(cut_loss, whole_loss, 1e-4 * whole_loss);
  ASSERT_EQ(cut.size(), whole.size());
  for (const auto& [name, gradient] : whole)
    EXPECT_TRUE(torch::allclose(cut.at(name), gradient, 1e-3, 1e-3)) << name << (cut.at(name) - gradient).abs().max();
}

TEST(TransformerModule, GradientAgreesWithCentralDifferences) {
  torch::manual_seed(8);
  const ModelConfig config = small_config(12);
  TransformerModule module(config, Precision::float32, 0.0, nullptr);
  randomise(module);
  const Dataset dataset = random_dataset(9, 3, config.items);
  const PackedBatch batch = batch_of(dataset, config, {0, 1, 2});
  module->zero_grad();
  module->loss(batch, 0).next_item.backward();
  torch::NoGradGuard no_grad;
  Random random(10);
  for (auto& pair : module->named_parameters()) {
    torch::Tensor values = pair.value().view(-1);
    ASSERT_TRUE(pair.value().grad().defined()) << pair.key();
    const torch::Tensor gradient = pair.value().grad().view(-1);
    for (int trial = 0; trial < 2; ++trial) {
      const auto at = static_cast<int64_t>(random.below(static_cast<uint64_t>(values.numel())));
      const float kept = values[at].item<float>();
      constexpr float kStep = 1e-2F;
      values[at] = kept + kStep;
      const double above = module->loss(batch, 0).next_item.item<double>();
      values[at] = kept - kStep;
      const double below = module->loss(batch, 0).next_item.item<double>();
      values[at] = kept;
      EXPECT_NEAR(gradient[at].item<double>(), (above - below) / (2 * kStep),
                  2e-3 + 0.05 * std::fabs(gradient[at].item<double>()))
          << pair.key() << " " << at;
    }
  }
}

class TrainerTest : public ::testing::Test {
 protected:
  static TrainerOptions options() {
    TrainerOptions options;
    options.model = small_config();
    options.max_epochs = 4;
    options.batch_tokens = 256;
    options.threads = 1;
    options.precision = Precision::float32;
    return options;
  }

  Result<TrainingReport> run(const std::string& name, const TrainerOptions& options) {
    const fs::path data = folder_ / name;
    EXPECT_TRUE(make_folder(data).ok());
    const auto holdout = make_holdout(Holdout::Kind::leave_one_out, dataset_);
    return train(data, dataset_, *holdout, options);
  }

  std::string weights(const std::string& name, const std::string& id) {
    return read_file(folder_ / name / "models" / id / "model.safetensors").value();
  }

  const TemporaryFolder temporary_;
  const fs::path& folder_ = temporary_.path();
  Dataset dataset_ = random_dataset(11, 120, 30);
};

TEST_F(TrainerTest, LearnsSameSeedSameModelAndAnInterruptedRunGoesOnToTheBit) {
  const auto whole = run("whole", options());
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_GT(whole->validation_ndcg, 0.2) << "four in five steps are the next item";

  const auto again = run("again", options());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(weights("whole", whole->model_id), weights("again", again->model_id));

  TrainerOptions stopping = options();
  stopping.stop_after_steps = 3;  // in the middle of an epoch, several times
  Result<TrainingReport> part = run("parts", stopping);
  int runs = 1;
  while (part.ok() && part->model_id.empty() && runs < 20) {
    part = run("parts", stopping);
    ++runs;
  }
  ASSERT_TRUE(part.ok());
  EXPECT_GT(runs, 2);
  EXPECT_EQ(weights("whole", whole->model_id), weights("parts", part->model_id));

  TrainerOptions other_seed = options();
  other_seed.seed = 43;
  const auto other = run("other", other_seed);
  ASSERT_TRUE(other.ok());
  EXPECT_NE(weights("whole", whole->model_id), weights("other", other->model_id));
}

TEST_F(TrainerTest, MembersAreTrainedApartRankTogetherAndGoOnToTheBit) {
  TrainerOptions three = options();
  three.model.members = 3;
  const auto whole = run("whole", three);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  const StoredModel model = load_model(folder_ / "whole", whole->model_id).value();
  EXPECT_EQ(model.ensemble->vector_width(), 3U * 16U);
  const RankingCases cases =
      make_cases(*make_holdout(Holdout::Kind::leave_one_out, dataset_), dataset_, Part::validation);
  const RankingReport judged =
      evaluate_ranking(*model.ensemble, cases.cases, dataset_.items, {.cutoffs = {10}, .bootstrap_samples = 0});
  EXPECT_NEAR(whole->validation_ndcg, judged.metrics.at("ndcg@10").value, 1e-6);
  const SafetensorsFile file = parse_safetensors(weights("whole", whole->model_id)).value();
  EXPECT_NE(file.tensors.at("items.weight").values, file.tensors.at("member_1.items.weight").values);
  EXPECT_NE(file.tensors.at("member_1.items.weight").values, file.tensors.at("member_2.items.weight").values);

  const auto one = run("one", options());
  ASSERT_TRUE(one.ok());
  const SafetensorsFile first = parse_safetensors(weights("one", one->model_id)).value();
  EXPECT_EQ(file.tensors.at("items.weight").values, first.tensors.at("items.weight").values) << "the first is the same";

  TrainerOptions next_seed = options();
  next_seed.model.members = 2;
  ++next_seed.seed;
  const auto another = run("next_seed", next_seed);
  ASSERT_TRUE(another.ok());
  const SafetensorsFile others = parse_safetensors(weights("next_seed", another->model_id)).value();
  EXPECT_NE(others.tensors.at("member_1.items.weight").values, file.tensors.at("member_2.items.weight").values)
      << "runs of several seeds share no member";

  TrainerOptions stopping = three;
  stopping.stop_after_steps = 7;
  Result<TrainingReport> part = run("parts", stopping);
  for (int runs = 1; part.ok() && part->model_id.empty() && runs < 40; ++runs) part = run("parts", stopping);
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(weights("whole", whole->model_id), weights("parts", part->model_id));
  EXPECT_EQ(part->validation_ndcg, whole->validation_ndcg);
}

TEST_F(TrainerTest, EveryMemberStartsFromTheItemsNeighbours) {
  TrainerOptions still = options();
  still.model.members = 2;
  still.max_epochs = 1;
  still.learning_rate = 1e-12;
  still.start_near_neighbours = true;
  const auto report = run("still", still);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const SafetensorsFile file = parse_safetensors(weights("still", report->model_id)).value();
  for (const char* name : {"items.weight", "member_1.items.weight"}) {
    std::vector<float> values = file.tensors.at(name).values;
    const torch::Tensor items = torch::from_blob(values.data(), {30, 16});
    const torch::Tensor next = torch::roll(items, -1, 0);  // four in five steps go there
    EXPECT_GT(torch::cosine_similarity(items, next).mean().item<double>(), 0.3) << name;
    EXPECT_NEAR(items.norm(2, 1).mean().item<double>(), 0.08, 1e-4) << name;
  }
}

TEST_F(TrainerTest, GoesOnToTheBitByTheFusedKernelsOfFewItemsAndWithSeveralThreads) {
  TrainerOptions sampled = options();
  sampled.model.width = 32;  // heads of 16 numbers
  sampled.model.heads = 2;
  sampled.full_softmax_items = 10;
  sampled.shared_negatives = 12;
  sampled.threads = 2;
  ASSERT_TRUE(fused_shape(sampled.model).supported());
  const auto whole = run("whole", sampled);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  sampled.stop_after_steps = 7;
  Result<TrainingReport> part = run("parts", sampled);
  for (int runs = 1; part.ok() && part->model_id.empty() && runs < 40; ++runs) part = run("parts", sampled);
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(weights("whole", whole->model_id), weights("parts", part->model_id));
}

TEST_F(TrainerTest, AStateOfAnotherLogIsNotTakenUpThoughItsCountsAreTheSame) {
  TrainerOptions stopping = options();
  stopping.stop_after_steps = 3;
  const auto part = run("data", stopping);
  ASSERT_TRUE(part.ok() && part->model_id.empty());
  std::swap(dataset_.item_names[4], dataset_.item_names[5]);
  const auto other = run("data", options());
  EXPECT_EQ(other.status().code(), Code::failed_precondition);
  EXPECT_NE(other.status().message().find("--fresh"), std::string::npos) << other.status().message();
}

TEST_F(TrainerTest, WhatCameBeforeTheFirstStepIsOfTheBudget) {
  TrainerOptions hurried = options();
  hurried.budget_seconds = 1000;
  hurried.started = monotonic_seconds() - 1001;
  const auto report = run("late", hurried);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->epochs, 1) << "the first is always trained";
  EXPECT_FALSE(report->model_id.empty());
  EXPECT_GT(report->seconds, 1001);
}

TEST_F(TrainerTest, AsLongAsValidationFindsNothingTheLastEpochIsKept) {
  dataset_ = random_dataset(14, 6, 3'000);
  TrainerOptions blind = options();
  blind.learning_rate = 1e-9;
  blind.start_near_neighbours = false;
  const auto report = run("blind", blind);
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->validation_ndcg, 0);
  EXPECT_EQ(report->best_epoch, 4);
}

TEST_F(TrainerTest, ARunThatCanLearnNothingWritesNoModel) {
  for (UserHistory& user : dataset_.users) {
    user.tokens.resize(3);  // two of them held out
    user.devices.resize(3);
  }
  const auto report = run("data", options());
  EXPECT_EQ(report.status().code(), Code::failed_precondition);
  EXPECT_NE(report.status().message().find("nothing to learn from"), std::string::npos) << report.status().message();
  EXPECT_FALSE(fs::exists(folder_ / "data" / "models" / "current"));
}

TEST_F(TrainerTest, AStateOfOtherSettingsIsRefusedUnlessItIsDropped) {
  TrainerOptions stopping = options();
  stopping.stop_after_steps = 3;
  ASSERT_TRUE(run("data", stopping).ok());
  TrainerOptions other = options();
  other.seed = 43;
  EXPECT_EQ(run("data", other).status().code(), Code::failed_precondition);
  ASSERT_TRUE(TrainingState::interrupted(folder_ / "data").has_value());
  EXPECT_EQ(TrainingState::interrupted(folder_ / "data")->items, dataset_.items);
  other.fresh = true;
  const auto report = run("data", other);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_FALSE(TrainingState::interrupted(folder_ / "data").has_value());
}

TEST_F(TrainerTest, AStateThatIsCutShortIsPutAsideAndTrainingStartsAnew) {
  TrainerOptions stopping = options();
  stopping.stop_after_steps = 3;
  ASSERT_TRUE(run("data", stopping).ok());
  const fs::path state = folder_ / "data" / "training.state";
  const std::string bytes = read_file(state).value();
  ASSERT_TRUE(write_file_atomically(state, bytes.substr(0, bytes.size() / 2)).ok());
  const auto report = run("data", options());
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_FALSE(report->model_id.empty());
  EXPECT_TRUE(fs::exists(folder_ / "data" / "training.state.old"));
}

TEST_F(TrainerTest, AStateThatFindsNoRoomIsAnErrorAndTheOldOneGoesOn) {
  TrainerOptions stopping = options();
  stopping.stop_after_steps = 3;
  ASSERT_TRUE(run("data", stopping).ok());
  const std::string saved = read_file(folder_ / "data" / "training.state").value();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{saved.size() / 2, limit.rlim_max};  // a limit of the file size stands for a full disk
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto report = run("data", stopping);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  ::signal(SIGXFSZ, before);
  EXPECT_EQ(report.status().code(), Code::resource_exhausted) << report.status().message();
  EXPECT_EQ(read_file(folder_ / "data" / "training.state").value(), saved);
  EXPECT_TRUE(run("data", options()).ok());
}

TEST_F(TrainerTest, AModelCutInHalfOrOfAnotherVersionIsRefusedWithAReason) {
  const auto report = run("data", options());
  ASSERT_TRUE(report.ok());
  const fs::path folder = folder_ / "data" / "models" / report->model_id;
  ASSERT_TRUE(load_model(folder_ / "data", report->model_id).ok());

  const std::string weights_bytes = read_file(folder / "model.safetensors").value();
  ASSERT_TRUE(
      write_file_atomically(folder / "model.safetensors", weights_bytes.substr(0, weights_bytes.size() / 2)).ok());
  EXPECT_EQ(load_model(folder_ / "data", report->model_id).status().code(), Code::data_loss);
  ASSERT_TRUE(write_file_atomically(folder / "model.safetensors", weights_bytes).ok());

  std::string config = read_file(folder / "config.json").value();
  const size_t place = config.find("\"format_version\":1");
  ASSERT_NE(place, std::string::npos);
  config.replace(place, 18, "\"format_version\":9");
  ASSERT_TRUE(write_file_atomically(folder / "config.json", config).ok());
  EXPECT_EQ(load_model(folder_ / "data", report->model_id).status().code(), Code::failed_precondition);
}

}  // namespace
}  // namespace perennial
