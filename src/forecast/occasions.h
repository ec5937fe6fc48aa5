// A user's facts of one signal as occasions, at most one a UTC day: what the purchase models count. Time is in whole
// days, so that many users have equal histories. Covered by forecast/occasions_test.cc.
#pragma once

#include <optional>
#include <span>

#include "forecast/gamma_gamma.h"
#include "forecast/mbg_nbd.h"
#include "forecast/questions.h"

namespace perennial {

/// In days, from the first occasion's day to that of `now`; later facts are not looked at. Days on which refunds
/// outweigh purchases are no occasions. nullopt before the first.
std::optional<PurchaseHistory> history_at(std::span<const Fact> facts, TimeMs now);

/// The days up to `now` whose money is above 0, and the mean of these days in major units; {0, 0} when there are none.
/// A day on which refunds outweigh purchases is left out: Gamma-Gamma knows no negative money.
Spend spend_at(std::span<const Fact> facts, TimeMs now, int64_t minor_units);

/// The histories of all who have one.
std::vector<PurchaseHistory> histories_at(std::span<const Subject> subjects, uint8_t signal, TimeMs now);

}  // namespace perennial
