#include "actions/preview.h"

namespace perennial {

Result<Preview> preview(const ActionRules& rules, const Effects& effects, const Lives& lives, const Profiles& profiles,
                        const Forecasts* forecasts, const Dictionary& names, Contacts contacts, TimeMs since,
                        TimeMs until, TimeMs every_ms, int threads) {
  Preview made;
  for (TimeMs now = since; now <= until; now += every_ms) {
    const ActionUsers users(lives, profiles, forecasts, contacts, names, now);
    const Planner planner(rules, effects, contacts, lives.definition(), now);
    PERENNIAL_TRY_ASSIGN(const ActionPlan plan,
                         planner.plan([&](const auto& visit) { users.each(0, lives.end(), visit); }, threads));
    ++made.plans;
    for (const Decision& decision : plan.decisions) {
      if (decision.action == kDoNothing) continue;
      const Record record = action_record(decision, rules, names.name(decision.user), now, now);
      StoredRecord stored;
      stored.user = decision.user;
      stored.time = now;
      stored.payload = record.payload;
      contacts.apply(stored);
      made.given.push_back({now, decision.user, decision.action});
    }
    made.gain += plan.gain;
  }
  return made;
}

}  // namespace perennial
