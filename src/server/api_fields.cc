#include "server/api_fields.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "events/ids.h"

namespace perennial {
namespace {

constexpr size_t kMaxIdBytes = 256;

}  // namespace

Status check_field(std::string_view name, std::span<const std::string_view> known, std::string_view where) {
  if (std::ranges::find(known, name) != known.end()) return {};
  return invalid_argument("unknown field '{:.80}' in {}; known are: {}", name, where, fmt::join(known, ", "));
}

Status only_fields(const json::object& object, std::span<const std::string_view> known, std::string_view where) {
  for (const auto& member : object)
    PERENNIAL_TRY(check_field({member.key().data(), member.key().size()}, known, where));
  return {};
}

Status check_id_field(std::string_view name, std::string_view id) {
  if (id.size() > kMaxIdBytes)
    return invalid_argument("'{}' is {} bytes long, at most {} are allowed", name, id.size(), kMaxIdBytes);
  const bool control =
      std::any_of(id.begin(), id.end(), [](unsigned char letter) { return letter < 0x20 || letter == 0x7F; });
  return control ? invalid_argument("'{}' holds control characters", name) : Status();
}

HttpResponse csv_response(const Table& table) {
  return {.content_type = "text/csv; charset=utf-8", .body = to_csv(table)};
}

json::value time_value(TimeMs time) { return time == kNoTime ? json::value() : json::value(format_iso8601(time)); }

void PartsReport::reject(size_t index, const Status& status, std::string_view code) {
  rejected_.push_back(json::object{{"index", index}, {"code", code}, {"error", status.message()}});
}

json::object PartsReport::take(size_t accepted) {
  return {{"success", accepted > 0}, {"accepted", accepted}, {"rejected", std::move(rejected_)}};
}

}  // namespace perennial
