#include "model/config.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace perennial {
namespace {

constexpr int64_t kUnknownTime = std::numeric_limits<int64_t>::min();

Result<std::vector<std::string>> string_list(const json::object& object, std::string_view name) {
  const json::value* value = find_field(object, name);
  if (value == nullptr || !value->is_array()) return data_loss("'{}' must be a list of strings", name);
  std::vector<std::string> list;
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_string()) return data_loss("'{}' must be a list of strings", name);
    list.emplace_back(entry.get_string());
  }
  return list;
}

Result<Holdout> parse_holdout_object(const json::object& config) {
  const json::value* value = find_field(config, "holdout");
  if (value == nullptr || !value->is_object()) return data_loss("'holdout' is missing");
  const json::object& object = value->get_object();
  constexpr int64_t kMax = int64_t{1} << 52;
  Holdout holdout;
  PERENNIAL_TRY_ASSIGN(const std::string kind, string_field(object, "kind"));
  PERENNIAL_TRY_ASSIGN(holdout.kind, parse_holdout(kind));
  // A missing time would let answers pass that the model has seen.
  const auto number = [&](const char* name) -> Result<int64_t> {
    if (find_field(object, name) == nullptr) return data_loss("'holdout.{}' is missing", name);
    return integer_field(object, name, 0, 0, kMax);
  };
  PERENNIAL_TRY_ASSIGN(holdout.log_offset, number("log_offset"));
  PERENNIAL_TRY_ASSIGN(holdout.roles_digest, string_field(object, "roles_digest"));
  PERENNIAL_TRY_ASSIGN(holdout.before_ms, number("before_ms"));
  PERENNIAL_TRY_ASSIGN(holdout.newest_time_ms, number("newest_time_ms"));
  PERENNIAL_TRY_ASSIGN(holdout.validate_from_ms, number("validate_from_ms"));
  PERENNIAL_TRY_ASSIGN(holdout.test_from_ms, number("test_from_ms"));
  return holdout;
}

json::object to_json(const ForecastHeadConfig& head) {
  return {{"features", json::value_from(head.features)},
          {"hazard_days", json::value_from(head.hazard_days)},
          {"outcomes", json::value_from(head.outcomes)},
          {"spend", head.spend},
          {"definition_digest", head.definition_digest}};
}

Result<ForecastHeadConfig> read_head(const json::value& value) {
  if (!value.is_object()) return data_loss("'forecasts' must be an object");
  const json::object& object = value.get_object();
  ForecastHeadConfig head;
  PERENNIAL_TRY_ASSIGN(head.features, string_list(object, "features"));
  PERENNIAL_TRY_ASSIGN(head.outcomes, string_list(object, "outcomes"));
  PERENNIAL_TRY_ASSIGN(head.spend, string_field(object, "spend"));
  PERENNIAL_TRY_ASSIGN(head.definition_digest, string_field(object, "definition_digest"));
  const json::value* days = find_field(object, "hazard_days");
  if (days == nullptr || !days->is_array()) return data_loss("'forecasts.hazard_days' must be a list of numbers");
  for (const json::value& day : days->get_array()) {
    const double before = head.hazard_days.empty() ? 0 : head.hazard_days.back();
    if (!day.is_number() || !(day.to_number<double>() > before))
      return data_loss("'forecasts.hazard_days' must be numbers above 0 that rise");
    head.hazard_days.push_back(day.to_number<double>());
  }
  return head;
}

Status read_shape(const json::object& object, ModelConfig& config) {
  const auto read = [&](const char* name, int32_t lowest, int32_t highest, int32_t& out) -> Status {
    if (find_field(object, name) == nullptr) return data_loss("'{}' is missing", name);
    PERENNIAL_TRY_ASSIGN(const int64_t number, integer_field(object, name, -1, lowest, highest));
    out = static_cast<int32_t>(number);
    return {};
  };
  PERENNIAL_TRY(read("items", 1, 1 << 28, config.items));
  PERENNIAL_TRY(read("width", 2, 4096, config.width));
  PERENNIAL_TRY(read("layers", 1, 64, config.layers));
  PERENNIAL_TRY(read("heads", 1, 64, config.heads));
  PERENNIAL_TRY(read("window", 1, 1 << 16, config.window));
  PERENNIAL_TRY(read("feed_forward", 1, 1 << 16, config.feed_forward));
  if (find_field(object, "members") != nullptr) PERENNIAL_TRY(read("members", 1, 64, config.members));
  if (config.width % (2 * config.heads) != 0)
    return data_loss("width {} does not divide into {} heads of even width", config.width, config.heads);
  return {};
}

Result<ModelConfig> read_config(const json::object& object) {
  ModelConfig config;
  PERENNIAL_TRY(read_shape(object, config));
  PERENNIAL_TRY_ASSIGN(config.id, string_field(object, "id"));
  PERENNIAL_TRY_ASSIGN(config.items_digest, string_field(object, "items_digest"));
  PERENNIAL_TRY_ASSIGN(config.event_types, string_list(object, "event_types"));
  PERENNIAL_TRY_ASSIGN(config.features, string_list(object, "features"));
  PERENNIAL_TRY_ASSIGN(config.holdout, parse_holdout_object(object));
  if (const json::value* forecasts = find_field(object, "forecasts")) {
    PERENNIAL_TRY_ASSIGN(config.forecasts, read_head(*forecasts));
  }
  if (const json::value* training = find_field(object, "training"); training != nullptr && training->is_object())
    config.training = training->get_object();
  return config;
}

}  // namespace

const char* holdout_name(Holdout::Kind kind) {
  switch (kind) {
    case Holdout::Kind::none:
      return "none";
    case Holdout::Kind::leave_one_out:
      return "leave-one-out";
    case Holdout::Kind::time:
      return "time";
  }
  return "?";
}

Result<Holdout::Kind> parse_holdout(std::string_view name) {
  for (const auto kind : {Holdout::Kind::none, Holdout::Kind::leave_one_out, Holdout::Kind::time})
    if (name == holdout_name(kind)) return kind;
  return invalid_argument("unknown holdout '{}': use leave-one-out, time or none", name);
}

int32_t gap_bucket(int64_t before_ms, int64_t after_ms) {
  if (before_ms == kUnknownTime || after_ms == kUnknownTime) return 0;
  const auto seconds = static_cast<uint64_t>(std::max<int64_t>(0, after_ms - before_ms) / 1000);
  return std::min<int32_t>(ModelConfig::kGapBuckets - 1, std::bit_width(1 + seconds));
}

int32_t value_bucket(float value) {
  return std::isnan(value) ? 0 : 1 + static_cast<int32_t>(std::lround(std::clamp(value, 0.0F, 10.0F)));
}

std::string to_json(const ModelConfig& config) {
  json::object object;
  object["format_version"] = ModelConfig::kFormatVersion;
  object["id"] = config.id;
  object["items"] = config.items;
  object["width"] = config.width;
  object["layers"] = config.layers;
  object["heads"] = config.heads;
  object["window"] = config.window;
  object["feed_forward"] = config.feed_forward;
  object["members"] = config.members;
  object["event_types"] = json::value_from(config.event_types);
  object["features"] = json::value_from(config.features);
  object["items_digest"] = config.items_digest;
  object["holdout"] = {
      {"kind", holdout_name(config.holdout.kind)},       {"log_offset", config.holdout.log_offset},
      {"roles_digest", config.holdout.roles_digest},     {"before_ms", config.holdout.before_ms},
      {"newest_time_ms", config.holdout.newest_time_ms}, {"validate_from_ms", config.holdout.validate_from_ms},
      {"test_from_ms", config.holdout.test_from_ms}};
  if (config.forecasts) object["forecasts"] = to_json(*config.forecasts);
  object["training"] = config.training;
  return json::serialize(object);
}

Result<ModelConfig> parse_model_config(std::string_view text) {
  const Result<json::object> parsed = parse_json_object(text);
  if (!parsed.ok()) return data_loss("model config: {}", parsed.status().message());
  const json::object& object = *parsed;
  PERENNIAL_TRY_ASSIGN(const int64_t version, integer_field(object, "format_version", 0, 0, 1 << 20));
  if (version != ModelConfig::kFormatVersion)
    return failed_precondition(
        "model format {} where this program reads {}: run 'train' again, or use the matching program", version,
        ModelConfig::kFormatVersion);
  Result<ModelConfig> config = read_config(object);
  if (!config.ok()) return data_loss("model config: {}", config.status().message());
  return config;
}

}  // namespace perennial
