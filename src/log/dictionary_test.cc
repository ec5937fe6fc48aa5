#include "log/dictionary.h"

#include <gtest/gtest.h>

#include <thread>

namespace perennial {
namespace {

TEST(Dictionary, GivesDenseIdsInOrderAndTheSameIdAgain) {
  Dictionary names;
  EXPECT_EQ(names.add("ada"), 0U);
  EXPECT_EQ(names.add("bob"), 1U);
  EXPECT_EQ(names.add("ada"), 0U);
  EXPECT_EQ(names.size(), 2U);
  EXPECT_EQ(names.find("bob"), 1U);
  EXPECT_EQ(names.find("eve"), std::nullopt);
  EXPECT_EQ(names.name(1), "bob");
  EXPECT_EQ(names.name(2), "");
}

TEST(Dictionary, ErasedNameGetsANewIdAndTheOldIdStaysEmpty) {
  Dictionary names;
  names.add("ada");
  names.add("bob");
  names.erase(0);
  names.erase(0);
  names.erase(7);
  EXPECT_EQ(names.find("ada"), std::nullopt);
  EXPECT_EQ(names.name(0), "");
  EXPECT_EQ(names.size(), 2U);
  EXPECT_EQ(names.add("ada"), 2U);
  EXPECT_EQ(names.find("bob"), 1U);
}

TEST(Dictionary, LoadingLeavesGapsAsErasedIds) {
  Dictionary names;
  names.load(3, "dan");
  names.load(3, "dan");
  names.load(5, "");
  EXPECT_EQ(names.size(), 6U);
  EXPECT_EQ(names.name(0), "");
  EXPECT_EQ(names.find("dan"), 3U);
  EXPECT_EQ(names.find(""), std::nullopt);
  EXPECT_EQ(names.add("eve"), 6U);
}

TEST(Dictionary, ReadersSeeWholeNamesWhileAWriterAddsAndErases) {
  Dictionary names;
  std::thread writer([&] {
    for (uint32_t i = 0; i < 20'000; ++i) {
      names.add("user-" + std::to_string(i));
      if (i % 3 == 0) names.erase(i);
    }
  });
  while (names.size() < 20'000) {
    const uint32_t last = names.size();
    if (last == 0) continue;
    const std::string name = names.name(last - 1);
    ASSERT_TRUE(name.empty() || name == "user-" + std::to_string(last - 1)) << name;
  }
  writer.join();
  EXPECT_EQ(names.find("user-19999"), 19'999U);
  EXPECT_EQ(names.find("user-19998"), std::nullopt);
}

}  // namespace
}  // namespace perennial
