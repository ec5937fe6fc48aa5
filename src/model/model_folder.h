// Models on disk: `<data>/models/<id>/` with config.json, model.safetensors and items.txt, and `<data>/models/current`,
// a file that names the one that serves. A folder is complete before it is named: readers never see half a model.
#pragma once

#include "base/files.h"
#include "model/ensemble.h"

namespace perennial {

struct StoredModel {
  std::unique_ptr<Ensemble> ensemble;
  std::vector<std::string> item_names;  // by item id of the log that it was trained on
};

/// Writes the folder of config.id and makes it current.
Status save_model(const fs::path& data_folder, ModelConfig config, const SafetensorsFile& weights,
                  const std::vector<std::string>& item_names, std::string_view learning_curve,
                  NumberType type = NumberType::float32);

/// The id in models/current; not_found, saying to train, when there is none.
Result<std::string> current_model_id(const fs::path& data_folder);

/// data_loss when a file is missing, cut short or does not fit the others.
Result<StoredModel> load_model(const fs::path& data_folder, const std::string& id);

}  // namespace perennial
