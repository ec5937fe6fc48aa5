#include "delivery/signature.h"

#include <fmt/core.h>
#include <openssl/hmac.h>

#include "base/check.h"
#include "base/digest.h"

namespace perennial {

std::string hmac_sha256(std::string_view key, std::string_view text) {
  Sha256 digest{};
  unsigned size = 0;
  const unsigned char* const made =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), digest.data(), &size);
  PERENNIAL_CHECK(made != nullptr && size == digest.size(), "HMAC gave {} bytes", size);
  return to_hex(digest);
}

std::string signature_of(std::string_view secret, TimeMs now, std::string_view body) {
  const std::string seconds = std::to_string(now / 1000);
  return fmt::format("t={},v1={}", seconds, hmac_sha256(secret, fmt::format("{}.{}", seconds, body)));
}

}  // namespace perennial
