// The stages as the configuration says them.
#pragma once

#include "lifecycle/definition.h"
#include "settings/settings.h"

namespace perennial {

/// Errors point at the configuration's line.
Result<Definition> stage_definition(const Settings& settings);

}  // namespace perennial
