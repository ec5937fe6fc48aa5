// Names of the read-time features, and their values from a time: one place for training and serving.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace perennial {

inline std::string device_feature(std::string_view device) { return fmt::format("device:{}", device); }
inline std::string hour_feature(int hour) { return fmt::format("hour:{:02}", hour); }
inline std::string weekday_feature(int weekday) { return fmt::format("weekday:{}", weekday); }

/// A trait as a feature, or empty when its value (JSON text) is not a string, boolean or whole number of at most 40
/// characters.
inline std::string trait_feature(std::string_view key, std::string_view json_value) {
  constexpr size_t kLongest = 40;
  if (json_value.empty() || json_value.size() > kLongest) return {};
  const bool whole_number = json_value.find_first_not_of("-0123456789") == std::string_view::npos;
  if (json_value.front() == '"')
    json_value = json_value.substr(1, json_value.size() - 2);
  else if (!whole_number && json_value != "true" && json_value != "false")
    return {};
  return fmt::format("trait:{}={}", key, json_value);
}

/// Hour of the day, 0 to 23, and day of the week, 0 Monday to 6 Sunday, of a time in milliseconds since 1970.
inline int hour_of(int64_t time_ms) {
  const int64_t hours = (time_ms >= 0 ? time_ms : time_ms - 3'599'999) / 3'600'000;
  return static_cast<int>(((hours % 24) + 24) % 24);
}
inline int weekday_of(int64_t time_ms) {
  const int64_t days = (time_ms >= 0 ? time_ms : time_ms - 86'399'999) / 86'400'000;
  return static_cast<int>((((days + 3) % 7) + 7) % 7);  // 1970-01-01 was a Thursday
}

/// A model's features by name.
class FeatureIds {
 public:
  FeatureIds() = default;
  explicit FeatureIds(const std::vector<std::string>& names) {
    for (const std::string& name : names) ids_.emplace(name, static_cast<int32_t>(ids_.size()));
  }

  /// -1: the model has no such feature.
  [[nodiscard]] int32_t of(const std::string& name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? -1 : found->second;
  }

  /// Adds the feature's id, if the model has it.
  void add(const std::string& name, std::vector<int32_t>& ids) const {
    if (const int32_t id = of(name); id >= 0) ids.push_back(id);
  }

 private:
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace perennial
