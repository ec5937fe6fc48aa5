// The objectives of stages as the configuration says them.
#pragma once

#include "server/stage_objectives.h"
#include "settings/settings.h"

namespace perennial {

StageObjectives stage_objectives(const Settings& settings);

}  // namespace perennial
