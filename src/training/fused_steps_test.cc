// The fused kernels against the module composed from libtorch operations in double: loss and every parameter's
// gradient, for each instruction set of this machine, one thread and two, windows below and above the sequences.
#include "training/fused_steps.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "training/batches.h"
#include "training/transformer_module.h"

namespace perennial {
namespace {

ModelConfig config_of(int32_t window, int32_t layers = 2, int32_t heads = 2) {
  ModelConfig config;
  config.items = 150;
  config.width = 64;
  config.layers = layers;
  config.heads = heads;
  config.window = window;
  config.feed_forward = 96;
  config.event_types = {"view", "order"};
  config.features = {"device:mobile", "trait:plan=pro", "trait:plan=free"};
  return config;
}

PackedBatch batch_of(const ModelConfig& config, const std::vector<int64_t>& lengths, uint64_t seed) {
  Random random(seed);
  BatchColumns columns;
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random.below(static_cast<uint64_t>(n))); };
  for (size_t s = 0; s < lengths.size(); ++s)
    for (int64_t t = 0; t < lengths[s]; ++t) {
      columns.items.push_back(below(config.items));
      columns.types.push_back(below(2));
      columns.values.push_back(below(ModelConfig::kValueBuckets));
      columns.gaps.push_back(below(ModelConfig::kGapBuckets));
      columns.segment.push_back(static_cast<int64_t>(s));
      columns.targets.push_back(random.chance(0.8) ? below(config.items) : -1);
      columns.elapsed.push_back(random.chance(0.5) ? below(ModelConfig::kGapBuckets) : 0);
      columns.feature_starts.push_back(static_cast<int64_t>(columns.features.size()));
      for (int64_t f = below(3); f > 0; --f) columns.features.push_back(below(3));
    }
  return columns.pack();
}

struct Twins {
  TransformerModule composed, fused;

  Twins(const ModelConfig& config, const FusedKernels& kernels, double dropout = 0)
      : composed(config, Precision::float32, dropout, nullptr), fused(config, Precision::float32, dropout, &kernels) {
    torch::NoGradGuard no_grad;
    const auto parameters = composed->named_parameters();
    for (auto& parameter : fused->named_parameters()) {
      parameter.value().add_(torch::randn_like(parameter.value()) * 0.1);
      parameters[parameter.key()].copy_(parameter.value());
    }
    composed->to(torch::kFloat64);
  }

  /// |fused - composed| of each gradient, of the largest entry of its composed one; by name.
  std::map<std::string, double> gradient_errors() {
    std::map<std::string, double> errors;
    const auto parameters = fused->named_parameters();
    for (const auto& parameter : composed->named_parameters()) {
      const torch::Tensor want = parameter.value().grad();
      const torch::Tensor got = parameters[parameter.key()].grad();
      if (!want.defined() || !got.defined()) {
        if (want.defined() != got.defined() && (want.defined() ? want : got).abs().max().item<double>() > 0)
          errors[parameter.key()] = INFINITY;
        continue;
      }
      const torch::Tensor dense = got.is_sparse() ? got.to_dense() : got;
      const double scale = want.abs().max().item<double>();
      // At least a thousandth of a mean loss of about 5: a gradient that is zero in theory has no scale of its own.
      const double error = (dense - want).abs().max().item<double>() / std::max(scale, 1e-3);
      errors[parameter.key()] = std::isnan(error) ? INFINITY : error;
    }
    return errors;
  }
};

class FusedAgainstComposed : public testing::TestWithParam<std::tuple<const FusedKernels*, int, int32_t>> {
 protected:
  const FusedKernels& kernels() const { return *std::get<0>(GetParam()); }
  bool rounds() const { return kernels().name().starts_with("bfloat16"); }
  /// Of a gradient's largest entry. float32: sums of some hundred terms in another order, 500 x 2^-24; bfloat16: ten
  /// products in a row of operands rounded by 2^-9 each.
  double tolerance() const { return rounds() ? 0.04 : 3e-5; }
  void SetUp() override { torch::set_num_threads(std::get<1>(GetParam())); }
};

TEST_P(FusedAgainstComposed, LossAndGradientsEqualTheComposedModule) {
  torch::manual_seed(5);
  const ModelConfig config = config_of(std::get<2>(GetParam()));
  Twins twins(config, kernels());
  const PackedBatch batch = batch_of(config, {1, 70, 33, 2, 131, 16, 64, 5}, 9);
  const torch::Tensor fused = twins.fused->loss(batch, 0).next_item;
  const torch::Tensor composed = twins.composed->loss(batch, 0).next_item;
  EXPECT_NEAR(fused.item<double>(), composed.item<double>(), rounds() ? 0.01 : 1e-5);
  (fused * 2).backward();
  (composed * 2).backward();
  for (const auto& [name, error] : twins.gradient_errors()) EXPECT_LE(error, tolerance()) << name;
}

TEST_P(FusedAgainstComposed, HistoryVectorsEqualTheComposedModule) {
  torch::manual_seed(6);
  const ModelConfig config = config_of(std::get<2>(GetParam()), 3, 4);
  Twins twins(config, kernels());
  for (const std::vector<int64_t>& lengths :
       {std::vector<int64_t>{1}, {2}, {15, 1}, {16}, {17}, {24}, {25}, {127}, {128, 1}, {300}}) {
    const PackedBatch batch = batch_of(config, lengths, 10);
    const torch::NoGradGuard no_grad;
    const torch::Tensor fused = twins.fused->history_vectors(batch);
    const torch::Tensor composed = twins.composed->history_vectors(batch);
    EXPECT_LE((fused - composed).abs().max().item<double>(), rounds() ? 0.15 : 1e-4) << lengths[0];
  }
}

TEST_P(FusedAgainstComposed, SampledLossAndSparseGradientsEqualTheComposedModule) {
  torch::manual_seed(7);
  const ModelConfig config = config_of(std::get<2>(GetParam()), 1);
  Twins twins(config, kernels());
  const PackedBatch batch = batch_of(config, {40, 3, 21}, 11);
  torch::manual_seed(8);  // both draw the same candidates
  const torch::Tensor fused = twins.fused->loss(batch, 100).next_item;
  torch::manual_seed(8);
  const torch::Tensor composed = twins.composed->loss(batch, 100).next_item;
  EXPECT_NEAR(fused.item<double>(), composed.item<double>(), rounds() ? 0.01 : 1e-5);
  fused.backward();
  composed.backward();
  EXPECT_TRUE(twins.fused->named_parameters()["items.weight"].grad().is_sparse());
  for (const auto& [name, error] : twins.gradient_errors()) EXPECT_LE(error, tolerance()) << name;
}

TEST_P(FusedAgainstComposed, LogitsOfThousandsLoseNothing) {
  torch::manual_seed(9);
  const ModelConfig config = config_of(std::get<2>(GetParam()), 1);
  Twins twins(config, kernels());
  {
    torch::NoGradGuard no_grad;
    for (TransformerModule module : {twins.composed, twins.fused}) module->named_parameters()["item_bias"].mul_(1e4);
  }
  const PackedBatch batch = batch_of(config, {300, 2}, 12);
  const torch::Tensor fused = twins.fused->loss(batch, 0).next_item;
  const torch::Tensor composed = twins.composed->loss(batch, 0).next_item;
  EXPECT_GT(composed.item<double>(), 500) << "the case is as hard as it should be";
  EXPECT_NEAR(fused.item<double>() / composed.item<double>(), 1, 1e-4);
  fused.backward();
  composed.backward();
  for (const auto& [name, error] : twins.gradient_errors()) EXPECT_LE(error, tolerance()) << name;
}

// In float32 only: differences of losses that were rounded say nothing.
class FusedDropping : public FusedAgainstComposed {};

TEST_P(FusedDropping, ThreadsDoNotChangeWhatIsDroppedAndGradientsKnowIt) {
  const ModelConfig config = config_of(std::get<2>(GetParam()));
  TransformerModule module(config, Precision::float32, 0.3, &kernels());
  const PackedBatch batch = batch_of(config, {50, 9, 31}, 13);
  const torch::Tensor weights = torch::randn({90, config.width});
  const auto loss = [&] {
    torch::manual_seed(77);
    return (module->history_vectors(batch) * weights).sum();
  };
  torch::manual_seed(77);
  const torch::Tensor h = module->history_vectors(batch);
  torch::set_num_threads(1);
  torch::manual_seed(77);
  EXPECT_EQ((module->history_vectors(batch) - h).abs().max().item<double>(), 0);
  torch::manual_seed(78);
  EXPECT_GT((module->history_vectors(batch) - h).abs().max().item<double>(), 0.01) << "other dice";
  torch::set_num_threads(std::get<1>(GetParam()));

  loss().backward();
  for (auto& parameter : module->named_parameters()) {
    if (!parameter.value().grad().defined()) continue;
    const torch::Tensor direction =
        torch::sign(parameter.value().grad()) / std::sqrt(static_cast<double>(parameter.value().numel()));
    const double step = 2e-3;
    double values[2];
    {
      const torch::NoGradGuard no_grad;
      for (const int side : {0, 1}) {
        parameter.value().add_(direction, side == 0 ? -step : 2 * step);
        values[side] = loss().item<double>();
      }
      parameter.value().add_(direction, -step);
    }
    const double slope = (parameter.value().grad() * direction).sum().item<double>();
    EXPECT_NEAR((values[1] - values[0]) / (2 * step), slope, 0.02 * std::abs(slope) + 0.02) << parameter.key();
  }
}

using Case = std::tuple<const FusedKernels*, int, int32_t>;

std::vector<Case> cases(bool rounding_too) {
  std::vector<Case> cases;
  for (const FusedKernels* kernels : runnable_kernels())
    for (const int threads : {1, 2})
      for (const int32_t window : {1, 5, 48, 200})
        if (rounding_too || kernels->name().starts_with("float32")) cases.emplace_back(kernels, threads, window);
  return cases;
}

std::string name_of(const testing::TestParamInfo<Case>& instance) {
  std::string name(std::get<0>(instance.param)->name());
  std::replace(name.begin(), name.end(), '-', '_');
  return fmt::format("{}_{}_threads_window_{}", name, std::get<1>(instance.param), std::get<2>(instance.param));
}

INSTANTIATE_TEST_SUITE_P(, FusedAgainstComposed, testing::ValuesIn(cases(true)), name_of);
INSTANTIATE_TEST_SUITE_P(, FusedDropping, testing::ValuesIn(cases(false)), name_of);

}  // namespace
}  // namespace perennial
