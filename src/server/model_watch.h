// Looks whether `models/current` in the data directory has changed, and loads the model when it has. The served model
// stays when the new one cannot be loaded. Covered by server/engine_test.cc.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "log/dictionary.h"

namespace perennial {

class ServingModel;

/// Loads the model that `models/current` names; not_found when there is none yet.
using ModelLoader = std::function<Result<std::shared_ptr<const ServingModel>>(
    const fs::path& data_folder, const Dictionary& items, const Dictionary& event_types)>;

/// Thread rule: poll() by one thread; published_at() by any.
class ModelWatch {
 public:
  ModelWatch(fs::path data_folder, ModelLoader load) : data_folder_(std::move(data_folder)), load_(std::move(load)) {}

  /// None when nothing has changed since the last call; else the loaded model, or null when the model was withdrawn, or
  /// why it could not be loaded (told once a change).
  std::optional<Result<std::shared_ptr<const ServingModel>>> poll(const Dictionary& items,
                                                                  const Dictionary& event_types);

  /// When the model that poll() gave last was published, by the file's time; kNoTime without a model.
  [[nodiscard]] TimeMs published_at() const;

 private:
  struct Stamp {
    int64_t modified_ns = 0;
    uint64_t inode = 0;
    std::string content;
    bool operator==(const Stamp&) const = default;
  };
  [[nodiscard]] std::optional<Stamp> stamp() const;

  fs::path data_folder_;
  ModelLoader load_;
  std::optional<Stamp> seen_;
  mutable std::mutex mutex_;
  TimeMs published_at_ = INT64_MIN;
};

}  // namespace perennial
