#include "training/neighbours.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace perennial {
namespace {

using torch::Tensor;

constexpr int64_t kReach = 5;               // two items so many events apart still are neighbours
constexpr int64_t kMostPairs = 10'000'000;  // more are thinned out at random: 240 MB while they are counted
constexpr double kContextPower = 0.75;      // of an item's frequency as a neighbour: rare ones surprise less
constexpr int64_t kSpareDirections = 32;    // iterated with those wanted, which so converge sooner
constexpr int kIterations = 8;
constexpr double kRounding = 1e-4;  // of the largest: what is less is float32's error

struct Pair {
  int32_t first, second;  // first < second
  float weight;
};

/// Of a symmetric matrix.
struct SparseRows {
  std::vector<int64_t> starts;  // rows + 1
  std::vector<int32_t> columns;
  std::vector<float> values;
};

/// Each pair once, weighted by nearness and summed.
std::vector<Pair> neighbours(const Dataset& dataset, const std::vector<size_t>& lengths) {
  size_t tokens = 0;
  for (const size_t length : lengths) tokens += length;
  const double kept = static_cast<double>(kMostPairs) / (static_cast<double>(kReach) * static_cast<double>(tokens));
  Random random(tokens);
  std::vector<Pair> pairs;
  for (size_t user = 0; user < lengths.size(); ++user) {
    const std::vector<Token>& history = dataset.users[user].tokens;
    for (size_t i = 0; i < lengths[user]; ++i)
      for (size_t apart = 1; apart <= kReach && i + apart < lengths[user]; ++apart) {
        const auto [first, second] = std::minmax(history[i].item, history[i + apart].item);
        if (first == second || (kept < 1 && !random.chance(kept))) continue;
        pairs.push_back({first, second, 1.0F / static_cast<float>(apart)});
      }
  }
  const auto key = [](const Pair& pair) { return std::pair(pair.first, pair.second); };
  std::ranges::sort(pairs, {}, key);
  size_t distinct = 0;
  for (const Pair& pair : pairs) {
    if (distinct > 0 && key(pairs[distinct - 1]) == key(pair))
      pairs[distinct - 1].weight += pair.weight;
    else
      pairs[distinct++] = pair;
  }
  pairs.resize(distinct);
  return pairs;
}

/// Replaces the weights by how much more often the pair occurs than its items' frequencies tell, as a logarithm; 0
/// where less often.
void to_mutual_information(std::vector<Pair>& pairs, int64_t items) {
  std::vector<double> seen(static_cast<size_t>(items));
  for (const Pair& pair : pairs)
    for (const int32_t item : {pair.first, pair.second}) seen[static_cast<size_t>(item)] += pair.weight;
  double contexts = 0;
  for (const double count : seen) contexts += std::pow(count, kContextPower);
  const auto information = [&](float weight, int32_t item, int32_t context) {
    const double expected =
        seen[static_cast<size_t>(item)] * std::pow(seen[static_cast<size_t>(context)], kContextPower) / contexts;
    return std::max(0.0, std::log(weight / expected));
  };
  for (Pair& pair : pairs)
    pair.weight = static_cast<float>(
        (information(pair.weight, pair.first, pair.second) + information(pair.weight, pair.second, pair.first)) / 2);
}

SparseRows symmetric(const std::vector<Pair>& pairs, int64_t items) {
  SparseRows rows{std::vector<int64_t>(static_cast<size_t>(items) + 1), std::vector<int32_t>(2 * pairs.size()),
                  std::vector<float>(2 * pairs.size())};
  for (const Pair& pair : pairs)
    for (const int32_t item : {pair.first, pair.second}) ++rows.starts[static_cast<size_t>(item) + 1];
  for (size_t item = 1; item < rows.starts.size(); ++item) rows.starts[item] += rows.starts[item - 1];
  std::vector<int64_t> next(rows.starts.begin(), rows.starts.end() - 1);
  const auto add = [&](int32_t row, int32_t column, float value) {
    const auto at = static_cast<size_t>(next[static_cast<size_t>(row)]++);
    rows.columns[at] = column;
    rows.values[at] = value;
  };
  for (const Pair& pair : pairs) {
    add(pair.first, pair.second, pair.weight);
    add(pair.second, pair.first, pair.weight);
  }
  return rows;
}

/// The matrix times x (items, k).
Tensor times(const SparseRows& matrix, const Tensor& x) {
  const int64_t k = x.size(1);
  const Tensor from = x.contiguous();
  Tensor product = torch::zeros_like(from);
  at::parallel_for(0, product.size(0), 64, [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; ++row) {
      float* to = product.data_ptr<float>() + row * k;
      for (int64_t i = matrix.starts[static_cast<size_t>(row)]; i < matrix.starts[static_cast<size_t>(row) + 1]; ++i) {
        const float value = matrix.values[static_cast<size_t>(i)];
        const float* vector = from.data_ptr<float>() + matrix.columns[static_cast<size_t>(i)] * k;
        for (int64_t j = 0; j < k; ++j) to[j] += value * vector[j];
      }
    }
  });
  return product;
}

Tensor orthonormal(const Tensor& x) { return std::get<0>(torch::linalg_qr(x)); }

}  // namespace

Tensor neighbour_directions(const Dataset& dataset, const std::vector<size_t>& lengths, int64_t width) {
  const torch::NoGradGuard no_grad;
  const int64_t items = dataset.items;
  std::vector<Pair> pairs = neighbours(dataset, lengths);
  to_mutual_information(pairs, items);
  const SparseRows matrix = symmetric(pairs, items);
  Tensor basis = orthonormal(torch::randn({items, std::min(items, width + kSpareDirections)}));
  for (int i = 0; i < kIterations; ++i) basis = orthonormal(times(matrix, basis));
  const auto [values, vectors] = torch::linalg_eigh(torch::matmul(basis.t(), times(matrix, basis)));  // rising
  const int64_t count = std::min(width, values.size(0));
  const Tensor leading = values.slice(0, values.size(0) - count);
  const Tensor weights = torch::where(leading > leading.max() * kRounding, leading, 0).sqrt();
  const Tensor factors = torch::matmul(basis, vectors.slice(1, vectors.size(1) - count)) * weights;
  const Tensor turned = torch::matmul(factors, orthonormal(torch::randn({width, width})).slice(0, 0, count));
  const Tensor norms = turned.norm(2, 1, true);
  return torch::where(norms > norms.max() * kRounding, turned / norms, 0);
}

}  // namespace perennial
