// A data directory with a model, as benches of lists want it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "log/sqlite_log.h"
#include "recommend/recommender.h"
#include "settings/settings.h"

namespace perennial {

struct DataFolder {
  std::unique_ptr<LogReader> log;
  std::optional<State> state;
  std::shared_ptr<const ServingModel> model;

  Status open(const fs::path& folder) {
    PERENNIAL_TRY_ASSIGN(const Settings settings, load_settings({}, folder));
    PERENNIAL_TRY_ASSIGN(log, open_log_for_reading(folder));
    PERENNIAL_TRY_ASSIGN(const Offset end, log->end());
    state.emplace(settings.roles, log->event_types(), static_cast<size_t>(settings.history_limit));
    PERENNIAL_TRY(state->catch_up(*log, end));
    PERENNIAL_TRY_ASSIGN(model, load_serving_model(folder, log->items(), log->event_types()));
    return {};
  }

  /// At most `count` users with a history, far from each other.
  [[nodiscard]] std::vector<UserId> users(size_t count) const {
    std::vector<UserId> all, some;
    state->profiles().for_each([&](UserId user, const Profile& profile) {
      if (!profile.history.empty()) all.push_back(user);
    });
    std::ranges::sort(all);
    const size_t step = std::max<size_t>(1, all.size() / count);
    for (size_t i = 0; i < all.size() && some.size() < count; i += step) some.push_back(all[i]);
    return some;
  }
};

}  // namespace perennial
