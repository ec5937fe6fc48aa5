// Money as an exact integer of minor units (cents) with an ISO 4217 code. Refunds are negative.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace perennial {

struct Money {
  int64_t minor_units = 0;
  std::string currency = "USD";  // three capital letters

  bool operator==(const Money&) const = default;
};

/// Digits after the point that the currency has: 0 for JPY, 3 for KWD, 2 for most.
int minor_digits(std::string_view currency);

/// From a decimal number of major units, rounded half away from zero: 12.345 USD is 1235. invalid_argument when the
/// currency is not three letters (lower case is accepted) or the amount does not fit.
Result<Money> money_from_major(double amount, std::string_view currency);

/// `12.35 USD`, `-3.00 EUR`, `500 JPY`.
std::string format_money(const Money& money);

}  // namespace perennial
