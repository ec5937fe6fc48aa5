#include "base/huge_blocks.h"

#include <sys/mman.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace perennial {
namespace {

constexpr size_t kPieceBytes = size_t{2} << 20;
constexpr size_t kLeastBytes = 4 << 10;
constexpr size_t kMostBytes = 512 << 10;
constexpr std::align_val_t kAlignment{64};

bool shares_pieces(size_t bytes) { return bytes >= kLeastBytes && bytes <= kMostBytes; }

/// Aligned to its size.
std::byte* map_piece() {
  void* mapped = mmap(nullptr, 2 * kPieceBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  const size_t before = (kPieceBytes - reinterpret_cast<uintptr_t>(begin) % kPieceBytes) % kPieceBytes;
  if (before > 0) munmap(begin, before);
  munmap(begin + before + kPieceBytes, kPieceBytes - before);
  (void)madvise(begin + before, kPieceBytes, MADV_HUGEPAGE);  // without, it is memory as any other
  return begin + before;
}

/// Blocks of one size.
class Pieces {
 public:
  explicit Pieces(size_t block_bytes)
      : block_bytes_((block_bytes + 63) / 64 * 64), blocks_(kPieceBytes / block_bytes_) {}

  void* take() {
    if (with_room_.empty()) add_piece();
    std::byte* const piece = *with_room_.begin();  // the lowest, so that others get empty
    std::vector<uint32_t>& free = free_.at(piece);
    if (free.size() == blocks_) --empty_;
    const uint32_t block = free.back();
    free.pop_back();
    if (free.empty()) with_room_.erase(piece);
    return piece + block * block_bytes_;
  }

  void give_back(void* block) noexcept {
    const uintptr_t within = reinterpret_cast<uintptr_t>(block) % kPieceBytes;
    std::byte* const piece = static_cast<std::byte*>(block) - within;
    std::vector<uint32_t>& free = free_.at(piece);
    free.push_back(static_cast<uint32_t>(within / block_bytes_));
    with_room_.insert(piece);
    if (free.size() < blocks_) return;
    if (empty_ == 0) {
      ++empty_;
      return;
    }
    with_room_.erase(piece);
    free_.erase(piece);
    munmap(piece, kPieceBytes);
  }

 private:
  void add_piece() {
    std::vector<uint32_t> free(blocks_);
    for (size_t block = 0; block < blocks_; ++block) free[block] = static_cast<uint32_t>(blocks_ - 1 - block);
    std::byte* const piece = map_piece();
    free_.emplace(piece, std::move(free));
    with_room_.insert(piece);
    ++empty_;
  }

  size_t block_bytes_;
  size_t blocks_;                                     // of a piece
  std::map<std::byte*, std::vector<uint32_t>> free_;  // by piece: blocks of it
  std::set<std::byte*> with_room_;
  size_t empty_ = 0;  // pieces without any block
};

struct AllPieces {
  std::mutex mutex;
  std::map<size_t, Pieces> by_size;
};

/// Never destroyed: blocks may be given back at the very end.
AllPieces& all_pieces() {
  static auto* const all = new AllPieces;
  return *all;
}

}  // namespace

void* take_huge_block(size_t bytes) {
  if (!shares_pieces(bytes)) return ::operator new(bytes, kAlignment);
  AllPieces& all = all_pieces();
  const std::lock_guard lock(all.mutex);
  return all.by_size.try_emplace(bytes, bytes).first->second.take();
}

void give_back_huge_block(void* block, size_t bytes) noexcept {
  if (!shares_pieces(bytes)) return ::operator delete(block, bytes, kAlignment);
  AllPieces& all = all_pieces();
  const std::lock_guard lock(all.mutex);
  all.by_size.at(bytes).give_back(block);
}

}  // namespace perennial
