// In which currency a log's money is. Rules and reports add amounts as they are; whoever shows them names the currency.
#pragma once

#include <set>
#include <string>

#include "lifecycle/definition.h"
#include "log/event_log.h"

namespace perennial {

/// Of the amounts among the newest 50,000 events.
Result<std::set<std::string>> recent_currencies(LogReader& log);

/// The definition's sums are of this currency from now on.
void use_currency(Definition& definition, const std::string& currency);

}  // namespace perennial
