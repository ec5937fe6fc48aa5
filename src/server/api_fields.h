// Fields of requests that several routes read. Covered by server/http_test.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "insight/table.h"
#include "server/http.h"

namespace perennial {

/// invalid_argument, naming the field and those that are known, when it is not in `known`, or `object` has such a one.
Status check_field(std::string_view name, std::span<const std::string_view> known, std::string_view where);
Status only_fields(const json::object& object, std::span<const std::string_view> known, std::string_view where);

/// An id from outside: empty, or 1 to 256 bytes without control characters (it is UTF-8 already).
Status check_id_field(std::string_view name, std::string_view id);

HttpResponse csv_response(const Table& table);

/// ISO 8601, or null for kNoTime.
json::value time_value(TimeMs time);

/// What became of a request with several parts: {"success":true,"accepted":n,"rejected":[...]}.
class PartsReport {
 public:
  void reject(size_t index, const Status& status, std::string_view code);
  [[nodiscard]] size_t rejected() const { return rejected_.size(); }

  /// The members of the reply; call once.
  json::object take(size_t accepted);

 private:
  json::array rejected_;
};

}  // namespace perennial
