// How a receiver knows that a webhook is ours and new: an HMAC-SHA256 over the time and the body, as Stripe and others
// do it. Format: docs/actions.md, "Delivery". Covered by delivery/signature_test.cc.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace perennial {

/// HMAC-SHA256 (RFC 2104), lower-case hex.
std::string hmac_sha256(std::string_view key, std::string_view text);

/// "t=SECONDS,v1=HEX", where HEX is that of "SECONDS.BODY" under the secret.
std::string signature_of(std::string_view secret, TimeMs now, std::string_view body);

}  // namespace perennial
