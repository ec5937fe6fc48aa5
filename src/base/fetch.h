// Bringing bytes near before they are needed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace perennial {

/// Asks for the lines of the bytes, which may lie outside of what there is. Always inlined: GCC 12 leaves out calls of
/// a function that does nothing else.
[[gnu::always_inline]] inline void fetch(const void* from, size_t bytes) {
  constexpr uintptr_t kLine = 64;
  const auto begin = reinterpret_cast<uintptr_t>(from);
  for (uintptr_t line = begin & ~(kLine - 1); line < begin + bytes; line += kLine)
    __builtin_prefetch(reinterpret_cast<const void*>(line));  // NOLINT(performance-no-int-to-ptr): it is never read
}

}  // namespace perennial
