// How near is a training step to the machine's limit? The fused step beside the composed one, and beside the peak of
// oneDNN's matrix product in the same seconds. ./dev bench training_speed [--help]
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <dnnl.hpp>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "model_flags.h"
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

/// Training steps over a few batches, as long as one likes.
class Steps {
 public:
  Steps(const Options& options, const FusedKernels* kernels, Precision precision)
      : negatives_(options.negatives), state_(seeded(options.model), precision, 0.2, 1e-3, 0.01, 0, kernels) {
    Random random(2);
    for (int i = 0; i < 8; ++i) batches_.push_back(random_batch(options, random));
    for (int i = 0; i < 3; ++i) step();  // the first ones map memory
  }

  /// Tokens a second over that time.
  double speed(double seconds) {
    const double started = monotonic_seconds();
    int64_t tokens = 0;
    do tokens += step();
    while (monotonic_seconds() - started < seconds);
    return static_cast<double>(tokens) / (monotonic_seconds() - started);
  }

  [[nodiscard]] double loss() const { return loss_; }

 private:
  static const ModelConfig& seeded(const ModelConfig& model) {
    torch::manual_seed(1);
    return model;
  }

  int64_t step() {
    const PackedBatch& batch = batches_[steps_++ % batches_.size()];
    const torch::Tensor total = state_.module->loss(batch, negatives_).next_item;
    total.backward();
    state_.optimizer.step();
    loss_ = total.item<double>();
    return batch.items.size(0);
  }

  int64_t negatives_;
  TrainingState state_;
  std::vector<PackedBatch> batches_;
  size_t steps_ = 0;
  double loss_ = 0;
};

/// oneDNN's product of one shape on all threads.
class Product {
 public:
  Product(int64_t m, int64_t n, int64_t k, Precision precision) : m_(m), n_(n), k_(k) {
    using Tag = dnnl::memory::format_tag;
    const auto type = precision == Precision::bfloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
    const dnnl::memory::desc a({m, k}, type, Tag::ab);
    const dnnl::memory::desc b({k, n}, type, Tag::any);
    const dnnl::memory::desc c({m, n}, dnnl::memory::data_type::f32, Tag::ab);
    const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(a, b, c), engine_);
    arguments_ = {{DNNL_ARG_SRC, dnnl::memory(plan.src_desc(), engine_)},
                  {DNNL_ARG_WEIGHTS, dnnl::memory(plan.weights_desc(), engine_)},
                  {DNNL_ARG_DST, dnnl::memory(plan.dst_desc(), engine_)}};
    product_ = dnnl::matmul(plan);
  }

  /// FLOP/s, the best of ten short trials.
  double speed() {
    double best = 0;
    for (int trial = 0; trial < 10; ++trial) {
      const double started = monotonic_seconds();
      int64_t products = 0;
      do {
        product_.execute(stream_, arguments_);
        stream_.wait();
        ++products;
      } while (monotonic_seconds() - started < 0.01);
      best = std::max(best, 2.0 * static_cast<double>(m_ * n_ * k_ * products) / (monotonic_seconds() - started));
    }
    return best;
  }

 private:
  int64_t m_, n_, k_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul product_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

/// The fastest product of several shapes.
class Peak {
 public:
  explicit Peak(Precision precision) {
    for (const auto& [m, n, k] : {std::array{8192, 256, 256}, std::array{25600, 64, 64}, std::array{1024, 1024, 1024}})
      products_.emplace_back(m, n, k, precision);
  }

  double speed() {
    double best = 0;
    for (Product& product : products_) best = std::max(best, product.speed());
    return best;
  }

 private:
  std::vector<Product> products_;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Measured {
  double tokens_a_second;  // the median of the rounds
  double peak;             // FLOP/s, likewise
  double share;            // of the peak, likewise
  double lowest_share, highest_share;
};

/// Rounds of a second, each between two looks at the peak: other load on the machine comes and goes, and what it takes
/// from both is in neither's favour. A look is the best of many short trials, a round has all that came.
Measured measure(Steps& steps, Peak& peak, double flops, double seconds) {
  std::vector<double> speeds, peaks, shares;
  double before = peak.speed();
  for (double left = seconds; left > 0; left -= 1) {
    speeds.push_back(steps.speed(std::min(1.0, left)));
    const double after = peak.speed();
    peaks.push_back((before + after) / 2);
    shares.push_back(speeds.back() * flops / peaks.back());
    before = after;
  }
  const auto [low, high] = std::minmax_element(shares.begin(), shares.end());
  return {median(speeds), median(peaks), median(shares), *low, *high};
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
  Peak peak(precision);
  const auto tell = [&](std::string_view name, const FusedKernels* its) {
    Steps steps(options, its, precision);
    const Measured measured = measure(steps, peak, flops, options.seconds);
    if (options.json) {
      const json::object row = {{"kernels", name},
                                {"tokens_a_second", measured.tokens_a_second},
                                {"mflop_a_token", flops / 1e6},
                                {"peak_gflops", measured.peak / 1e9},
                                {"share_of_peak", measured.share}};
      fmt::print("{}\n", json::serialize(row));
      return;
    }
    fmt::print(
        "  {:<16} {:>9} tokens/s  {:4.0f} of {:.0f} GFLOP/s  {:.1f} % of the peak ({:.1f} to {:.1f})  loss {:.3f}\n",
        name, with_commas(static_cast<int64_t>(measured.tokens_a_second)), measured.tokens_a_second * flops / 1e9,
        measured.peak / 1e9, 100 * measured.share, 100 * measured.lowest_share, 100 * measured.highest_share,
        steps.loss());
  };
  tell((*kernels)->name(), *kernels);
  if (options.composed) tell("composed", nullptr);
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
  add_model_flags(app, options.model);
  app.add_option("--items", options.model.items)->capture_default_str();
  app.add_option("--negatives", options.negatives, "0: the full softmax")->capture_default_str();
  app.add_option("--tokens", options.tokens, "a step")->capture_default_str();
  app.add_option("--length", options.length, "of a history, on average")->capture_default_str();
  app.add_option("--threads", options.threads)->capture_default_str();
  app.add_option("--seconds", options.seconds, "of steps")->capture_default_str();
  app.add_flag("--json", options.json, "print an object a line on standard output");
  app.add_flag("--composed", options.composed, "measure the composed module too");
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
