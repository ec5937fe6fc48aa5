// parse_json: what it accepts comes back the same from its own text, but for the last digits of doubles (Boost 1.81
// reads numbers of more than 17 digits to within a few units in the last place).
#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace perennial {
namespace {

bool is_finite(const json::value& value) {
  const auto finite_field = [](const auto& field) { return is_finite(field.value()); };
  if (value.is_array()) return std::all_of(value.get_array().begin(), value.get_array().end(), is_finite);
  if (value.is_object()) return std::all_of(value.get_object().begin(), value.get_object().end(), finite_field);
  return !value.is_double() || std::isfinite(value.get_double());
}

bool same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) {
    const double x = a.to_number<double>();
    const double y = b.to_number<double>();
    return x == y || std::fabs(x - y) <= 1e-14 * std::fabs(x) || std::fabs(x) < 1e-300;
  }
  if (a.kind() != b.kind()) return false;
  if (a.is_array())
    return std::equal(a.get_array().begin(), a.get_array().end(), b.get_array().begin(), b.get_array().end(), same);
  if (!a.is_object()) return a == b;
  if (a.get_object().size() != b.get_object().size()) return false;
  for (const auto& [key, value] : a.get_object()) {
    const json::value* other = b.get_object().if_contains(key);
    if (other == nullptr || !same(value, *other)) return false;
  }
  return true;
}

}  // namespace
}  // namespace perennial

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perennial;
  const auto value = parse_json({reinterpret_cast<const char*>(data), size});
  if (!value.ok() || !is_finite(*value)) return 0;
  const std::string text = json::serialize(*value);
  const auto again = parse_json(text);
  PERENNIAL_CHECK(again.ok(), "own text is refused: {}", again.status().message());
  PERENNIAL_CHECK(same(*value, *again), "own text changes: {}", text);
  return 0;
}
