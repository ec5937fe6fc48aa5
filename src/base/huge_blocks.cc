#include "base/huge_blocks.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace perennial {
namespace {

constexpr size_t kPieceBytes = size_t{2} << 20;
constexpr size_t kLeastBytes = 4 << 10;
constexpr size_t kMostBytes = 512 << 10;
constexpr size_t kOwnBytes = size_t{16} << 20;  // from here on a block has pieces of its own
constexpr std::align_val_t kAlignment{64};

/// A sanitizer sees only what operator new gives.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOnlyNew = true;
#elif defined(__has_feature)
constexpr bool kOnlyNew = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kOnlyNew = false;
#endif

bool shares_pieces(size_t bytes) { return !kOnlyNew && bytes >= kLeastBytes && bytes <= kMostBytes; }
bool has_own_pieces(size_t bytes) { return !kOnlyNew && bytes >= kOwnBytes; }

size_t rounded_up(size_t bytes, size_t to = 64) { return (bytes + to - 1) / to * to; }

/// Whole pieces, zeros.
std::byte* map_pieces(size_t bytes) {
  void* mapped = mmap(nullptr, bytes + kPieceBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  const size_t before = (kPieceBytes - reinterpret_cast<uintptr_t>(begin) % kPieceBytes) % kPieceBytes;
  if (before > 0) munmap(begin, before);
  munmap(begin + before + bytes, kPieceBytes - before);
  (void)madvise(begin + before, bytes, MADV_HUGEPAGE);  // without, it is memory as any other
  return begin + before;
}

struct Unmap {
  void operator()(std::byte* piece) const { munmap(piece, kPieceBytes); }
};
using Mapping = std::unique_ptr<std::byte, Unmap>;

/// Blocks of one size, a multiple of 64.
class Pieces {
 public:
  explicit Pieces(size_t block_bytes) : block_bytes_(block_bytes), blocks_(kPieceBytes / block_bytes) {}

  void* take() {
    if (with_room_.empty()) add_piece();
    std::byte* const memory = with_room_.front();  // the lowest, so that others get empty
    std::vector<uint32_t>& free = pieces_.at(memory).free;
    if (free.size() == blocks_) --empty_;
    const uint32_t block = free.back();
    free.pop_back();
    if (free.empty()) {
      std::ranges::pop_heap(with_room_, std::greater<>());
      with_room_.pop_back();
    }
    return memory + block * block_bytes_;
  }

  /// There is room for all that it keeps in mind: it cannot fail.
  void give_back(void* block) noexcept {
    const uintptr_t within = reinterpret_cast<uintptr_t>(block) % kPieceBytes;
    std::byte* const memory = static_cast<std::byte*>(block) - within;
    std::vector<uint32_t>& free = pieces_.at(memory).free;
    if (free.empty()) {
      with_room_.push_back(memory);
      std::ranges::push_heap(with_room_, std::greater<>());
    }
    free.push_back(static_cast<uint32_t>(within / block_bytes_));
    if (free.size() < blocks_ || ++empty_ == 1) return;
    --empty_;
    std::erase(with_room_, memory);
    std::ranges::make_heap(with_room_, std::greater<>());
    pieces_.erase(memory);
  }

 private:
  struct Piece {
    Mapping memory;
    std::vector<uint32_t> free;  // blocks
  };

  void add_piece() {
    std::vector<uint32_t> free(blocks_);
    for (size_t block = 0; block < blocks_; ++block) free[block] = static_cast<uint32_t>(blocks_ - 1 - block);
    with_room_.reserve(pieces_.size() + 1);
    Mapping memory(map_pieces(kPieceBytes));
    std::byte* const at = memory.get();
    pieces_.emplace(at, Piece{std::move(memory), std::move(free)});
    with_room_.push_back(at);
    ++empty_;
  }

  size_t block_bytes_;
  size_t blocks_;  // of a piece
  std::map<std::byte*, Piece> pieces_;
  std::vector<std::byte*> with_room_;  // a heap, the lowest first
  size_t empty_ = 0;                   // pieces without any block
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
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  if (has_own_pieces(bytes)) return map_pieces(rounded_up(bytes, kPieceBytes));
  if (!shares_pieces(bytes)) return ::operator new(bytes, kAlignment);
  AllPieces& all = all_pieces();
  const std::lock_guard lock(all.mutex);
  return all.by_size.try_emplace(rounded_up(bytes), rounded_up(bytes)).first->second.take();
}

void give_back_huge_block(void* block, size_t bytes) noexcept {
  if (has_own_pieces(bytes)) {
    munmap(block, rounded_up(bytes, kPieceBytes));
    return;
  }
  if (!shares_pieces(bytes)) return ::operator delete(block, kAlignment);
  AllPieces& all = all_pieces();
  const std::lock_guard lock(all.mutex);
  all.by_size.at(rounded_up(bytes)).give_back(block);
}

}  // namespace perennial
