#include <algorithm>
#include <cmath>

#include "model/baselines.h"
#include "model/cooccurrence.h"

namespace perennial {
namespace {

struct Neighbour {
  int32_t item;
  float similarity;
};

bool closer(const Neighbour& a, const Neighbour& b) {
  return a.similarity > b.similarity || (a.similarity == b.similarity && a.item < b.item);
}

class ItemKnn final : public Scorer {
 public:
  ItemKnn(const ItemSequences& sequences, int32_t items, const ItemKnnOptions& options) : items_(items), starts_{0} {
    const Cooccurrence cooccurrence(sequences, items);
    std::vector<float> counts(static_cast<size_t>(items));
    std::vector<Neighbour> neighbours;
    for (int32_t item = 0; item < items; ++item) {
      cooccurrence.count_with(item, counts);
      neighbours.clear();
      for (int32_t other = 0; other < items; ++other) {
        const double both = counts[static_cast<size_t>(other)];
        if (both == 0 || other == item) continue;
        const double norm = std::sqrt(static_cast<double>(cooccurrence.users_of(item)) * cooccurrence.users_of(other));
        neighbours.push_back({other, static_cast<float>(both / (norm + options.shrinkage))});
      }
      const size_t kept = std::min(neighbours.size(), static_cast<size_t>(std::max(options.neighbours, 0)));
      std::partial_sort(neighbours.begin(), neighbours.begin() + static_cast<ptrdiff_t>(kept), neighbours.end(),
                        closer);
      neighbours_.insert(neighbours_.end(), neighbours.begin(), neighbours.begin() + static_cast<ptrdiff_t>(kept));
      starts_.push_back(neighbours_.size());
    }
  }

  [[nodiscard]] std::string name() const override { return "item-knn"; }

  void score(std::span<const Token> history, std::span<float> scores) const override {
    std::fill(scores.begin(), scores.end(), 0.0F);
    for (const int32_t item : distinct_items(history, items_)) {
      for (size_t at = starts_[static_cast<size_t>(item)]; at < starts_[static_cast<size_t>(item) + 1]; ++at)
        scores[static_cast<size_t>(neighbours_[at].item)] += neighbours_[at].similarity;
    }
  }

 private:
  int32_t items_;
  std::vector<size_t> starts_;  // items + 1, into neighbours_
  std::vector<Neighbour> neighbours_;
};

}  // namespace

std::unique_ptr<Scorer> fit_item_knn(const ItemSequences& sequences, int32_t items, const ItemKnnOptions& options) {
  return std::make_unique<ItemKnn>(sequences, items, options);
}

}  // namespace perennial
