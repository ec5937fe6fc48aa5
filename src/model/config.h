// The shape of a behaviour Transformer, and how it was trained: `config.json` of a model folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/forecast_head.h"

namespace perennial {

/// What training kept away from the model, so that an evaluation can refuse what the model has seen.
struct Holdout {
  enum class Kind { none, leave_one_out, time };

  Kind kind = Kind::leave_one_out;
  int64_t log_offset = 0;        // events up to this offset of the log were looked at
  std::string roles_digest;      // of the event roles: other roles are other histories
  int64_t before_ms = 0;         // > 0: only events before this time were looked at
  int64_t newest_time_ms = 0;    // newest event time that training or validation looked at; 0 when no event had a time
  int64_t validate_from_ms = 0;  // kind time: [validate_from, test_from) chose the settings,
  int64_t test_from_ms = 0;      //            events from here on were not looked at

  bool operator==(const Holdout&) const = default;
};
const char* holdout_name(Holdout::Kind kind);
Result<Holdout::Kind> parse_holdout(std::string_view name);

struct ModelConfig {
  static constexpr int kFormatVersion = 1;
  static constexpr int kGapBuckets = 36;    // 0: unknown; else 1 + floor(log2(1 + seconds))
  static constexpr int kValueBuckets = 12;  // 0: none; else 1 + the value rounded and clamped to 0..10

  int32_t items = 0;
  int32_t width = 64;                    // D
  int32_t layers = 2;                    // L
  int32_t heads = 2;                     // H; D / H is even
  int32_t window = 128;                  // W: a token attends to itself and the W - 1 before it, in every layer
  int32_t feed_forward = 256;            // F
  int32_t members = 1;                   // Transformers of this shape, whose scores' mean is the model's (ensemble.h)
  std::vector<std::string> event_types;  // the token types, by the model's type id
  std::vector<std::string>
      features;  // read-time features by id: "trait:plan=pro", "device:mobile", "hour:13", "weekday:2"

  std::optional<ForecastHeadConfig> forecasts;  // the head that forecasts a user's future, if there is one

  Holdout holdout;
  std::string id;            // names the model: the folder under models/
  std::string items_digest;  // SHA-256 of items.txt, hex
  json::object training;     // settings and results of the training run, for people

  /// Tokens of history after which older ones cannot change the output, plus one for the gap before the first.
  [[nodiscard]] int64_t history_tokens() const { return int64_t{layers} * (window - 1) + 2; }
  [[nodiscard]] int32_t head_width() const { return width / heads; }
  [[nodiscard]] int32_t types() const { return static_cast<int32_t>(event_types.size()); }
};

/// The bucket of a time gap; unknown when either time is (INT64_MIN). Negative gaps count as zero.
int32_t gap_bucket(int64_t before_ms, int64_t after_ms);
int32_t value_bucket(float value);

std::string to_json(const ModelConfig& config);

/// data_loss when fields are missing or out of range; failed_precondition when the format version is another.
Result<ModelConfig> parse_model_config(std::string_view text);

}  // namespace perennial
