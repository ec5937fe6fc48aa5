#include "server/forecast_watch.h"

#include <spdlog/spdlog.h>

namespace perennial {

void ForecastWatch::poll(const Definition& definition) {
  std::error_code error;
  const fs::file_time_type modified = fs::last_write_time(forecasts_path(data_folder_), error);
  if (error || modified == modified_) return;
  modified_ = modified;
  Result<Forecasts> loaded = load_forecasts(data_folder_, definition);
  if (!loaded.ok()) {
    spdlog::warn("forecasts not used: {}; run 'perennial lifecycle forecast --fit'", loaded.status().message());
    return;
  }
  const std::lock_guard lock(mutex_);
  current_ = std::make_shared<const Forecasts>(std::move(loaded).value());
}

std::shared_ptr<const Forecasts> ForecastWatch::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

}  // namespace perennial
