#include "events/money.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace perennial {
namespace {

constexpr std::array<std::string_view, 17> kNoDigits = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
                                                        "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"};
constexpr std::array<std::string_view, 7> kThreeDigits = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
constexpr std::array<std::string_view, 2> kFourDigits = {"CLF", "UYW"};
constexpr std::array<uint64_t, 5> kScale = {1, 10, 100, 1000, 10'000};

template <size_t N>
bool holds(const std::array<std::string_view, N>& codes, std::string_view code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

/// The code in capitals, or empty when it is not three letters.
std::string capital_code(std::string_view currency) {
  std::string code;
  for (const char c : currency) {
    const char capital = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (capital < 'A' || capital > 'Z' || code.size() == 3) return {};
    code += capital;
  }
  return code.size() == 3 ? code : std::string();
}

}  // namespace

int minor_digits(std::string_view currency) {
  if (holds(kNoDigits, currency)) return 0;
  if (holds(kThreeDigits, currency)) return 3;
  if (holds(kFourDigits, currency)) return 4;
  return 2;
}

Result<Money> money_from_major(double amount, std::string_view currency) {
  std::string code = capital_code(currency);
  if (code.empty()) return invalid_argument("currency must be three letters such as USD, got '{:.40}'", currency);
  const double scaled = amount * static_cast<double>(kScale[static_cast<size_t>(minor_digits(code))]);
  // 1.005 is a little less than 1.005 in binary; two units in the last place more is never a different decimal, but
  // where these come near to half a minor unit.
  const double rounded = std::round(std::fabs(scaled) < 0x1p45 ? scaled * (1 + 0x1p-51) : scaled);
  if (!(std::fabs(rounded) < 0x1p63)) return invalid_argument("amount of money does not fit: {} {}", amount, code);
  return Money{static_cast<int64_t>(rounded), std::move(code)};
}

std::string format_money(const Money& money) {
  const int digits = minor_digits(money.currency);
  const auto size =
      money.minor_units < 0 ? -static_cast<uint64_t>(money.minor_units) : static_cast<uint64_t>(money.minor_units);
  const uint64_t scale = kScale[static_cast<size_t>(digits)];
  const char* sign = money.minor_units < 0 ? "-" : "";
  if (digits == 0) return fmt::format("{}{} {}", sign, size, money.currency);
  return fmt::format("{}{}.{:0{}} {}", sign, size / scale, size % scale, digits, money.currency);
}

}  // namespace perennial
