// How near is a training step to the machine's limit? The fused step beside the composed one, and beside the bfloat16
// peak of oneDNN's matrix product in the same run. ./dev bench training_speed [--help]
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <dnnl.hpp>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "training/batches.h"
#include "training/freed_memory.h"
#include "training/training_state.h"

namespace perennial {
namespace {

struct Options {
  ModelConfig model;
  int64_t tokens = 8192;  // a step
  int64_t length = 165;   // of a history, on average
  int64_t negatives = 0;
  double seconds = 10;  // of each measurement
  int threads = 2;
  bool composed = false;
  bool json = false;
};

/// Histories of random length and items that are drawn the more often the lower their number.
PackedBatch random_batch(const Options& options, Random& random) {
  BatchColumns columns;
  for (int64_t user = 0; static_cast<int64_t>(columns.items.size()) < options.tokens; ++user) {
    const auto left = options.tokens - static_cast<int64_t>(columns.items.size());
    const double draw = -std::log(1 - random.uniform()) * static_cast<double>(options.length);
    const auto length = std::clamp<int64_t>(static_cast<int64_t>(draw), 2, left + 1);
    for (int64_t t = 0; t < length; ++t) {
      const auto item = static_cast<int64_t>(std::pow(random.uniform(), 3) * options.model.items);
      if (t > 0) columns.targets.push_back(item);
      columns.items.push_back(item);
      columns.types.push_back(0);
      columns.values.push_back(static_cast<int64_t>(random.below(6)));
      columns.gaps.push_back(static_cast<int64_t>(random.below(30)));
      columns.segment.push_back(user);
      columns.elapsed.push_back(static_cast<int64_t>(random.below(30)));
    }
    columns.targets.push_back(-1);
  }
  columns.feature_starts.assign(columns.items.size(), 0);
  return columns.pack();
}

/// Tokens that a token attends to, on average.
double mean_context(const PackedBatch& batch, int64_t window) {
  const int64_t* segment = batch.segment.data_ptr<int64_t>();
  double sum = 0;
  int64_t position = 0;
  for (int64_t t = 0; t < batch.segment.size(0); ++t) {
    position = t > 0 && segment[t] == segment[t - 1] ? position + 1 : 0;
    sum += static_cast<double>(std::min(position + 1, window));
  }
  return sum / static_cast<double>(batch.segment.size(0));
}

/// Of forward and backward: the layers' products, attention and softmax; nothing else is counted.
double flops_a_token(const Options& options, double context) {
  const ModelConfig& model = options.model;
  const auto D = static_cast<double>(model.width);
  const double layer = 2 * (4 * D * D + 2 * D * model.feed_forward) + 4 * context * D;
  const double candidates = options.negatives > 0 ? static_cast<double>(options.negatives) : model.items;
  return 3 * (model.layers * layer + 2 * D * candidates);
}

struct Speed {
  double tokens_a_second, milliseconds, loss;
};

Speed measure(const Options& options, const FusedKernels* kernels, Precision precision) {
  torch::manual_seed(1);
  TrainingState state(options.model, precision, 0.2, 1e-3, 0.01, 0, kernels);
  Random random(2);
  std::vector<PackedBatch> batches;
  for (int i = 0; i < 8; ++i) batches.push_back(random_batch(options, random));
  int64_t tokens = 0;
  int64_t steps = 0;
  double loss = 0;
  double started = 0;
  for (int64_t step = 0;; ++step) {
    if (step == 3) started = monotonic_seconds();  // the first ones map memory
    if (step > 3 && monotonic_seconds() - started > options.seconds) break;
    const PackedBatch& batch = batches[static_cast<size_t>(step) % batches.size()];
    const torch::Tensor total = state.module->loss(batch, options.negatives).next_item;
    total.backward();
    state.optimizer.step();
    loss = total.item<double>();
    if (step < 3) continue;
    tokens += batch.items.size(0);
    ++steps;
  }
  const double seconds = monotonic_seconds() - started;
  return {static_cast<double>(tokens) / seconds, 1e3 * seconds / static_cast<double>(steps), loss};
}

/// FLOP/s of oneDNN's product of that shape on all threads.
double product_peak(int64_t m, int64_t n, int64_t k, dnnl::memory::data_type type) {
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  using Tag = dnnl::memory::format_tag;
  const dnnl::memory::desc a({m, k}, type, Tag::ab);
  const dnnl::memory::desc b({k, n}, type, Tag::any);
  const dnnl::memory::desc c({m, n}, dnnl::memory::data_type::f32, Tag::ab);
  const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(a, b, c), engine);
  dnnl::memory left(plan.src_desc(), engine), right(plan.weights_desc(), engine), out(plan.dst_desc(), engine);
  const dnnl::matmul product(plan);
  const std::unordered_map<int, dnnl::memory> arguments = {
      {DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, right}, {DNNL_ARG_DST, out}};
  double best = 0;
  for (int trial = 0; trial < 20; ++trial) {
    const double started = monotonic_seconds();
    int64_t products = 0;
    do {
      product.execute(stream, arguments);
      stream.wait();
      ++products;
    } while (monotonic_seconds() - started < 0.02);
    best = std::max(best, 2.0 * static_cast<double>(m * n * k * products) / (monotonic_seconds() - started));
  }
  return best;
}

/// Of several shapes; told as it goes.
double best_product(Precision precision) {
  const auto type = precision == Precision::bfloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
  double best = 0;
  for (const auto& [m, n, k] : {std::array{8192, 256, 256}, std::array{25600, 64, 64}, std::array{1024, 1024, 1024}}) {
    const double flops = product_peak(m, n, k, type);
    fmt::print(stderr, "  oneDNN {:>5} x {:>4} x {:>4}   {:7.0f} GFLOP/s\n", m, n, k, flops / 1e9);
    best = std::max(best, flops);
  }
  return best;
}

int run(const Options& options) {
  keep_freed_memory();
  torch::set_num_threads(options.threads);
  const Precision precision = best_precision();
  const Result<const FusedKernels*> kernels = fused_kernels(precision);
  if (!kernels.ok()) {
    fmt::print(stderr, "{}\n", kernels.status().message());
    return 1;
  }
  Random random(2);
  const double context = mean_context(random_batch(options, random), options.model.window);
  const double flops = flops_a_token(options, context);
  fmt::print(
      stderr,
      "width {}, {} layers, {} heads, window {}, {} items, {} negatives, {} tokens a step, {:.0f} tokens seen on "
      "average: {:.2f} MFLOP a token, {} threads\n",
      options.model.width, options.model.layers, options.model.heads, options.model.window, options.model.items,
      options.negatives, options.tokens, context, flops / 1e6, options.threads);
  const double peak = best_product(precision);
  const auto print = [&](std::string_view name, const Speed& speed) {
    const double share = speed.tokens_a_second * flops / peak;
    if (options.json) {
      const json::object row = {{"kernels", name},
                                {"tokens_a_second", speed.tokens_a_second},
                                {"mflop_a_token", flops / 1e6},
                                {"peak_gflops", peak / 1e9},
                                {"share_of_peak", share}};
      fmt::print("{}\n", json::serialize(row));
      return;
    }
    fmt::print("  {:<20} {:>9} tokens/s  {:8.2f} ms a step  {:6.0f} GFLOP/s  {:5.1f} % of the peak  loss {:.3f}\n",
               name, with_commas(static_cast<int64_t>(speed.tokens_a_second)), speed.milliseconds,
               speed.tokens_a_second * flops / 1e9, 100 * share, speed.loss);
  };
  print((*kernels)->name(), measure(options, *kernels, precision));
  if (options.composed) print("composed", measure(options, nullptr, precision));
  return 0;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  using namespace perennial;
  Options options;
  options.model.items = 3416;
  options.model.window = 200;
  options.model.event_types = {"view"};
  CLI::App app("Speed of a training step beside the machine's limit.", "training_speed");
  app.add_option("--width", options.model.width)->capture_default_str();
  app.add_option("--layers", options.model.layers)->capture_default_str();
  app.add_option("--heads", options.model.heads)->capture_default_str();
  app.add_option("--window", options.model.window)->capture_default_str();
  app.add_option("--feed-forward", options.model.feed_forward)->capture_default_str();
  app.add_option("--items", options.model.items)->capture_default_str();
  app.add_option("--negatives", options.negatives, "0: the full softmax")->capture_default_str();
  app.add_option("--tokens", options.tokens, "a step")->capture_default_str();
  app.add_option("--length", options.length, "of a history, on average")->capture_default_str();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_option("--seconds", options.seconds, "of each measurement")->capture_default_str();
  app.add_flag("--json", options.json, "print an object a line on standard output");
  app.add_flag("--composed", options.composed, "measure the composed module too");
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
