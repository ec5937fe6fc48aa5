#include "log/dictionary.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>
#include <vector>

#include "base/random.h"

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
  EXPECT_TRUE(names.load(3, "dan"));
  EXPECT_TRUE(names.load(3, "dan"));
  EXPECT_TRUE(names.load(5, ""));
  EXPECT_FALSE(names.load(3, "don"));
  EXPECT_FALSE(names.load(4, "dan"));
  EXPECT_EQ(names.size(), 6U);
  EXPECT_EQ(names.name(0), "");
  EXPECT_EQ(names.find("dan"), 3U);
  EXPECT_EQ(names.find(""), std::nullopt);
  EXPECT_EQ(names.add("eve"), 6U);
}

TEST(Dictionary, AgreesWithAMapWhateverComesAndGoes) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Dictionary names;
    std::map<std::string, uint32_t> simple;
    std::vector<std::string> by_id;
    Random random(seed);
    for (int i = 0; i < 3000; ++i) {
      const std::string name(1 + random.below(3), static_cast<char>('a' + random.below(9)));
      const std::string longer = name + std::to_string(random.below(40));
      if (random.chance(0.4) && !by_id.empty()) {
        const auto id = static_cast<uint32_t>(random.below(by_id.size()));
        names.erase(id);
        simple.erase(by_id[id]);
        by_id[id].clear();
      } else if (const uint32_t id = names.add(longer); simple.try_emplace(longer, id).second) {
        ASSERT_EQ(id, by_id.size());
        by_id.push_back(longer);
      }
      const auto known = simple.find(longer);
      ASSERT_EQ(names.find(longer), known == simple.end() ? std::nullopt : std::optional(known->second)) << seed;
    }
    for (uint32_t id = 0; id < by_id.size(); ++id) {
      ASSERT_EQ(names.name(id), by_id[id]);
      ASSERT_EQ(names.find(by_id[id]), by_id[id].empty() ? std::nullopt : std::optional(id));
    }
  }
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
