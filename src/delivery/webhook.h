// One action handed over to whoever sends it: a signed HTTP request, and what the answer means. Covered by
// delivery/webhook_test.cc against a server that hangs, breaks off and lies.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"

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

/// Thread rule: any thread, several at a time.
class Transport {
 public:
  virtual ~Transport() = default;

  /// `key` is the same each time for the same action: a receiver that has seen it does nothing and says yes.
  virtual HandoverResult hand_over(const std::string& key, const std::string& body) = 0;
};

struct WebhookTarget {
  bool tls = false;
  std::string host;
  std::string port;
  std::string path;  // from the first /, with the query
};

/// "https://example.com:8443/hooks?x=1". invalid_argument for anything but http to loopback and https.
Result<WebhookTarget> parse_webhook_url(std::string_view url);

class Webhook final : public Transport {
 public:
  /// `patience` bounds the whole exchange, from looking the name up to the answer's end.
  Webhook(WebhookTarget target, std::string secret, std::chrono::milliseconds patience, const Clock& clock)
      : target_(std::move(target)), secret_(std::move(secret)), patience_(patience), clock_(clock) {}

  /// POST with Content-Type application/json, Idempotency-Key and Perennial-Signature. 2xx with a whole answer:
  /// delivered. 408, 425, 429, 5xx and whatever is no whole answer in time: again, after Retry-After (seconds) if it is
  /// there. Everything else: refused; redirects are not followed.
  HandoverResult hand_over(const std::string& key, const std::string& body) override;

 private:
  WebhookTarget target_;
  std::string secret_;
  std::chrono::milliseconds patience_;
  const Clock& clock_;
};

}  // namespace perennial
