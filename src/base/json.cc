#include "base/json.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace perennial {
namespace {

/// The whole of a string as a number, or none.
template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// Exact where the value is exact; 3.0 and 1e3 are whole too.
std::optional<int64_t> whole_number(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  std::optional<double> number;
  if (value.is_double()) number = value.get_double();
  if (value.is_string()) {
    if (const auto exact = number_of<int64_t>(value.get_string())) return exact;
    number = number_of<double>(value.get_string());
  }
  if (!number || *number != std::floor(*number) || std::fabs(*number) >= 0x1p63) return std::nullopt;
  return static_cast<int64_t>(*number);
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  json::stream_parser parser({}, {.max_depth = 32});
  json::error_code error;
  const size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  if (error == json::error::too_deep) return invalid_argument("JSON nested deeper than 32 levels at byte {}", read);
  if (error) return invalid_argument("not valid JSON at byte {}: {}", read, error.message());
  if (text.find_first_not_of(" \t\r\n", read) != std::string_view::npos)
    return invalid_argument("text after the JSON value at byte {}", read);
  return parser.release();
}

Result<json::object> parse_json_object(std::string_view text) {
  PERENNIAL_TRY_ASSIGN(json::value value, parse_json(text));
  if (!value.is_object()) return invalid_argument("expected a JSON object, got {}", json::to_string(value.kind()));
  return std::move(value.as_object());
}

const json::value* find_field(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<std::string> string_field(const json::object& object, std::string_view name) {
  const json::value* value = find_field(object, name);
  if (value == nullptr) return std::string();
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_int64() || value->is_uint64()) return json::serialize(*value);
  return invalid_argument("'{}' must be a string", name);
}

Result<double> number_field(const json::object& object, std::string_view name, double fallback) {
  const json::value* value = find_field(object, name);
  if (value == nullptr) return fallback;
  double number = NAN;
  if (value->is_number()) number = value->to_number<double>();
  if (value->is_string()) number = number_of<double>(value->get_string()).value_or(NAN);
  if (!std::isfinite(number)) return invalid_argument("'{}' must be a number", name);
  return number;
}

Result<int64_t> integer_field(const json::object& object, std::string_view name, int64_t fallback, int64_t lowest,
                              int64_t highest) {
  const json::value* value = find_field(object, name);
  if (value == nullptr) return fallback;
  const std::optional<int64_t> number = whole_number(*value);
  if (!number || *number < lowest || *number > highest)
    return invalid_argument("'{}' must be a whole number from {} to {}", name, lowest, highest);
  return *number;
}

Result<bool> bool_field(const json::object& object, std::string_view name, bool fallback) {
  const json::value* value = find_field(object, name);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) return invalid_argument("'{}' must be true or false", name);
  return value->get_bool();
}

}  // namespace perennial
