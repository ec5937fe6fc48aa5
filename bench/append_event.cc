// What does one more event cost? Appending it to a user's cached keys and values, beside reading the whole history
// anew, in the same run; users whose caches the processor has long forgotten, and one whom it knows. ./dev bench
// append_event [--help]
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/random.h"
#include "model/random_weights.h"
#include "model/transformer.h"
#include "model_flags.h"

namespace perennial {
namespace {

struct Options {
  ModelConfig model;
  size_t users = 2'000;
  size_t length = 200;
  size_t appends = 10'000;
};

Token random_token(Random& random, const ModelConfig& model, int64_t time_ms) {
  return {.item = static_cast<int32_t>(random.below(static_cast<uint64_t>(model.items))),
          .type = 0,
          .value = static_cast<float>(random.below(6)),
          .time_ms = time_ms};
}

/// Of each call in microseconds, sorted.
class Times {
 public:
  template <class Call>
  void add(Call call) {
    const double before = monotonic_seconds();
    call();
    each_.push_back(1e6 * (monotonic_seconds() - before));
  }
  double quantile(double share) {
    std::ranges::sort(each_);
    return each_[static_cast<size_t>(share * static_cast<double>(each_.size() - 1))];
  }

 private:
  std::vector<double> each_;
};

int run(Options options) {
  options.model.items = 3'416;
  options.model.event_types = {"view"};
  const auto model = Transformer::create(options.model, random_weights(options.model, 1));
  if (!model.ok()) {
    fmt::print(stderr, "{}\n", model.status().message());
    return 1;
  }
  Random random(2);
  std::vector<std::vector<Token>> histories(options.users);
  std::vector<Transformer::Cache> caches;
  for (auto& history : histories) {
    for (size_t t = 0; t < options.length; ++t)
      history.push_back(random_token(random, options.model, static_cast<int64_t>(t) * 60'000));
    caches.push_back((*model)->read(history));
  }
  Times cold, hot, whole, whole_with_cache;
  double largest = 0;
  for (size_t i = 0; i < options.appends; ++i) {
    const size_t user = random.below(options.users);
    histories[user].push_back(
        random_token(random, options.model, static_cast<int64_t>(histories[user].size()) * 60'000));
    const Token& token = histories[user].back();
    cold.add([&] { (*model)->append(caches[user], token); });
    if (i % 20 != 0) continue;
    std::vector<float> anew;
    whole.add([&] { anew = (*model)->history_vector(histories[user]); });
    whole_with_cache.add([&] { (void)(*model)->read(histories[user]); });
    for (size_t d = 0; d < anew.size(); ++d)
      largest = std::max<double>(largest, std::abs(anew[d] - caches[user].history_vector()[d]));
  }
  if (!(largest < 1e-3)) {
    fmt::print(stderr, "appending and reading anew differ by {}\n", largest);
    return 1;
  }
  for (size_t i = 0; i < options.appends / 10; ++i) {
    const Token token = random_token(random, options.model, static_cast<int64_t>(options.length + i) * 60'000);
    hot.add([&] { (*model)->append(caches[0], token); });
  }
  fmt::print("{} users, {} KiB of keys and values each, histories of {}; vectors differ by {:.1e} at most\n",
             options.users, (*model)->cache_bytes() / 1024, options.length, largest);
  fmt::print("| us | median | p99 |\n|---|---|---|\n");
  const auto tell = [](const char* name, Times& times) {
    fmt::print("| {} | {:.1f} | {:.1f} |\n", name, times.quantile(0.5), times.quantile(0.99));
  };
  tell("append, cold", cold);
  tell("append, hot", hot);
  tell("the whole history anew", whole);
  tell("the same with its keys and values", whole_with_cache);
  fmt::print("{:.1f} times\n", whole.quantile(0.5) / cold.quantile(0.5));
  return 0;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  using namespace perennial;
  Options options;
  options.model.window = 200;
  CLI::App app("The cost of one more event.", "append_event");
  add_model_flags(app, options.model);
  app.add_option("--users", options.users)->capture_default_str();
  app.add_option("--length", options.length, "of a history")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
