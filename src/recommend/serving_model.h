// A trained model joined to the log that it serves: its item and type ids checked against the log's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/item_index.h"
#include "log/dictionary.h"
#include "model/model_folder.h"
#include "model/read_features.h"
#include "profiles/profile.h"
#include "profiles/profiles.h"
#include "recommend/shared_scan.h"

namespace perennial {

/// Thread rule: immutable once made.
class ServingModel {
 public:
  /// data_loss when the model's items are not those of this log: it was trained on another data directory.
  static Result<std::shared_ptr<const ServingModel>> create(StoredModel model, const Dictionary& items,
                                                            const Dictionary& event_types);

  [[nodiscard]] const std::string& id() const { return model_.ensemble->config().id; }
  [[nodiscard]] const Ensemble& ensemble() const { return *model_.ensemble; }
  [[nodiscard]] const ModelConfig& config() const { return model_.ensemble->config(); }

  /// failed_precondition when profiles of that length are shorter than what the model reads: users with more events
  /// would get vectors that were neither trained nor measured.
  [[nodiscard]] Status check_history_limit(size_t tokens) const;

  /// An event as the model reads it; an item or a type that it does not know is -1.
  [[nodiscard]] Token token_of(const HistoryToken& token) const;

  /// The history as the model reads it; items and types that it does not know are -1.
  [[nodiscard]] std::vector<Token> tokens_of(const Profile& profile) const;

  /// h (vector_width() of the ensemble) of the whole history; zeros for an empty one.
  [[nodiscard]] std::vector<float> history_vector(const Profile& profile) const;

  /// The k allowed items of the highest cosine with the item's vector, best first; `item` must be one of the model's.
  [[nodiscard]] std::vector<ScoredItem> similar_items(ItemId item, const Bitmap& allowed, size_t k) const;

  [[nodiscard]] const FeatureIds& features() const { return features_; }

  /// The k items of highest score for a user vector among those allowed, and up to `more` at most `reach` below the
  /// k-th, best first, exactly as Ensemble::score_items ranks them. `allowed` has a bit for every item of the model at
  /// least.
  [[nodiscard]] std::vector<ScoredItem> best_items(std::span<const float> u, const Bitmap& allowed, size_t k,
                                                   size_t more = 0, float reach = 0) const;

 private:
  explicit ServingModel(StoredModel model);

  StoredModel model_;
  std::vector<int32_t> type_of_;  // by the log's event type id
  FeatureIds features_;
  ItemIndex index_;
  mutable SharedScan scan_{index_};
  ItemIndex similar_;  // of the items' unit vectors
};

/// Loads the model that `models/current` names.
Result<std::shared_ptr<const ServingModel>> load_serving_model(const fs::path& data_folder, const Dictionary& items,
                                                               const Dictionary& event_types);

}  // namespace perennial
