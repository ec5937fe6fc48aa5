// What every model here is to an evaluation: a history in, maybe the moment, a score an item out.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace perennial {

/// One event of a history as a model reads it. Items and types are rows of the model's own tables.
struct Token {
  int32_t item = 0;                                       // [0, items), or -1: an item that the model does not know
  int32_t type = 0;                                       // [0, types), or -1
  float value = std::numeric_limits<float>::quiet_NaN();  // NaN: none
  int64_t time_ms = std::numeric_limits<int64_t>::min();  // the lowest: not known
};

/// What is known of the moment that a question is asked at, beside the history.
struct RequestMoment {
  int64_t time_ms = std::numeric_limits<int64_t>::min();  // the lowest: not known
  std::vector<std::string> features;                      // read-time features by name (model/read_features.h)
};

/// Thread rule: score may be called from any thread.
class Scorer {
 public:
  virtual ~Scorer() = default;
  [[nodiscard]] virtual std::string name() const = 0;

  /// history in time order, maybe empty; overwrites scores (items) with a score each, higher is better, never NaN.
  virtual void score(std::span<const Token> history, std::span<float> scores) const = 0;

  /// The same, told of the moment too, which is ignored where it is not overridden.
  virtual void score_at(std::span<const Token> history, const RequestMoment& /*moment*/,
                        std::span<float> scores) const {
    score(history, scores);
  }
};

}  // namespace perennial
