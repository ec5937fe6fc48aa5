// A trained model as a Scorer over a dataset whose log may have grown since: items, types and the features of a moment
// joined by name. Covered by evaluation/model_scorer_test.cc.
#pragma once

#include "evaluation/dataset.h"
#include "model/model_folder.h"

namespace perennial {

/// data_loss when the model's items are not the dataset's first ones by name: it was trained on another log.
Status check_same_items(const StoredModel& model, const Dataset& dataset);

/// Scores every item of the dataset; those that the model does not know score below all others. Errors as of
/// check_same_items. The model must outlive the scorer.
Result<std::unique_ptr<Scorer>> make_model_scorer(const StoredModel& model, const Dataset& dataset, std::string name);

}  // namespace perennial
