// JSON objects written as text, field by field: what becomes of a file's other columns without building a tree.
// Covered by json_text_test.cc.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace perennial {

/// Appends the text as a JSON string with its quotes. `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);

/// Appends what a table's cell most likely means: a number that JSON would write the same way (007 is not, nor a whole
/// one of more than 15 digits), true or false, an array or object that is valid JSON; otherwise a string. `cell` is
/// UTF-8 without blanks around.
void append_json_cell(std::string& out, std::string_view cell);

/// invalid_argument when a number in it is beyond a double (1e400): Boost reads it as infinity, which it cannot write
/// as JSON.
Status check_finite(const json::value& value);
Status check_finite(const json::object& object);

/// An object under construction; keep one for many rows.
class JsonObjectText {
 public:
  void clear() { text_.clear(); }

  /// The place to append the value of the next field to. Names must differ: the writer does not look.
  std::string& field(std::string_view name);

  /// The same with `key` as quoted_key made it.
  std::string& field_by_key(std::string_view key);
  static std::string quoted_key(std::string_view name);

  /// The object, or nothing when no field was added.
  [[nodiscard]] std::string finish() const;

  /// The object, `{}` when no field was added.
  [[nodiscard]] std::string finish_object() const;

 private:
  std::string text_;
};

}  // namespace perennial
