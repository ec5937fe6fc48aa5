// AdamW against libtorch's own, dense and by rows; Muon's orthogonal steps; the average of the weights; and that each
// is taken up where it was saved.
#include "training/optimizer.h"

#include <gtest/gtest.h>

#include <sstream>

namespace perennial {
namespace {

using Parameters = torch::OrderedDict<std::string, torch::Tensor>;

Parameters parameters_of(const std::vector<std::pair<std::string, torch::Tensor>>& named) {
  Parameters parameters;
  for (const auto& [name, tensor] : named) parameters.insert(name, tensor.clone().set_requires_grad(true));
  return parameters;
}

double farthest(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

constexpr AdamWStep kStep{.learning_rate = 0.01F, .weight_decay = 0.1F};

TEST(Optimizer, EqualsLibtorchsAdamW) {
  torch::manual_seed(1);
  const torch::Tensor start = torch::randn({37, 5});
  Parameters ours = parameters_of({{"w", start}, {"without", start}});
  Parameters theirs = parameters_of({{"w", start}, {"without", start}});
  Optimizer optimizer(ours, kStep);
  torch::optim::AdamW reference({theirs["w"], theirs["without"]},
                                torch::optim::AdamWOptions(0.01).betas({0.9, 0.98}).weight_decay(0.1));
  for (int i = 0; i < 10; ++i) {
    const torch::Tensor gradient = torch::randn({37, 5});
    ours["w"].mutable_grad() = gradient.clone();
    theirs["w"].mutable_grad() = gradient.clone();
    theirs["without"].mutable_grad() = torch::zeros({37, 5});
    optimizer.step();
    reference.step();
    EXPECT_FALSE(ours["w"].grad().defined()) << "a gradient is used once";
  }
  EXPECT_LE(farthest(ours["w"], theirs["w"]), 1e-6);
  EXPECT_LE(farthest(ours["without"], theirs["without"]), 1e-6);
}

TEST(Optimizer, SparseGradientsMoveTheirRowsAsDenseOnesAndNoOthers) {
  torch::manual_seed(2);
  const torch::Tensor start = torch::randn({10, 4});
  Parameters sparse = parameters_of({{"w", start}});
  Parameters dense = parameters_of({{"w", start}});
  Optimizer of_sparse(sparse, kStep);
  Optimizer of_dense(dense, kStep);
  const torch::Tensor rows = torch::tensor({7, 2, 7}, torch::kInt64);  // a row that is named twice
  for (int i = 0; i < 3; ++i) {
    const torch::Tensor values = torch::randn({3, 4});
    sparse["w"].mutable_grad() = torch::sparse_coo_tensor(rows.unsqueeze(0), values, {10, 4});
    dense["w"].mutable_grad() = torch::zeros({10, 4}).index_add_(0, rows, values);
    of_sparse.step();
    of_dense.step();
  }
  for (int64_t row = 0; row < 10; ++row) {
    const bool named = row == 7 || row == 2;
    EXPECT_LE(farthest(sparse["w"][row], named ? dense["w"][row] : start[row]), named ? 1e-6 : 0) << row;
  }
}

TEST(Optimizer, MuonMovesHiddenMatricesAlongOrthogonalOnes) {
  torch::manual_seed(3);
  Parameters parameters =
      parameters_of({{"layer_0.up.weight", torch::randn({48, 16})}, {"items.weight", torch::randn({48, 16})}});
  const torch::Tensor before = parameters["layer_0.up.weight"].detach().clone();
  Optimizer optimizer(parameters, {.learning_rate = 0, .weight_decay = 0}, 0.5);
  for (const auto& parameter : parameters) parameter.value().mutable_grad() = torch::randn({48, 16}) * 1e-4;
  const torch::Tensor items = parameters["items.weight"].detach().clone();
  optimizer.step();
  const torch::Tensor moved = (before - parameters["layer_0.up.weight"].detach()) / (0.5 * std::sqrt(3.0));
  const torch::Tensor singular = std::get<1>(torch::svd(moved));
  EXPECT_GE(singular.min().item<double>(), 0.6) << "however small the gradient";
  EXPECT_LE(singular.max().item<double>(), 1.3);
  EXPECT_EQ(farthest(items, parameters["items.weight"]), 0) << "tables are not hidden matrices";
}

TEST(Optimizer, GoesOnWhereItWasSaved) {
  torch::manual_seed(4);
  const std::vector<std::pair<std::string, torch::Tensor>> start = {{"layer_0.up.weight", torch::randn({8, 8})},
                                                                    {"bias", torch::randn({8})}};
  Parameters whole = parameters_of(start);
  Parameters halves = parameters_of(start);
  const auto steps = [](Parameters& parameters, Optimizer& optimizer, WeightAverage& average, int first, int end) {
    for (int i = first; i < end; ++i) {
      for (const auto& parameter : parameters)
        parameter.value().mutable_grad() = parameter.value().detach() * (i % 3 - 1) + 0.1;
      optimizer.step();
      average.update(4);
    }
  };
  Optimizer all(whole, kStep, 0.02);
  WeightAverage all_average(whole);
  steps(whole, all, all_average, 0, 12);
  std::stringstream stream;
  {
    Optimizer first(halves, kStep, 0.02);
    WeightAverage first_average(halves);
    steps(halves, first, first_average, 0, 7);
    torch::serialize::OutputArchive archive;
    first.save(archive);
    first_average.save(archive);
    archive.save_to(stream);
  }
  torch::serialize::InputArchive archive;
  archive.load_from(stream);
  Optimizer second(halves, kStep, 0.02);
  WeightAverage second_average(halves);
  second.load(archive);
  second_average.load(archive);
  steps(halves, second, second_average, 7, 12);
  for (const auto& parameter : whole) {
    EXPECT_EQ(farthest(parameter.value(), halves[parameter.key()]), 0) << parameter.key();
    EXPECT_EQ(farthest(all_average.values().at(parameter.key()), second_average.values().at(parameter.key())), 0);
  }
}

TEST(WeightAverage, IsNearTheMiddleOfWhatWentToAndFro) {
  Parameters parameters = parameters_of({{"w", torch::zeros({3})}});
  WeightAverage average(parameters);
  for (int i = 0; i < 4000; ++i) {
    torch::NoGradGuard no_grad;
    parameters["w"].fill_(5 + (i / 8 % 2 == 0 ? 1 : -1));
    average.update(200);
  }
  EXPECT_NEAR(average.values().at("w")[0].item<double>(), 5, 0.1);
  WeightAverage rising(parameters);
  double before = -1;
  for (int i = 0; i < 40; ++i) {
    torch::NoGradGuard no_grad;
    parameters["w"].fill_(i);
    rising.update(10);
    const double now = rising.values().at("w")[0].item<double>();
    EXPECT_GT(now, before) << "of a short average each step counts: " << i;
    before = now;
  }
  EXPECT_NEAR(before, 39 - 9, 1.5) << "ten steps behind, on average";
  WeightAverage short_run(parameters);
  for (int i = 0; i < 5; ++i) {
    torch::NoGradGuard no_grad;
    parameters["w"].fill_(100 + i);
    short_run.update(10);
  }
  EXPECT_GE(short_run.values().at("w")[0].item<double>(), 100) << "the start is forgotten, however few the steps";
  WeightAverage last(parameters);
  parameters["w"].detach().fill_(9);
  last.update(0);
  EXPECT_EQ(last.values().at("w")[0].item<double>(), 9) << "no horizon: the last weights";
}

}  // namespace
}  // namespace perennial
