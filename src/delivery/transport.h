// How actions leave the house: what is handed over, and what became of it. Webhook and ExportFile are such ways.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace perennial {

enum class Handover : uint8_t {
  delivered,  // it said so
  again,      // later: no answer, or one that says so
  refused,    // it never will
};

struct HandoverResult {
  Handover handover = Handover::again;
  std::string reason;                     // for people; empty when delivered
  std::optional<int64_t> retry_after_ms;  // that it asked for
};

struct Letter {
  std::string key;   // the same each time for the same action: a receiver that has seen it does nothing and says yes
  std::string body;  // a JSON object
};

/// Thread rule: any thread, several at a time.
class Transport {
 public:
  virtual ~Transport() = default;

  /// How many letters it takes at once.
  [[nodiscard]] virtual size_t most_at_once() const { return 1; }

  /// At least one, at most so many; a result for each.
  virtual std::vector<HandoverResult> hand_over(std::span<const Letter> letters) = 0;
};

}  // namespace perennial
