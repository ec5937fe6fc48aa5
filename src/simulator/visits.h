// The lives of the shop's visitors: when they come, sign up, buy, review, invite, upgrade, drift away. Fills the
// history one visitor after the other. Covered by shop_test.cc, campaigns_test.cc.
#pragma once

#include "simulator/shop.h"

namespace perennial {

/// `history` holds options, months and assortment; users, orders and events are added, the events not yet in order.
void simulate_visitors(ShopHistory& history, const ChoiceObserver& observer);

}  // namespace perennial
