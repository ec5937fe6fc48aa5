// Boost.JSON at the edge: parsing with limits, and typed reads of fields that explain themselves when they fail.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>

#include "base/status.h"

namespace perennial {

namespace json = boost::json;

/// Parses one JSON text. invalid_argument, with the byte offset, on anything malformed, deeper than 32 levels, or
/// followed by more text: a JSON bomb costs its own bytes and no more.
Result<json::value> parse_json(std::string_view text);

/// The same, and the value must be an object.
Result<json::object> parse_json_object(std::string_view text);

/// The field, or null when it is absent or JSON null.
const json::value* find_field(const json::object& object, std::string_view name);

/// A string field; empty when absent; invalid_argument when it is not a string. A number is taken as its digits, for
/// ids that some clients send as numbers.
Result<std::string> string_field(const json::object& object, std::string_view name);

/// A number field; `fallback` when absent; accepts a string that holds a number; invalid_argument otherwise or when not
/// finite.
Result<double> number_field(const json::object& object, std::string_view name, double fallback);

/// A whole-number field in [lowest, highest], exact; `fallback`, which may lie outside, when absent. Accepts 3.0, and a
/// string that holds a number; invalid_argument otherwise.
Result<int64_t> integer_field(const json::object& object, std::string_view name, int64_t fallback, int64_t lowest,
                              int64_t highest);

/// A boolean field; `fallback` when absent.
Result<bool> bool_field(const json::object& object, std::string_view name, bool fallback);

}  // namespace perennial
