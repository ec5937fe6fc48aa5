// The actions and their limits as the configuration says them.
#pragma once

#include "actions/action.h"
#include "settings/settings.h"

namespace perennial {

/// Errors point at the configuration's line.
Result<ActionRules> action_rules(const Settings& settings, const Definition& definition);

}  // namespace perennial
