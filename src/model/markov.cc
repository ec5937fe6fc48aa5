#include <algorithm>

#include "base/check.h"
#include "model/baselines.h"

namespace perennial {
namespace {

struct Transition {
  int32_t from;
  int32_t to;
  auto operator<=>(const Transition&) const = default;
};

struct Successor {
  int32_t item;
  float probability;
};

class Markov final : public Scorer {
 public:
  Markov(const ItemSequences& sequences, int32_t items, double backoff) : items_(items) {
    std::vector<Transition> transitions;
    std::vector<int64_t> counts(static_cast<size_t>(items));
    int64_t total = 0;
    for (const std::vector<int32_t>& sequence : sequences) {
      int32_t previous = -1;
      for (const int32_t item : sequence) {
        PERENNIAL_CHECK(item < items, "item {} of {}", item, items);
        if (item < 0) continue;
        ++counts[static_cast<size_t>(item)];
        ++total;
        if (previous >= 0) transitions.push_back({previous, item});
        previous = item;
      }
    }
    popularity_.resize(counts.size());
    for (size_t item = 0; item < counts.size() && total > 0; ++item)
      popularity_[item] = static_cast<float>(static_cast<double>(counts[item]) / static_cast<double>(total));
    backoff_ = static_cast<float>(std::clamp(backoff, 0.0, 1.0));
    std::sort(transitions.begin(), transitions.end());
    count_successors(transitions);
  }

  [[nodiscard]] std::string name() const override { return "markov"; }

  void score(std::span<const Token> history, std::span<float> scores) const override {
    const auto known = [this](const Token& token) { return token.item >= 0 && token.item < items_; };
    const auto last = std::find_if(history.rbegin(), history.rend(), known);
    const size_t row = last == history.rend() ? static_cast<size_t>(items_) : static_cast<size_t>(last->item);
    const size_t begin = row == static_cast<size_t>(items_) ? 0 : starts_[row];
    const size_t end = row == static_cast<size_t>(items_) ? 0 : starts_[row + 1];
    if (begin == end) {
      std::copy(popularity_.begin(), popularity_.end(), scores.begin());
      return;
    }
    for (size_t item = 0; item < popularity_.size(); ++item) scores[item] = backoff_ * popularity_[item];
    for (size_t at = begin; at < end; ++at)
      scores[static_cast<size_t>(successors_[at].item)] += (1 - backoff_) * successors_[at].probability;
  }

 private:
  /// transitions are sorted.
  void count_successors(const std::vector<Transition>& transitions) {
    starts_.assign(static_cast<size_t>(items_) + 1, 0);
    auto at = transitions.begin();
    for (int32_t from = 0; from < items_; ++from) {
      const auto row_end = std::find_if(at, transitions.end(), [from](const Transition& t) { return t.from != from; });
      const auto row_size = static_cast<double>(row_end - at);
      while (at != row_end) {
        const auto next = std::upper_bound(at, row_end, *at);
        successors_.push_back({at->to, static_cast<float>(static_cast<double>(next - at) / row_size)});
        at = next;
      }
      starts_[static_cast<size_t>(from) + 1] = successors_.size();
    }
  }

  int32_t items_;
  float backoff_ = 0;
  std::vector<float> popularity_;  // share of all events
  std::vector<size_t> starts_;     // items + 1, into successors_
  std::vector<Successor> successors_;
};

}  // namespace

std::unique_ptr<Scorer> fit_markov(const ItemSequences& sequences, int32_t items, double backoff) {
  return std::make_unique<Markov>(sequences, items, backoff);
}

}  // namespace perennial
