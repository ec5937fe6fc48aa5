// Runs a fuzz target over its corpus, and over cut and changed copies of it: a target that breaks its promises aborts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace perennial {
namespace {

std::vector<fs::path> corpus() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(PERENNIAL_CORPUS)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

TEST(Corpus, EveryInputKeepsThePromises) {
  ASSERT_FALSE(corpus().empty()) << PERENNIAL_CORPUS;
  for (const fs::path& path : corpus()) {
    SCOPED_TRACE(path);
    run(read_file(path).value());
  }
}

TEST(Corpus, CutAndChangedInputsKeepThePromises) {
  constexpr uint64_t kSeed = 20260301;
  constexpr int kCopies = 40;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  for (const fs::path& path : corpus()) {
    SCOPED_TRACE(path);
    const std::string bytes = read_file(path).value();
    for (int copy = 0; copy < kCopies; ++copy) {
      std::string changed = bytes.substr(0, random.below(bytes.size() + 1));
      for (uint64_t left = random.below(4); left > 0 && !changed.empty(); --left)
        changed[random.below(changed.size())] = static_cast<char>(random.below(256));
      run(changed);
    }
  }
}

}  // namespace
}  // namespace perennial
