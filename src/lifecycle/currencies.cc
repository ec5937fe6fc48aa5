#include "lifecycle/currencies.h"

#include <cmath>

#include "events/money.h"

namespace perennial {

Result<std::set<std::string>> recent_currencies(LogReader& log) {
  constexpr int64_t kRecentEvents = 50'000;
  PERENNIAL_TRY_ASSIGN(const std::vector<StoredRecord> recent, log.newest(RecordKind::event, kRecentEvents));
  std::set<std::string> currencies;
  for (const StoredRecord& record : recent)
    if (const auto& amount = std::get<Event>(record.payload).amount) currencies.insert(amount->currency);
  return currencies;
}

void use_currency(Definition& definition, const std::string& currency) {
  definition.minor_units = static_cast<int64_t>(std::llround(std::pow(10, minor_digits(currency))));
}

}  // namespace perennial
