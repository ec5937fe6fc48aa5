#include "base/spill_file.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "base/temporary_folder.h"

namespace perennial {
namespace {

TEST(SpillFile, GivesBackWhatWasPutHoweverPlacesChangeHands) {
  const TemporaryFolder folder;
  SpillFile file = SpillFile::create(folder.path()).value();
  EXPECT_TRUE(fs::is_empty(folder.path())) << "it has no name";
  Random random(1);
  std::map<int, std::pair<SpillPlace, std::string>> kept;
  for (int i = 0; i < 20'000; ++i) {
    const auto key = static_cast<int>(random.below(300));
    if (const auto found = kept.find(key); found != kept.end()) {
      ASSERT_EQ(file.get(found->second.first).value(), found->second.second);
      file.free(found->second.first);
      if (random.chance(0.02)) {
        ASSERT_TRUE(file.scrub().ok());
      }
      kept.erase(found);
    }
    const size_t size = 1 + random.below(random.chance(0.05) ? 40'000 : 400);
    std::string bytes(size, static_cast<char>('a' + i % 26));
    kept[key] = {file.put(bytes).value(), std::move(bytes)};
  }
  for (const auto& [key, held] : kept) ASSERT_EQ(file.get(held.first).value(), held.second);
  EXPECT_LT(file.file_bytes(), 20U << 20) << "places find new tenants";
  SpillFile::Window window(file);
  for (int round = 0; round < 2; ++round)
    for (const auto& [key, held] : kept) ASSERT_EQ(window.get(held.first).value(), held.second);
}

TEST(SpillFile, AWindowReadsOnAcrossWhatIsNotWrittenYet) {
  const TemporaryFolder folder;
  SpillFile file = SpillFile::create(folder.path()).value();
  std::vector<SpillPlace> places;
  for (int i = 0; i < 30'000; ++i)
    places.push_back(file.put(fmt::format("number {} of them {:{}}", i, 0, i % 90)).value());
  SpillFile::Window window(file);
  for (int i = 0; i < 30'000; ++i) ASSERT_TRUE(window.get(places[i])->starts_with(fmt::format("number {} of", i))) << i;
}

TEST(SpillFile, WhatIsFreedIsOverwritten) {
  const TemporaryFolder folder;
  SpillFile file = SpillFile::create(folder.path()).value();
  const SpillPlace place = file.put("a secret").value();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(file.put(std::string(10'000, 'x')).ok());  // into the file
  file.free(place);
  ASSERT_TRUE(file.scrub().ok());
  EXPECT_EQ(file.get(place).value(), std::string(8, '\0'));
  const SpillPlace next = file.put("fourteen bytes").value();
  EXPECT_EQ(next.unit, place.unit);
  file.free(next);
  SpillPlace all = file.put("short").value();
  EXPECT_EQ(all.unit, place.unit);
  all.size = SpillFile::kUnit;
  EXPECT_EQ(file.get(all).value(), "short" + std::string(11, '\0')) << "nothing of who was there before";
}

TEST(SpillFile, AFolderThatIsNotThereIsAnError) { EXPECT_FALSE(SpillFile::create("/nowhere/at/all").ok()); }

}  // namespace
}  // namespace perennial
