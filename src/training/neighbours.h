// Where training starts the items' vectors: near those of the items that stand beside them in histories. Counting is
// quick and sees all data at once; gradients would need many epochs to find the same. Covered by
// training/neighbours_test.cc.
#pragma once

#include <torch/torch.h>

#include "evaluation/dataset.h"

namespace perennial {

constexpr int64_t kMostPairs = 5'000'000;

/// (items, width) float32: a row of length 1 for each item, zeros for an item of which nothing is known: no neighbour
/// in the first `lengths[i]` tokens of any user i, or none that occurs more often than chance. Items with the same
/// neighbours point the same way: the rows are about the leading eigenvectors of the items' positive pointwise mutual
/// information, turned at random. Two items are neighbours at most five events apart, with weight 1 / distance;
/// contexts count by the power 0.75, and the two sides' information is averaged. Of more than about `most_pairs` pairs
/// a sample is taken. Draws from libtorch's generator. Sources:
/// Levy and Goldberg, Neural Word Embedding as Implicit Matrix Factorization; Halko, Martinsson and Tropp, Finding
/// Structure with Randomness.
torch::Tensor neighbour_directions(const Dataset& dataset, const std::vector<size_t>& lengths, int64_t width,
                                   int64_t most_pairs = kMostPairs);

/// The most memory that neighbour_directions takes.
int64_t neighbour_bytes(int64_t tokens, int64_t items, int64_t width);

}  // namespace perennial
