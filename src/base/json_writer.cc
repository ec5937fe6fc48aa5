#include "base/json_writer.h"

namespace perennial {
namespace {

bool needs_escape(char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == '"' || letter == '\\'; }

}  // namespace

void JsonWriter::text(std::string_view value) {
  separate();
  out_ += '"';
  size_t plain = 0;  // what stands before it is written
  for (size_t i = 0; i < value.size(); ++i) {
    if (!needs_escape(value[i])) continue;
    out_ += value.substr(plain, i - plain);
    plain = i + 1;
    if (static_cast<unsigned char>(value[i]) < 0x20) {
      fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<int>(value[i]));
    } else {
      out_ += '\\';
      out_ += value[i];
    }
  }
  out_ += value.substr(plain);
  out_ += '"';
}

void JsonWriter::value(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string:
      return text(value.get_string());
    case json::kind::int64:
      return number(value.get_int64());
    case json::kind::uint64:
      return number(value.get_uint64());
    case json::kind::double_:
      return number(value.get_double());
    case json::kind::bool_:
      return boolean(value.get_bool());
    case json::kind::null:
      return null();
    case json::kind::array:
    case json::kind::object:
      return raw(json::serialize(value));
  }
}

}  // namespace perennial
