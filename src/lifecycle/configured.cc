#include "lifecycle/configured.h"

namespace perennial {

Result<Definition> stage_definition(const Settings& settings) {
  Result<Definition> definition = make_definition(
      {settings.lifecycle_preset, settings.lifecycle_signals, settings.lifecycle_stages, settings.at_risk_after,
       settings.churned_after, settings.won_back_for, settings.inviter_properties, settings.currency});
  return definition.ok() ? std::move(definition) : with_place(definition.status(), settings);
}

}  // namespace perennial
