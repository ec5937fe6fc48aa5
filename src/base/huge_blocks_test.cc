#include "base/huge_blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "base/random.h"

namespace perennial {
namespace {

/// Blocks that are out, each filled with a number of its own.
class Blocks {
 public:
  explicit Blocks(uint64_t seed) : random_(seed) {}
  ~Blocks() {
    while (!out_.empty()) give_back(out_.begin());
  }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  void step() {
    if (out_.empty() || random_.chance(0.55)) {
      const size_t bytes = kSizes[random_.below(std::size(kSizes))];
      auto* const block = static_cast<unsigned char*>(take_huge_block(bytes));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0U);
      const auto fill = static_cast<unsigned char>(random_.below(256));
      std::memset(block, fill, bytes);
      ASSERT_TRUE(out_.emplace(block, std::pair(bytes, fill)).second);
    } else {
      give_back(std::next(out_.begin(), static_cast<ptrdiff_t>(random_.below(out_.size()))));
    }
  }

 private:
  static constexpr size_t kSizes[] = {0, 1, 100, 4095, 4096, 5000, 51'200, 300'000, 524'288, 524'289};
  using Out = std::map<unsigned char*, std::pair<size_t, unsigned char>>;

  void give_back(Out::iterator at) {
    const auto [bytes, fill] = at->second;
    for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(at->first[i], fill) << "byte " << i << " of a block of " << bytes;
    give_back_huge_block(at->first, bytes);
    out_.erase(at);
  }

  Random random_;
  Out out_;
};

TEST(HugeBlocks, BlocksOfAllSizesKeepWhatIsWrittenToThem) {
  Blocks blocks(1);
  for (int i = 0; i < 2000; ++i) blocks.step();
}

TEST(HugeBlocks, ThreadsTakeAndGiveBackBesideEachOther) {
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed)
    threads.emplace_back([seed] {
      Blocks blocks(seed);
      for (int i = 0; i < 500; ++i) blocks.step();
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(HugeBlocks, LargeOnesHaveLargePagesOfTheirOwn) {
  constexpr size_t kPiece = size_t{2} << 20;
  constexpr size_t kSizes[] = {8 * kPiece - 1, 8 * kPiece, 8 * kPiece + 1, 9 * kPiece};
  std::vector<unsigned char*> blocks;
  for (const size_t bytes : kSizes) {
    blocks.push_back(static_cast<unsigned char*>(take_huge_block(bytes)));
    blocks.back()[0] = 1;
    blocks.back()[bytes - 1] = 2;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (bytes >= 8 * kPiece) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % kPiece, 0U) << bytes;
    }
#endif
  }
  for (size_t gone = 0; gone < std::size(kSizes); ++gone) {
    give_back_huge_block(blocks[gone], kSizes[gone]);
    for (size_t left = gone + 1; left < std::size(kSizes); ++left) {
      EXPECT_EQ(blocks[left][0], 1) << kSizes[left];
      EXPECT_EQ(blocks[left][kSizes[left] - 1], 2) << kSizes[left];
    }
  }
}

TEST(HugeBlocks, MoreThanThereIsIsRefused) {
  EXPECT_THROW(take_huge_block(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(take_huge_block(SIZE_MAX / 2), std::bad_alloc);
}

TEST(HugeBlocks, BlocksOfASizeLieCloseAndAreTakenAgain) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "under a sanitizer they come from operator new";
#endif
  constexpr size_t kBytes = 50'000;
  const auto piece_of = [](const void* block) { return reinterpret_cast<uintptr_t>(block) >> 21; };
  std::vector<void*> blocks;
  std::set<uintptr_t> pieces;
  for (int i = 0; i < 400; ++i) {
    blocks.push_back(take_huge_block(kBytes));
    pieces.insert(piece_of(blocks.back()));
  }
  EXPECT_EQ(pieces.size(), 10U);  // 41 blocks each
  void* const last = blocks.back();
  give_back_huge_block(last, kBytes);
  EXPECT_EQ(take_huge_block(kBytes), last);
  for (void* block : blocks) give_back_huge_block(block, kBytes);
}

TEST(HugeBlocks, AVectorIsCopiedAndMoved) {
  std::vector<int16_t, HugeBlocks<int16_t>> one(25'600, 7);
  auto other = one;
  one[100] = 8;
  EXPECT_EQ(other[100], 7);
  other = std::move(one);
  EXPECT_EQ(other[100], 8);
}

}  // namespace
}  // namespace perennial
