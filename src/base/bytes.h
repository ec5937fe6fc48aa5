// Little-endian bytes for files: fixed-width numbers and length-prefixed text. The reader never runs past its end.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace perennial {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

template <typename T>
requires std::is_trivially_copyable_v<T>
void put(std::string& out, T value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); }

inline void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint64_t>(text.size()));
  out.append(text);
}

/// Small numbers in few bytes: seven bits each, the lowest first.
inline void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

/// The same for numbers of either sign that lie near 0.
inline void put_signed_varint(std::string& out, int64_t value) {
  put_varint(out, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}

/// A number as far from `before` as it is: times and offsets that rise. `before` becomes it.
inline void put_step(std::string& out, int64_t value, int64_t& before) {
  put_signed_varint(out, static_cast<int64_t>(static_cast<uint64_t>(value) - static_cast<uint64_t>(before)));
  before = value;
}

inline void put_short_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out.append(text);
}

/// Reads what put wrote. After the first read past the end ok() is false and every value is zero.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  requires std::is_trivially_copyable_v<T> T get() {
    T value{};
    if (take(sizeof value)) std::memcpy(static_cast<void*>(&value), taken_, sizeof value);
    return value;
  }

  uint64_t get_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (!take(1)) return 0;
      const auto byte = static_cast<uint8_t>(*taken_);
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }

  int64_t get_signed_varint() {
    const uint64_t value = get_varint();
    return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }

  int64_t get_step(int64_t& before) {
    before = static_cast<int64_t>(static_cast<uint64_t>(before) + static_cast<uint64_t>(get_signed_varint()));
    return before;
  }

  std::string_view get_short_text() { return get_bytes(get_varint()); }
  std::string_view get_text() { return get_bytes(get<uint64_t>()); }

  std::string_view get_bytes(uint64_t size) { return take(size) ? std::string_view(taken_, size) : std::string_view(); }

  /// A count of things of at least `least_bytes` each: zero, and not ok, when the rest cannot hold so many.
  uint64_t get_count(size_t least_bytes) { return possible(get<uint64_t>(), least_bytes); }
  uint64_t get_varint_count(size_t least_bytes) { return possible(get_varint(), least_bytes); }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  uint64_t possible(uint64_t count, size_t least_bytes) {
    if (count <= bytes_.size() / least_bytes) return count;
    ok_ = false;
    return 0;
  }

  bool take(size_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return false;
    }
    taken_ = bytes_.data();
    bytes_.remove_prefix(size);
    return true;
  }

  std::string_view bytes_;
  const char* taken_ = nullptr;
  bool ok_ = true;
};

}  // namespace perennial
