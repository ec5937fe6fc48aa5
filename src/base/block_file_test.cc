#include "base/block_file.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"

namespace perennial {
namespace {

class BlockFile : public testing::Test {
 protected:
  void write(const std::vector<std::string>& blocks) {
    ASSERT_TRUE(write_file_atomically(path_, [&](const BytesWriter& put) -> Status {
                  BlockWriter writer("magic\n", put);
                  for (const std::string& block : blocks) PERENNIAL_TRY(writer.add(block));
                  return writer.finish();
                }).ok());
  }

  Result<std::vector<std::string>> read() {
    PERENNIAL_TRY_ASSIGN(BlockReader reader, BlockReader::open(path_, "magic\n"));
    std::vector<std::string> blocks;
    while (true) {
      PERENNIAL_TRY_ASSIGN(const std::string_view block, reader.next());
      if (block.empty()) return blocks;
      blocks.emplace_back(block);
    }
  }

  TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "blocks";
};

TEST_F(BlockFile, BlocksComeBackAsTheyWere) {
  const std::vector<std::string> blocks = {"one", std::string(3'000'000, 'x'), std::string("\0\n", 2)};
  write(blocks);
  EXPECT_EQ(read().value(), blocks);
  write({});
  EXPECT_EQ(read().value(), std::vector<std::string>());
}

TEST_F(BlockFile, CutChangedOrLengthenedItIsDamaged) {
  write({"one", "three"});
  const std::string whole = read_file(path_).value();
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(write_file_atomically(path_, whole.substr(0, size)).ok());
    EXPECT_EQ(read().status().code(), Code::data_loss) << size;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    ASSERT_TRUE(write_file_atomically(path_, changed).ok());
    EXPECT_EQ(read().status().code(), Code::data_loss) << at;
  }
  ASSERT_TRUE(write_file_atomically(path_, whole + "x").ok());
  EXPECT_EQ(read().status().code(), Code::data_loss);
  fs::remove(path_);
  EXPECT_EQ(read().status().code(), Code::not_found);
}

}  // namespace
}  // namespace perennial
