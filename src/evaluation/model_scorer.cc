#include "evaluation/model_scorer.h"

#include <algorithm>

namespace perennial {
namespace {

class ModelScorer final : public Scorer {
 public:
  ModelScorer(const Ensemble& ensemble, const std::vector<std::string>& event_types, std::string name)
      : ensemble_(ensemble), name_(std::move(name)) {
    const std::vector<std::string>& known = ensemble.config().event_types;
    for (const std::string& type : event_types) {
      const auto found = std::find(known.begin(), known.end(), type);
      type_of_.push_back(found == known.end() ? -1 : static_cast<int32_t>(found - known.begin()));
    }
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void score(std::span<const Token> history, std::span<float> scores) const override {
    std::vector<Token> tokens(history.begin(), history.end());
    const int32_t items = ensemble_.config().items;
    for (Token& token : tokens) {
      token.type = token.type >= 0 ? type_of_[static_cast<size_t>(token.type)] : -1;
      if (token.item >= items) token.item = -1;
    }
    ensemble_.score(tokens, scores.first(static_cast<size_t>(items)));
    std::fill(scores.begin() + items, scores.end(), std::numeric_limits<float>::lowest());
  }

 private:
  const Ensemble& ensemble_;
  std::string name_;
  std::vector<int32_t> type_of_;
};

}  // namespace

Result<std::unique_ptr<Scorer>> make_model_scorer(const StoredModel& model, const Dataset& dataset, std::string name) {
  const std::vector<std::string>& names = model.item_names;
  if (names.size() > dataset.item_names.size() || !std::equal(names.begin(), names.end(), dataset.item_names.begin()))
    return data_loss("model {} was trained on another log: its {} items are not the first of the {} here; run 'train'",
                     model.ensemble->config().id, names.size(), dataset.item_names.size());
  return std::unique_ptr<Scorer>(std::make_unique<ModelScorer>(*model.ensemble, dataset.event_types, std::move(name)));
}

}  // namespace perennial
