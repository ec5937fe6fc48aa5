// One action handed over to whoever sends it: a signed HTTP request, and what the answer means. Covered by
// delivery/webhook_test.cc against a server that hangs, breaks off and lies.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "delivery/transport.h"

namespace perennial {

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
  HandoverResult hand_over(const Letter& letter) const;
  std::vector<HandoverResult> hand_over(std::span<const Letter> letters) override;

 private:
  WebhookTarget target_;
  std::string secret_;
  std::chrono::milliseconds patience_;
  const Clock& clock_;
};

}  // namespace perennial
