#include "base/digest.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>
#include <vector>

#include "base/random.h"

namespace perennial {
namespace {

std::string hex_of(const uint8_t* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex(2 * count, '0');
  for (size_t i = 0; i < count; ++i) {
    hex[2 * i] = kDigits[bytes[i] >> 4];
    hex[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return hex;
}

MessageId first_128_bits(const uint8_t* bytes) {
  MessageId id;
  std::memcpy(&id.high, bytes, 8);
  std::memcpy(&id.low, bytes + 8, 8);
  return id;
}

std::vector<uint8_t> random_bytes(size_t count) {
  std::vector<uint8_t> bytes(count);
  PERENNIAL_CHECK(RAND_bytes(bytes.data(), static_cast<int>(count)) == 1, "the system gives no randomness");
  return bytes;
}

/// Found once: looking it up takes longer than hashing an id.
const EVP_MD* sha256_method() {
  static const EVP_MD* method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  PERENNIAL_CHECK(method != nullptr, "no SHA-256");
  return method;
}

}  // namespace

Sha256Stream::Sha256Stream()
    : context_(EVP_MD_CTX_new(), [](void* p) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(p)); }) {
  PERENNIAL_CHECK(EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_.get()), sha256_method(), nullptr) == 1,
                  "SHA-256");
}

void Sha256Stream::add(std::string_view bytes) {
  PERENNIAL_CHECK(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_.get()), bytes.data(), bytes.size()) == 1,
                  "SHA-256");
}

Sha256 Sha256Stream::finish() {
  Sha256 digest;
  PERENNIAL_CHECK(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_.get()), digest.data(), nullptr) == 1, "SHA-256");
  return digest;
}

Sha256 sha256(std::string_view bytes) {
  Sha256Stream stream;
  stream.add(bytes);
  return stream.finish();
}

std::string to_hex(const Sha256& digest) { return hex_of(digest.data(), digest.size()); }

MessageId message_id_of(std::string_view text) { return first_128_bits(sha256(text).data()); }

MessageId derive_message_id(const MessageId& base, uint64_t index) {
  // Two independent mixes; SHA-256 a row would cost more than the import itself.
  return {mix64(base.high ^ mix64(index)), mix64(base.low + mix64(~index)) | 1};
}

MessageId random_message_id() { return first_128_bits(random_bytes(16).data()); }

std::string to_hex(const MessageId& id) {
  uint8_t bytes[16];
  std::memcpy(bytes, &id.high, 8);
  std::memcpy(bytes + 8, &id.low, 8);
  return hex_of(bytes, sizeof bytes);
}

Result<MessageId> message_id_from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  uint8_t bytes[16];
  bool good = hex.size() == 2 * sizeof bytes;
  for (size_t i = 0; good && i < sizeof bytes; ++i) {
    const int high = digit(hex[2 * i]);
    const int low = digit(hex[2 * i + 1]);
    good = high >= 0 && low >= 0;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (!good) return invalid_argument("not an id of 32 lower-case hex digits: '{:.64}'", hex);
  return first_128_bits(bytes);
}

std::string random_hex(size_t count) { return hex_of(random_bytes(count).data(), count); }

}  // namespace perennial
