// The simple models that the Transformer has to beat: popularity, item-kNN, EASE, first-order Markov.
// Each is fitted on training sequences of item ids and scores like any other model. Thread rule: immutable once fitted.
#pragma once

#include <memory>

#include "base/status.h"
#include "model/scorer.h"

namespace perennial {

/// Training sequences: items of each user in time order, ids in [0, items).
using ItemSequences = std::vector<std::vector<int32_t>>;

/// Score: the number of training events of the item.
std::unique_ptr<Scorer> fit_popularity(const ItemSequences& sequences, int32_t items);

// The defaults below had the best validation NDCG@10 (second last item, full ranking) on MovieLens-1M and, where there
// was a choice, the best compromise with the sparser Amazon Beauty.

struct ItemKnnOptions {
  int neighbours = 10;    // kept an item
  double shrinkage = 20;  // added to the denominator of the cosine
};
/// Score: sum over the history's distinct items of the shrunk cosine between users' item sets.
/// Source: Deshpande and Karypis, "Item-based top-N recommendation algorithms", 2004.
std::unique_ptr<Scorer> fit_item_knn(const ItemSequences& sequences, int32_t items, const ItemKnnOptions& options = {});

struct EaseOptions {
  double regularisation = 250;
  int32_t item_cap = 12'000;  // the matrix is items^2 floats and its inverse takes items^3 steps
};
/// Score: the history's distinct items times B, the closed-form item-item weights with zero diagonal.
/// resource_exhausted, saying so, above the item cap. Source: Steck, "Embarrassingly shallow autoencoders for sparse
/// data", WWW 2019.
Result<std::unique_ptr<Scorer>> fit_ease(const ItemSequences& sequences, int32_t items,
                                         const EaseOptions& options = {});

/// Score: P(item | last item) from counted transitions, backed off to popularity with weight `backoff`.
std::unique_ptr<Scorer> fit_markov(const ItemSequences& sequences, int32_t items, double backoff = 0.1);

}  // namespace perennial
