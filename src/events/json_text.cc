#include "events/json_text.h"

#include <algorithm>
#include <cmath>

namespace perennial {
namespace {

constexpr size_t kWholeDigits = 15;     // a double holds them all
constexpr size_t kFractionLength = 24;  // of any double as programs print it

size_t count_digits(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

/// JSON's grammar, without numbers that are more likely codes: long whole ones, and 12E4. Two digits of exponent: it
/// fits.
bool is_number_cell(std::string_view text) {
  if (text.size() > kFractionLength) return false;
  if (text.starts_with('-')) text.remove_prefix(1);
  const size_t whole = count_digits(text);
  if (whole == 0 || (whole > 1 && text[0] == '0')) return false;
  text.remove_prefix(whole);
  if (text.empty()) return whole <= kWholeDigits;
  if (text[0] == '.') {
    const size_t fraction = count_digits(text.substr(1));
    if (fraction == 0) return false;
    text.remove_prefix(1 + fraction);
  }
  if (text.empty()) return true;
  if (text.size() < 3 || (text[0] != 'e' && text[0] != 'E') || (text[1] != '-' && text[1] != '+')) return false;
  return text.size() <= 4 && count_digits(text.substr(2)) == text.size() - 2;
}

bool is_json_container(std::string_view text) {
  if (text.front() != '[' && text.front() != '{') return false;
  const Result<json::value> value = parse_json(text);
  return value.ok() && check_finite(*value).ok();
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') [[likely]]
      continue;
    out.append(text, copied, i - copied);
    copied = i + 1;
    if (c >= 0x20)
      out.append({'\\', static_cast<char>(c)});
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else
      out.append({'\\', 'u', '0', '0', kDigits[c >> 4], kDigits[c & 15]});
  }
  out.append(text, copied);
  out += '"';
}

void append_json_cell(std::string& out, std::string_view cell) {
  if (cell.empty())
    out += "\"\"";
  else if (is_number_cell(cell) || is_json_container(cell))
    out += cell;
  else if (cell == "true" || cell == "True" || cell == "TRUE")
    out += "true";
  else if (cell == "false" || cell == "False" || cell == "FALSE")
    out += "false";
  else
    append_json_string(out, cell);
}

Status check_finite(const json::object& object) {
  for (const auto& [name, value] : object) PERENNIAL_TRY(check_finite(value));
  return {};
}

Status check_finite(const json::value& value) {
  if (value.is_object()) return check_finite(value.get_object());
  if (value.is_array())
    for (const json::value& element : value.get_array()) PERENNIAL_TRY(check_finite(element));
  if (!value.is_double() || std::isfinite(value.get_double())) return {};
  return invalid_argument("holds a number beyond 1.8e308: write it as a string");
}

std::string JsonObjectText::quoted_key(std::string_view name) {
  std::string key;
  append_json_string(key, name);
  key += ':';
  return key;
}

std::string& JsonObjectText::field(std::string_view name) {
  text_ += text_.empty() ? '{' : ',';
  append_json_string(text_, name);
  text_ += ':';
  return text_;
}

std::string& JsonObjectText::field_by_key(std::string_view key) {
  text_ += text_.empty() ? '{' : ',';
  text_ += key;
  return text_;
}

std::string JsonObjectText::finish() const {
  if (text_.empty()) return {};
  std::string object;
  object.reserve(text_.size() + 1);
  object += text_;
  object += '}';
  return object;
}

std::string JsonObjectText::finish_object() const { return text_.empty() ? "{}" : finish(); }

}  // namespace perennial
