#include "actions/configured.h"

#include "base/text.h"

namespace perennial {

Result<ActionRules> action_rules(const Settings& settings, const Definition& definition) {
  ActionRules defaults;
  defaults.time_zone = settings.arbiter_time_zone;
  defaults.time_zone_trait = settings.arbiter_time_zone_trait;
  for (const std::string& trait : split_at_commas(settings.arbiter_effect_traits))
    if (!trait.empty()) defaults.effect_traits.push_back(trait);
  defaults.holdout_share = settings.arbiter_holdout_share;
  defaults.explore_share = settings.arbiter_explore_share;
  Result<ActionRules> rules = make_action_rules(settings.action_texts, std::move(defaults), definition);
  return rules.ok() ? std::move(rules) : with_place(rules.status(), settings);
}

}  // namespace perennial
