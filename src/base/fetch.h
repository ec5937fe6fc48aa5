// Bringing bytes near before they are needed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace perennial {

/// Asks for the lines of the bytes, which may lie outside of what there is. Always inlined: GCC 12 leaves out calls of
/// a function that does nothing else.
[[gnu::always_inline]] inline void fetch(const void* from, size_t bytes) {
  constexpr size_t kLine = 64;
  for (size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(static_cast<const uint8_t*>(from) + i);
}

}  // namespace perennial
