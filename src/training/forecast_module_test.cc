// The forecast head: libtorch's against the serving code, gradients against central differences, what it is asked, and
// that it learns something that is there.
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "forecast/chooser.h"
#include "model/model_folder.h"
#include "training/trainer.h"

namespace perennial {
namespace {

constexpr TimeMs kStart = 1'700'000'000'000 / kMsOfDay * kMsOfDay;

ForecastHeadConfig small_head() {
  return {.features = {"a", "b", "c"}, .hazard_days = {1, 7, 30}, .outcomes = {"x", "y"}, .spend = "spend"};
}

ForecastQueries random_queries(const ForecastHeadConfig& config, int64_t tokens) {
  const int64_t count = 20;
  const auto outcomes = static_cast<int64_t>(config.outcomes.size());
  ForecastQueries queries;
  queries.rows = torch::randint(-1, tokens, {count}, torch::kInt64);
  queries.features = torch::randn({count, static_cast<int64_t>(config.features.size())}) * 3 + 1;
  queries.hazard_seen = (torch::rand({count, config.hazards()}) < 0.7).to(torch::kFloat32);
  queries.hazard_event = (torch::rand({count, config.hazards()}) < 0.3).to(torch::kFloat32) * queries.hazard_seen;
  queries.outcomes = torch::randint(-1, 2, {count, outcomes}, torch::kInt64).to(torch::kFloat32);
  queries.spend = torch::rand({count}) * 100 * (torch::rand({count}) < 0.5).to(torch::kFloat32);
  queries.spend[0] = -1;
  return queries;
}

void randomise(ForecastModule& module) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module->parameters()) parameter.add_(torch::randn_like(parameter) * 0.2);
  module->set_scaling({1, 0, -1}, {3, 2, 0.5});
}

double softplus(double x) { return std::log1p(std::exp(x)); }

TEST(ForecastModule, EqualsTheServingCode) {
  torch::manual_seed(1);
  const ForecastHeadConfig config = small_head();
  ForecastModule module(config, 8, 4);
  randomise(module);
  module->eval();
  SafetensorsFile weights;
  const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
    const torch::Tensor values = tensor.detach().contiguous();
    weights.tensors["forecast." + name] = {values.sizes().vec(),
                                           {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()}};
  };
  for (const auto& parameter : module->named_parameters()) add(parameter.key(), parameter.value());
  for (const auto& buffer : module->named_buffers()) add(buffer.key(), buffer.value());
  const Result<ForecastHead> head = ForecastHead::create(config, 8, 4, weights);
  ASSERT_TRUE(head.ok()) << head.status().message();

  const torch::NoGradGuard no_grad;
  const torch::Tensor h = torch::randn({6, 8});
  const ForecastQueries queries = random_queries(config, 6);
  const torch::Tensor o = module->outputs(h, queries).to(torch::kFloat64);
  int without_history = 0;
  for (int64_t i = 0; i < queries.size(); ++i) {
    const auto row = queries.rows[i].item<int64_t>();
    const torch::Tensor read = h[std::max<int64_t>(0, row)].contiguous();
    std::vector<double> features;
    for (int64_t f = 0; f < 3; ++f) features.push_back(queries.features[i][f].item<double>());
    const std::span<const float> vector(read.data_ptr<float>(), row < 0 ? 0 : 8);
    without_history += row < 0 ? 1 : 0;
    const HeadForecast got = head->read(vector, features);
    double survival = 1;
    for (int64_t j = 0; j < 3; ++j) {
      survival *= 1 - 1 / (1 + std::exp(-o[i][j].item<double>()));
      EXPECT_NEAR(got.survival[static_cast<size_t>(j)], survival, 1e-5);
    }
    for (int64_t j = 0; j < 2; ++j)
      EXPECT_NEAR(got.outcomes[static_cast<size_t>(j)], 1 / (1 + std::exp(-o[i][3 + j].item<double>())), 1e-5);
    const double spends = 1 / (1 + std::exp(-o[i][5].item<double>()));
    const double deviation = softplus(o[i][7].item<double>()) + 0.05;
    const double spend = spends * std::exp(o[i][6].item<double>() + deviation * deviation / 2);
    EXPECT_NEAR(got.spend, spend, 1e-4 * spend);
  }
  EXPECT_GT(without_history, 0);
  const torch::Tensor first = h[0].contiguous();
  const std::vector<double> types = head->next_type({first.data_ptr<float>(), 8});
  ASSERT_EQ(types.size(), 4U);
  for (int64_t type = 0; type < 4; ++type)
    EXPECT_NEAR(
        std::log(types[static_cast<size_t>(type)]),
        -module
             ->next_type_loss(h, torch::tensor({type, int64_t{-1}, int64_t{-1}, int64_t{-1}, int64_t{-1}, int64_t{-1}},
                                               torch::kInt64))
             .item<double>(),
        1e-5);
}

TEST(ForecastModule, AWrongTensorIsNamed) {
  SafetensorsFile weights;
  const Status refused = ForecastHead::create(small_head(), 8, 4, weights).status();
  EXPECT_EQ(refused.code(), Code::data_loss);
  EXPECT_NE(refused.message().find("forecast.mean"), std::string::npos);
}

TEST(ForecastModule, GradientAgreesWithCentralDifferences) {
  torch::manual_seed(2);
  const ForecastHeadConfig config = small_head();
  ForecastModule module(config, 8, 4);
  randomise(module);
  module->to(torch::kFloat64);
  module->eval();
  torch::Tensor h = torch::randn({6, 8}, torch::kFloat64).set_requires_grad(true);
  ForecastQueries queries = random_queries(config, 6);
  for (torch::Tensor* tensor :
       {&queries.features, &queries.hazard_seen, &queries.hazard_event, &queries.outcomes, &queries.spend})
    *tensor = tensor->to(torch::kFloat64);
  module->loss(h, queries).backward();
  const auto check = [&](torch::Tensor& tensor, const std::string& name) {
    const torch::NoGradGuard no_grad;
    torch::Tensor values = tensor.view(-1);
    const torch::Tensor gradient = tensor.grad().view(-1);
    for (int64_t at = 0; at < values.numel(); at += std::max<int64_t>(1, values.numel() / 7)) {
      constexpr double kStep = 1e-5;
      const double kept = values[at].item<double>();
      values[at] = kept + kStep;
      const double above = module->loss(h, queries).item<double>();
      values[at] = kept - kStep;
      const double below = module->loss(h, queries).item<double>();
      values[at] = kept;
      EXPECT_NEAR(gradient[at].item<double>(), (above - below) / (2 * kStep), 1e-6) << name << " " << at;
    }
  };
  check(h, "h");
  for (auto& pair : module->named_parameters())
    if (pair.value().grad().defined()) check(pair.value(), pair.key());
}

/// Users of whom half come every other day and buy, the others are seen once.
class ForecastTraining : public testing::Test {
 protected:
  ForecastTraining() {
    types_.add("Product Viewed");
    types_.add("Order Completed");
    dataset_.items = 5;
    for (int item = 0; item < 5; ++item) dataset_.item_names.push_back(fmt::format("item-{}", item));
    dataset_.event_types = {"Product Viewed", "Order Completed"};
    dataset_.is_target = {true, true};
    for (UserId user = 0; user < 200; ++user) add_user(user, user % 2 == 0);
  }

  void add_user(UserId user, bool regular) {
    names_.add(fmt::format("u{}", user));
    UserHistory history{user, {}, {}, {}};
    for (int day = static_cast<int>(user % 10); day < (regular ? 100 : 11); day += regular ? 2 : 200) {
      const TimeMs time = kStart + day * kMsOfDay;
      const auto type = static_cast<EventTypeId>(regular && day % 4 < 2 ? 1 : 0);
      history.tokens.push_back({.item = day % 5, .type = type, .time_ms = time});
      history.devices.push_back(0);
      StoredRecord record;
      record.offset = ++offset_;
      record.user = user;
      record.time = time;
      record.type = type;
      Event event;
      event.amount = Money{2000, "USD"};
      record.payload = event;
      lives_.apply(record);
      dataset_.newest_time_ms = std::max(dataset_.newest_time_ms, time);
      ++dataset_.events;
    }
    dataset_.users.push_back(std::move(history));
  }

  std::vector<size_t> lengths() const {
    std::vector<size_t> lengths;
    for (const UserHistory& user : dataset_.users) lengths.push_back(user.tokens.size());
    return lengths;
  }

  TrainerOptions quick_options() const {
    TrainerOptions options;
    options.model.width = 16;
    options.model.layers = 1;
    options.model.heads = 1;
    options.model.window = 8;
    options.model.feed_forward = 16;
    options.max_epochs = 12;
    options.learning_rate = 5e-3;
    options.batch_tokens = 512;
    options.threads = 1;
    options.precision = Precision::float32;
    options.forecast = ForecastSource{&lives_.definition(), &lives_, dataset_.newest_time_ms};
    return options;
  }

  Dictionary types_;
  Dictionary names_;
  Lives lives_{preset("e-commerce").value(), types_, names_};
  Dataset dataset_;
  Offset offset_ = 0;
};

TEST_F(ForecastTraining, JudgesAreNotAskedAndTokensAfterTheMomentAreNotRead) {
  const ForecastSource source{&lives_.definition(), &lives_, dataset_.newest_time_ms};
  const QueryMaker maker(source, dataset_, lengths(), head_config(lives_.definition()), 7);
  for (uint32_t user = 0; user < 20; ++user) {
    const std::vector<Token>& all = dataset_.users[user].tokens;
    const auto length = static_cast<uint32_t>(all.size());
    const ForecastQueries queries = maker.make({{user, 0, 0, length}}, {1000});
    EXPECT_EQ(queries.size() == 0, is_judge(static_cast<UserId>(user))) << user;
    const uint32_t cut =
        std::max(1U, length / 2);  // the second piece looks back at one token, which stands in its first row
    const ForecastQueries pieces = maker.make({{user, 0, 0, cut}, {user, cut - 1, cut, length}}, {1000, 1000 + cut});
    ASSERT_EQ(pieces.size(), queries.size());
    std::vector<int64_t> want, got;
    for (int64_t i = 0; i < queries.size(); ++i) {
      const auto row = queries.rows[i].item<int64_t>();
      want.push_back(row < 1000 + cut ? row : row + 1);
      got.push_back(pieces.rows[i].item<int64_t>());
    }
    std::sort(want.begin(), want.end());
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, want) << "each is asked of the piece of its token";
    for (const auto& [at, before] : maker.moments(user)) {
      EXPECT_LE(all[static_cast<size_t>(before) - 1].time_ms, at);
      const bool more = before < static_cast<int64_t>(all.size());
      EXPECT_TRUE(!more || all[static_cast<size_t>(before)].time_ms > at);
    }
    const auto tokens = static_cast<int64_t>(all.size());
    for (int64_t i = 0; i < queries.size(); ++i) {
      const auto row = queries.rows[i].item<int64_t>();
      EXPECT_TRUE(row >= 1000 && row < 1000 + tokens) << row;
    }
  }
  std::vector<size_t> cut = lengths();
  for (size_t& length : cut) length = std::min<size_t>(length, 3);
  const QueryMaker hiding(source, dataset_, cut, head_config(lives_.definition()), 7);
  EXPECT_LT(hiding.size(), maker.size()) << "a hidden token would be an answer";
}

TEST_F(ForecastTraining, MembersWithHeadsGoOnToTheBit) {
  const Holdout holdout = make_holdout(Holdout::Kind::none, dataset_).value();
  TrainerOptions options = quick_options();
  options.max_epochs = 2;
  options.model.members = 2;
  const TemporaryFolder whole_folder, parts_folder;
  const auto whole = train(whole_folder.path(), dataset_, holdout, options);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  options.stop_after_steps = 2;
  Result<TrainingReport> part = train(parts_folder.path(), dataset_, holdout, options);
  for (int runs = 1; part.ok() && part->model_id.empty() && runs < 40; ++runs)
    part = train(parts_folder.path(), dataset_, holdout, options);
  ASSERT_TRUE(part.ok()) << part.status().message();
  const auto weights = [](const TemporaryFolder& folder, const std::string& id) {
    return read_file(folder.path() / "models" / id / "model.safetensors").value();
  };
  EXPECT_TRUE(weights(parts_folder, part->model_id) == weights(whole_folder, whole->model_id));
  const SafetensorsFile file = parse_safetensors(weights(whole_folder, whole->model_id)).value();
  EXPECT_NE(file.tensors.at("member_1.forecast.out.weight").values, file.tensors.at("forecast.out.weight").values);
}

TEST_F(ForecastTraining, ATrainedModelTellsWhoComesAgain) {
  const TemporaryFolder folder;
  const TrainerOptions options = quick_options();
  const Holdout holdout = make_holdout(Holdout::Kind::none, dataset_).value();
  const auto report = train(folder.path(), dataset_, holdout, options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const StoredModel model = load_model(folder.path(), report->model_id).value();
  ASSERT_TRUE(model.ensemble->config().forecasts.has_value());

  const HeadFeatures features(lives_.definition());
  const auto returns_within_a_week = [&](UserId user) {
    const TimeMs now = kStart + 60 * kMsOfDay;
    Ensemble::Cache cache = model.ensemble->new_cache();
    for (const Token& token : dataset_.users[user].tokens)
      if (token.time_ms <= now) model.ensemble->append(cache, token);
    const Found<Life> life = lives_.find(user);
    const HeadForecast forecast = *model.ensemble->forecast(
        cache.history_vector(), features.of(lives_.definition(), {user, life->first_seen, &life->facts}, now));
    const Question week{"return_7d", Outcome::returns, 7 * kMsOfDay};
    return *answer_of(forecast, *model.ensemble->config().forecasts, week);
  };
  for (UserId user = 0; user < 20; ++user)
    EXPECT_EQ(returns_within_a_week(user) > 0.5, user % 2 == 0) << user << ": " << returns_within_a_week(user);
}

}  // namespace
}  // namespace perennial
