// How near is the exact top-k to the time that reading the items takes? The index of coded items beside scoring all of
// them in float32, and beside a plain sum over as many bytes, in the same run. ./dev bench top_k [--help]
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <numeric>

#include "base/clock.h"
#include "base/huge_blocks.h"
#include "base/random.h"
#include "base/text.h"
#include "kernels/clones.h"
#include "kernels/dense.h"
#include "kernels/item_index.h"

namespace perennial {
namespace {

struct Options {
  std::vector<size_t> items = {3'416, 100'000, 1'000'000};
  size_t width = 64;
  size_t k = 10;
  size_t more = 0;
  size_t batch = 16;
  double seconds = 1;  // of each measurement
};

constexpr float kAnyReach = std::numeric_limits<float>::infinity();

struct Items {
  std::vector<float, HugeBlocks<float>> vectors;
  std::vector<float> biases;
  std::vector<std::vector<float>> queries;

  Items(size_t count, size_t width) : vectors(count * width), biases(count) {
    Random random(1);
    for (float& number : vectors) number = static_cast<float>(random.normal());
    for (float& number : biases) number = static_cast<float>(random.normal());
    for (int i = 0; i < 64; ++i) {
      auto& query = queries.emplace_back(width);
      for (float& number : query) number = static_cast<float>(random.normal());
    }
  }
};

/// Adds up the words: what it takes is reading them.
PERENNIAL_CLONES uint64_t sum_of(const uint64_t* words, size_t count) {
  uint64_t sums[64] = {};
  size_t i = 0;
  for (; i + 64 <= count; i += 64)
    for (size_t lane = 0; lane < 64; ++lane) sums[lane] += words[i + lane];
  return std::accumulate(std::begin(sums), std::end(sums), uint64_t{0});
}

/// Seconds that a call takes: the median of those within the time.
template <class Call>
double seconds_of(double within, Call call) {
  std::vector<double> each;
  const double started = monotonic_seconds();
  do {
    const double before = monotonic_seconds();
    call(each.size());
    each.push_back(monotonic_seconds() - before);
  } while (monotonic_seconds() - started < within || each.size() < 5);
  const auto middle = each.begin() + static_cast<ptrdiff_t>(each.size() / 2);
  std::nth_element(each.begin(), middle, each.end());
  return *middle;
}

bool measure(const Options& options, size_t count) {
  const Items items(count, options.width);
  const Bitmap all(count, true);
  std::vector<float> scores(count);
  const auto score_all = [&](size_t query) {
    score_rows(items.vectors.data(), items.biases.data(), items.queries[query % 64].data(), scores.data(), count,
               options.width);
  };
  int64_t scored = 0;
  const auto request = [&](size_t query) {
    return ItemIndex::Request{items.queries[query % 64],
                              &all,
                              options.k,
                              [&items, &options, &scored, query](std::span<const int32_t> some, std::span<float> its) {
                                scored += static_cast<int64_t>(some.size());
                                score_some_rows(items.vectors.data(), items.biases.data(),
                                                items.queries[query % 64].data(), some.data(), its.data(), some.size(),
                                                options.width);
                              },
                              options.more,
                              kAnyReach};
  };
  for (const ScanKernel& kernel : scan_kernels()) {
    const ItemIndex index(items.vectors, items.biases, options.width, 0, &kernel);
    for (size_t query = 0; query < 64; ++query) {
      score_all(query);
      std::vector<int32_t> want(count);
      std::iota(want.begin(), want.end(), 0);
      const auto kept = want.begin() + static_cast<ptrdiff_t>(std::min(options.k + options.more, count));
      std::partial_sort(want.begin(), kept, want.end(), [&](int32_t a, int32_t b) {
        const float first = scores[static_cast<size_t>(a)];
        const float second = scores[static_cast<size_t>(b)];
        return first != second ? first > second : a < b;
      });
      const std::vector<ScoredItem> got = index.best(request(query));
      if (!std::equal(got.begin(), got.end(), want.begin(), kept,
                      [](const ScoredItem& a, int32_t b) { return a.item == b; })) {
        fmt::print(stderr, "{}: query {} has another answer than float32's\n", kernel.name, query);
        return false;
      }
    }
    const std::vector<uint64_t, HugeBlocks<uint64_t>> words(index.scanned_bytes() / 8, 1);
    uint64_t sum = 0;
    size_t found = 0;
    const double floor = seconds_of(options.seconds, [&](size_t) { sum += sum_of(words.data(), words.size()); });
    scored = 0;
    int64_t asked = 0;
    const double alone = seconds_of(options.seconds, [&](size_t query) {
      found += index.best(request(query)).size();
      ++asked;
    });
    const double rescored = static_cast<double>(scored) / static_cast<double>(asked);
    const double together = seconds_of(options.seconds,
                                       [&](size_t query) {
                                         std::vector<ItemIndex::Request> requests;
                                         for (size_t i = 0; i < options.batch; ++i)
                                           requests.push_back(request(query + i));
                                         found += index.best(requests).size();
                                       }) /
                            static_cast<double>(options.batch);
    const double floats = seconds_of(options.seconds, score_all);
    fmt::print("| {} | {} | {:.1f} | {:.1f} | {:.2f} | {:.1f} | {:.1f} | {:.0f} |\n",
               with_commas(static_cast<int64_t>(count)), kernel.name, 1e6 * alone, 1e6 * floor, alone / floor,
               1e6 * together, 1e6 * floats, rescored);
    if (sum + found == 1) fmt::print("\n");
  }
  return true;
}

int run(const Options& options) {
  fmt::print("width {}, the best {} and {} more, one thread\n", options.width, options.k, options.more);
  fmt::print(
      "| items | kernel | us | us to read as many bytes | ratio | us in a batch of {} | us to score all in float32 | "
      "scored exactly |\n",
      options.batch);
  fmt::print("|---|---|---|---|---|---|---|---|\n");
  return std::ranges::all_of(options.items, [&](size_t count) { return measure(options, count); }) ? 0 : 1;
}

}  // namespace
}  // namespace perennial

int main(int argc, char** argv) {
  using namespace perennial;
  Options options;
  CLI::App app("Exact top-k over coded items.", "top_k");
  app.add_option("--items", options.items)->capture_default_str();
  app.add_option("--width", options.width)->capture_default_str();
  app.add_option("-k", options.k)->capture_default_str();
  app.add_option("--more", options.more, "that come after them: a server asks for 300")->capture_default_str();
  app.add_option("--batch", options.batch)->capture_default_str();
  app.add_option("--seconds", options.seconds, "of each measurement")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
