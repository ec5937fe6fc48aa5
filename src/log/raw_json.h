// JSON text that we wrote ourselves, taken apart without changing a byte of its values: numbers and spacing inside a
// user's properties come back as they were sent, which a parse and a new serialisation would not keep.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace perennial {

/// Writes one compact object, field by field. Keys must need no escaping.
class ObjectWriter {
 public:
  /// Nothing is written for an empty text.
  void add_text(std::string_view key, std::string_view text);
  void add_number(std::string_view key, float number);
  /// `json` is one valid JSON value; nothing is written for an empty one.
  void add_raw(std::string_view key, std::string_view json);

  /// The object; empty when no field was written.
  std::string finish();

 private:
  void begin_field(std::string_view key);
  std::string out_;
};

/// Visits each field's key and value text. data_loss when the text is not an object.
Status for_each_field(std::string_view object, const std::function<Status(std::string_view, std::string_view)>& visit);

/// The text of a JSON string; the number of a JSON number.
Status read_raw(std::string_view raw, std::string& text);
Status read_raw(std::string_view raw, float& number);

}  // namespace perennial
