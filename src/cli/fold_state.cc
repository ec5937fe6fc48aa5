#include "cli/fold_state.h"

#include <fmt/core.h>

namespace perennial {

Status fold_state(const fs::path& data_folder, LogReader& log, State& state) {
  PERENNIAL_TRY_ASSIGN(const Offset end, log.end());
  Status loaded = state.load(data_folder);
  if (loaded.ok()) loaded = state.check_log(log);
  if (!loaded.ok() && loaded.code() != Code::not_found)
    fmt::print(stderr, "{}: reading the whole log instead\n", loaded.message());
  return state.catch_up(log, end);
}

}  // namespace perennial
