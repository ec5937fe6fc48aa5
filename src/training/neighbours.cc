#include "training/neighbours.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/random.h"
#include "kernels/dense.h"

namespace perennial {
namespace {

using torch::Tensor;

constexpr size_t kReach = 5;              // two items so many events apart still are neighbours
constexpr double kContextPower = 0.75;    // of an item's frequency as a neighbour: rare ones surprise less
constexpr int64_t kSpareDirections = 32;  // iterated with those wanted, which so converge sooner
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

/// Each pair of items once, weighted by nearness and summed; of more than about `most_pairs` a random sample.
std::vector<Pair> neighbours(const Dataset& dataset, const std::vector<size_t>& lengths, int64_t most_pairs) {
  int64_t possible = 0;
  for (const size_t length : lengths)
    for (size_t apart = 1; apart <= std::min(kReach, length); ++apart) possible += static_cast<int64_t>(length - apart);
  const double share = static_cast<double>(most_pairs) / static_cast<double>(std::max<int64_t>(1, possible));
  Random random(static_cast<uint64_t>(possible));
  std::vector<Pair> pairs;
  pairs.reserve(static_cast<size_t>(std::min(possible, most_pairs + most_pairs / 100 + 1'000)));
  for (size_t user = 0; user < lengths.size(); ++user) {
    const std::vector<Token>& history = dataset.users[user].tokens;
    for (size_t i = 0; i < lengths[user]; ++i)
      for (size_t apart = 1; apart <= kReach && i + apart < lengths[user]; ++apart) {
        const auto [first, second] = std::minmax(history[i].item, history[i + apart].item);
        PERENNIAL_CHECK(second < dataset.items, "item {} of {}", second, dataset.items);
        if (first < 0 || first == second || (share < 1 && !random.chance(share))) continue;
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
  std::vector<double> context(seen.size());
  for (size_t item = 0; item < seen.size(); ++item) context[item] = std::pow(seen[item], kContextPower);
  const double contexts = std::accumulate(context.begin(), context.end(), 0.0);
  const auto information = [&](float weight, int32_t item, int32_t beside) {
    const double expected = seen[static_cast<size_t>(item)] * context[static_cast<size_t>(beside)] / contexts;
    return std::max(0.0, std::log(weight / expected));
  };
  for (Pair& pair : pairs)
    pair.weight = static_cast<float>(
        (information(pair.weight, pair.first, pair.second) + information(pair.weight, pair.second, pair.first)) / 2);
}

SparseRows information_matrix(std::vector<Pair> pairs, int64_t items) {
  to_mutual_information(pairs, items);
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
        const auto at = static_cast<size_t>(i);
        axpy(matrix.values[at], from.data_ptr<float>() + matrix.columns[at] * k, to, static_cast<size_t>(k));
      }
    }
  });
  return product;
}

Tensor orthonormal(const Tensor& x) { return std::get<0>(torch::linalg_qr(x)); }

}  // namespace

int64_t neighbour_bytes(int64_t tokens, int64_t items, int64_t width) {
  const int64_t pairs = std::min(kMostPairs, static_cast<int64_t>(kReach) * tokens);
  constexpr int64_t kOfAPair = sizeof(Pair) + 2 * (sizeof(int32_t) + sizeof(float));
  return pairs * kOfAPair + 3 * items * (width + kSpareDirections) * static_cast<int64_t>(sizeof(float));
}

Tensor neighbour_directions(const Dataset& dataset, const std::vector<size_t>& lengths, int64_t width,
                            int64_t most_pairs) {
  const torch::NoGradGuard no_grad;
  const int64_t items = dataset.items;
  const SparseRows matrix = information_matrix(neighbours(dataset, lengths, most_pairs), items);
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
