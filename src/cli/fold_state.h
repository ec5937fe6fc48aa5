// The state of a data directory, for commands that read beside a server or without one.
#pragma once

#include "log/event_log.h"
#include "profiles/state.h"

namespace perennial {

/// Brings the state to the log's end: from the snapshot where there is a good one, else by all of the log, which it
/// then says on stderr.
Status fold_state(const fs::path& data_folder, LogReader& log, State& state);

}  // namespace perennial
