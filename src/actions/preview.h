// What the rules would have done in a time that is over: who would have got what, when. Covered by
// actions/preview_test.cc.
#pragma once

#include "actions/trials.h"
#include "actions/users.h"

namespace perennial {

struct WouldHaveGot {
  TimeMs time = 0;
  UserId user = kNoId;
  uint16_t action = 0;
};

struct Preview {
  int64_t plans = 0;
  std::vector<WouldHaveGot> given;  // by time
  double gain = 0;                  // expected, of what was chosen
};

/// Plans at since, since + every, ... up to `until`, each with the contacts that those before it would have made beside
/// those of `contacts`. Facts are those of the time, traits and effects those of now. Nothing is changed.
Result<Preview> preview(const ActionRules& rules, const Effects& effects, const Lives& lives, const Profiles& profiles,
                        const Forecasts* forecasts, const Dictionary& names, Contacts contacts, TimeMs since,
                        TimeMs until, TimeMs every_ms, int threads);

}  // namespace perennial
