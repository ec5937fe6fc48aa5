// How the allocator treats what a training step frees.
#pragma once

#include <malloc.h>

#include <climits>

namespace perennial {

/// Of the whole process, from now on. libtorch maps and zeroes big tensors anew at every step unless freed memory is
/// kept: a third of the speed.
inline void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, INT_MAX);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 256 << 20);
}

}  // namespace perennial
