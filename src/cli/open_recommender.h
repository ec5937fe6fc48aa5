// A recommender on the files of a data directory, for commands that answer without a server.
#pragma once

#include <memory>

#include "log/event_log.h"
#include "profiles/state.h"
#include "recommend/recommender.h"

namespace perennial {

/// With the current model, or popularity alone when there is none. `log` outlives it; failed_precondition when the
/// model wants longer histories than `history_limit`.
Result<std::unique_ptr<Recommender>> open_recommender(const fs::path& data_folder, LogReader& log, const State& state,
                                                      size_t history_limit);

}  // namespace perennial
