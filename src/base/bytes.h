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

  std::string_view get_text() { return get_bytes(get<uint64_t>()); }

  std::string_view get_bytes(uint64_t size) { return take(size) ? std::string_view(taken_, size) : std::string_view(); }

  /// A count of things of at least `least_bytes` each: zero, and not ok, when the rest cannot hold so many.
  uint64_t get_count(size_t least_bytes) {
    const auto count = get<uint64_t>();
    if (count <= bytes_.size() / least_bytes) return count;
    ok_ = false;
    return 0;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
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
