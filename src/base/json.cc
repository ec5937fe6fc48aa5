#include "base/json.h"

#include <charconv>
#include <cmath>

namespace perennial {

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
  if (value->is_number()) {
    number = value->to_number<double>();
  } else if (value->is_string()) {
    const json::string& text = value->get_string();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) number = NAN;
  }
  if (!std::isfinite(number)) return invalid_argument("'{}' must be a number", name);
  return number;
}

Result<int64_t> integer_field(const json::object& object, std::string_view name, int64_t fallback, int64_t lowest, int64_t highest) {
  PERENNIAL_TRY_ASSIGN(const double number, number_field(object, name, static_cast<double>(fallback)));
  if (number != std::floor(number) || number < static_cast<double>(lowest) || number > static_cast<double>(highest))
    return invalid_argument("'{}' must be a whole number from {} to {}", name, lowest, highest);
  return static_cast<int64_t>(number);
}

Result<bool> bool_field(const json::object& object, std::string_view name, bool fallback) {
  const json::value* value = find_field(object, name);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) return invalid_argument("'{}' must be true or false", name);
  return value->get_bool();
}

}  // namespace perennial
