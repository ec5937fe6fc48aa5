#include <algorithm>

#include "base/check.h"
#include "model/baselines.h"

namespace perennial {
namespace {

class Popularity final : public Scorer {
 public:
  Popularity(const ItemSequences& sequences, int32_t items) {
    std::vector<int64_t> counts(static_cast<size_t>(items));
    for (const std::vector<int32_t>& sequence : sequences) {
      for (const int32_t item : sequence) {
        PERENNIAL_CHECK(item < items, "item {} of {}", item, items);
        if (item >= 0) ++counts[static_cast<size_t>(item)];
      }
    }
    counts_.assign(counts.begin(), counts.end());
  }

  [[nodiscard]] std::string name() const override { return "popularity"; }

  void score(std::span<const Token>, std::span<float> scores) const override {
    std::copy(counts_.begin(), counts_.end(), scores.begin());
  }

 private:
  std::vector<float> counts_;
};

}  // namespace

std::unique_ptr<Scorer> fit_popularity(const ItemSequences& sequences, int32_t items) {
  return std::make_unique<Popularity>(sequences, items);
}

}  // namespace perennial
