// SHA-256 through OpenSSL, and the 128-bit ids cut from it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace perennial {

/// 128 bits that name a message; equal ids are the same message. Ordered so that it can be a map's key.
struct MessageId {
  uint64_t high = 0;
  uint64_t low = 0;

  auto operator<=>(const MessageId&) const = default;
  [[nodiscard]] bool is_zero() const { return high == 0 && low == 0; }
};

using Sha256 = std::array<uint8_t, 32>;

/// Bytes in, in pieces; digest out, once.
class Sha256Stream {
 public:
  Sha256Stream();
  void add(std::string_view bytes);
  Sha256 finish();

 private:
  std::shared_ptr<void> context_;
};

Sha256 sha256(std::string_view bytes);
std::string to_hex(const Sha256& digest);

/// The first 128 bits of SHA-256 over the text: how an external message id (any string) becomes ours.
MessageId message_id_of(std::string_view text);

/// An id made from another and a number: line `index` of an order, row `index` of a file. Never zero.
MessageId derive_message_id(const MessageId& base, uint64_t index);

/// An id that no one else has: 128 bits of the system's randomness.
MessageId random_message_id();

/// 32 lower-case hex digits, and back (invalid_argument on anything else).
std::string to_hex(const MessageId& id);
Result<MessageId> message_id_from_hex(std::string_view hex);

/// `count` random bytes of the system as lower-case hex, 2 * count digits.
std::string random_hex(size_t count);

}  // namespace perennial
