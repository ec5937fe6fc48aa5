// Memory for many blocks of like size, each of which is read whole after a long time: they lie in pieces of 2 MiB for
// which the system is asked for large pages, so that reading one waits for its bytes alone and not for page tables too.
// Covered by base/huge_blocks_test.cc. Thread rule: any thread.
#pragma once

#include <cstddef>
#include <new>

namespace perennial {

/// Aligned to 64. Blocks of 4 KiB to 512 KiB share pieces with others of their size, those of 16 MiB and more have
/// pieces of their own; the others come from operator new. Throws std::bad_alloc, as that does.
void* take_huge_block(size_t bytes);

/// `bytes` as they were taken. Pieces without any block go back to the system, but for one of each size.
void give_back_huge_block(void* block, size_t bytes) noexcept;

/// For containers.
template <typename T>
struct HugeBlocks {
  static_assert(alignof(T) <= 64);
  using value_type = T;

  HugeBlocks() = default;
  template <typename U>
  HugeBlocks(const HugeBlocks<U>&) {}  // NOLINT(google-explicit-constructor): as allocators are made of each other

  T* allocate(size_t n) { return static_cast<T*>(take_huge_block(n * sizeof(T))); }
  void deallocate(T* block, size_t n) noexcept { give_back_huge_block(block, n * sizeof(T)); }
  friend bool operator==(const HugeBlocks&, const HugeBlocks&) { return true; }
};

}  // namespace perennial
