// The forecasts that the server answers with: those in the data directory, taken up again when the file changes.
// Covered by server/http_lifecycle_test.cc.
#pragma once

#include <memory>
#include <mutex>

#include "forecast/forecasts_file.h"

namespace perennial {

/// Thread rule: any thread may ask for current(); poll() is for one.
class ForecastWatch {
 public:
  explicit ForecastWatch(fs::path data_folder) : data_folder_(std::move(data_folder)) {}

  /// Looks at the file. Forecasts that cannot be read are told on the log, and those from before go on.
  void poll(const Definition& definition);

  /// Null when there are none.
  [[nodiscard]] std::shared_ptr<const Forecasts> current() const;

 private:
  fs::path data_folder_;
  fs::file_time_type modified_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Forecasts> current_;
};

}  // namespace perennial
