// Where training starts the items' vectors: near those of the items that stand beside them in histories. Counting is
// quick and sees all data at once; gradients would need many epochs to find the same. Covered by
// training/neighbours_test.cc.
#pragma once

#include <torch/torch.h>

#include "evaluation/dataset.h"

namespace perennial {

/// (items, width) float32: a row of length 1 for each item that has a neighbour in the first `lengths[i]` tokens of a
/// user, zeros for the others. Items with the same neighbours point the same way: the rows are the leading eigenvectors
/// of the positive pointwise mutual information of items at most five events apart, turned at random. Draws from
/// libtorch's generator. Sources: Levy and Goldberg, Neural Word Embedding as Implicit Matrix Factorization; Halko,
/// Martinsson and Tropp, Finding Structure with Randomness.
torch::Tensor neighbour_directions(const Dataset& dataset, const std::vector<size_t>& lengths, int64_t width);

}  // namespace perennial
