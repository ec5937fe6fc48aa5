// JSON text written straight into a string, for replies that are made thousands of times a second. What is written must
// be well nested; commas come by themselves. Text must be UTF-8. Covered by base/json_writer_test.cc.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <string>
#include <string_view>

#include "base/json.h"

namespace perennial {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_array() { begin('['); }
  void end_array() { end(']'); }

  /// The name of the next value; must need no escaping.
  void key(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
    first_ = true;
  }

  /// The key and its value: text, a number or a boolean.
  template <typename Value>
  void member(std::string_view name, const Value& value) {
    key(name);
    if constexpr (std::convertible_to<const Value&, std::string_view>)
      text(value);
    else if constexpr (std::same_as<Value, bool>)
      boolean(value);
    else
      number(value);
  }

  void text(std::string_view value);
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void null() { raw("null"); }

  /// The shortest digits that read back as the same number; null for what JSON has no number for.
  template <std::floating_point Number>
  void number(Number value) {
    if (!std::isfinite(value)) return null();
    put_number(value);
  }
  template <std::integral Number>
  void number(Number value) {
    put_number(value);
  }

  /// Any value, as Boost.JSON writes it.
  void value(const json::value& value);

  /// One JSON value, or with key() before it and more members behind it a piece of an object.
  void raw(std::string_view json) {
    separate();
    out_ += json;
  }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  void begin(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }
  void end(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  template <typename Number>
  void put_number(Number value) {
    char digits[32];
    raw({digits, static_cast<size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)});
  }

  std::string& out_;
  bool first_ = true;  // nothing stands before the next value
};

}  // namespace perennial
