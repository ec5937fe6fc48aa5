#include "evaluation/model_scorer.h"

#include <algorithm>

#include "model/read_features.h"

namespace perennial {
namespace {

class ModelScorer final : public Scorer {
 public:
  ModelScorer(const Ensemble& ensemble, const std::vector<std::string>& event_types, std::string name)
      : ensemble_(ensemble), name_(std::move(name)), features_(ensemble.config().features) {
    const std::vector<std::string>& known = ensemble.config().event_types;
    for (const std::string& type : event_types) {
      const auto found = std::find(known.begin(), known.end(), type);
      type_of_.push_back(found == known.end() ? -1 : static_cast<int32_t>(found - known.begin()));
    }
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void score(std::span<const Token> history, std::span<float> scores) const override { score_at(history, {}, scores); }

  void score_at(std::span<const Token> history, const RequestMoment& moment, std::span<float> scores) const override {
    std::vector<Token> tokens(history.begin(), history.end());
    const int32_t items = ensemble_.config().items;
    for (Token& token : tokens) {
      token.type = token.type >= 0 ? type_of_[static_cast<size_t>(token.type)] : -1;
      if (token.item >= items) token.item = -1;
    }
    const TimeMs last = tokens.empty() ? kNoTime : tokens.back().time_ms;
    ensemble_.score(tokens, inputs_at(moment, last), scores.first(static_cast<size_t>(items)));
    std::fill(scores.begin() + items, scores.end(), std::numeric_limits<float>::lowest());
  }

 private:
  [[nodiscard]] ReadInputs inputs_at(const RequestMoment& moment, TimeMs last) const {
    ReadInputs inputs;
    if (moment.time_ms != kNoTime && last != kNoTime) inputs.elapsed_ms = std::max<TimeMs>(0, moment.time_ms - last);
    for (const std::string& feature : moment.features) features_.add(feature, inputs.features);
    return inputs;
  }

  const Ensemble& ensemble_;
  std::string name_;
  std::vector<int32_t> type_of_;
  FeatureIds features_;
};

}  // namespace

Status check_same_items(const StoredModel& model, const Dataset& dataset) {
  const std::vector<std::string>& names = model.item_names;
  if (names.size() <= dataset.item_names.size() && std::equal(names.begin(), names.end(), dataset.item_names.begin()))
    return {};
  return data_loss("model {} was trained on another log: its {} items are not the first of the {} here; run 'train'",
                   model.ensemble->config().id, names.size(), dataset.item_names.size());
}

Result<std::unique_ptr<Scorer>> make_model_scorer(const StoredModel& model, const Dataset& dataset, std::string name) {
  PERENNIAL_TRY(check_same_items(model, dataset));
  return std::unique_ptr<Scorer>(std::make_unique<ModelScorer>(*model.ensemble, dataset.event_types, std::move(name)));
}

}  // namespace perennial
