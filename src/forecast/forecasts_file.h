// `forecasts.json` in the data directory (docs/formats/forecasts.md).
#pragma once

#include "base/files.h"
#include "forecast/forecasts.h"

namespace perennial {

fs::path forecasts_path(const fs::path& data_folder);

/// Atomic.
Status save_forecasts(const fs::path& data_folder, const Forecasts& forecasts);

/// not_found when there is none; errors of Forecasts::read, with the file's name.
Result<Forecasts> load_forecasts(const fs::path& data_folder, Definition definition);

}  // namespace perennial
