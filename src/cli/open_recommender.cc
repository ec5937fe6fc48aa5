#include "cli/open_recommender.h"

namespace perennial {

Result<std::unique_ptr<Recommender>> open_recommender(const fs::path& data_folder, LogReader& log, const State& state,
                                                      size_t history_limit) {
  auto recommender = std::make_unique<Recommender>(log.items());
  Result<std::shared_ptr<const ServingModel>> model = load_serving_model(data_folder, log.items(), log.event_types());
  if (model.ok()) {
    PERENNIAL_TRY((*model)->check_history_limit(history_limit));
    recommender->set_model(*model);
  } else if (model.status().code() != Code::not_found) {
    return model.status();
  }
  recommender->refresh_popularity(state);
  return recommender;
}

}  // namespace perennial
