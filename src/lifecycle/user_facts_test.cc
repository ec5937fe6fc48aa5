#include "lifecycle/user_facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"

namespace perennial {
namespace {

struct PlainFact {
  TimeMs time;
  Offset offset;
  int64_t minor;

  auto operator<=>(const PlainFact&) const = default;
};
using PlainFacts = std::map<uint8_t, std::vector<PlainFact>>;

void expect_same(const UserFacts& facts, const PlainFacts& plain) {
  for (uint8_t signal = 0; signal < 5; ++signal) {
    std::vector<PlainFact> wanted = plain.contains(signal) ? plain.at(signal) : std::vector<PlainFact>();
    std::sort(wanted.begin(), wanted.end());
    const std::span<const Fact> got = facts.of(signal);
    ASSERT_EQ(got.size(), wanted.size());
    int64_t total = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      total += wanted[i].minor;
      ASSERT_EQ(got[i].time, wanted[i].time);
      ASSERT_EQ(got[i].offset, wanted[i].offset);
      ASSERT_EQ(got[i].total_minor, total);
      ASSERT_EQ(money_between(got, i, i + 1), wanted[i].minor);
    }
  }
}

TEST(UserFacts, AreWhatAPlainListHolds) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    UserFacts facts;
    PlainFacts plain;
    for (Offset offset = 1; offset < 200; ++offset) {
      const auto signal = static_cast<uint8_t>(random.below(5));
      if (random.chance(0.1) && !plain[signal].empty()) {
        const size_t gone = random.below(plain[signal].size());
        facts.remove(signal, plain[signal][gone].time, plain[signal][gone].offset);
        plain[signal].erase(plain[signal].begin() + static_cast<ptrdiff_t>(gone));
      }
      const PlainFact fact{static_cast<TimeMs>(random.below(100)), offset, static_cast<int64_t>(random.below(50)) - 10};
      facts.add(signal, fact.time, fact.offset, fact.minor);
      plain[signal].push_back(fact);
    }
    expect_same(facts, plain);
  }
}

TEST(UserFacts, MergedAreThoseOfBoth) {
  UserFacts one;
  UserFacts other;
  one.add(2, 10, 1, 500);
  one.add(0, 30, 2, 0);
  other.add(2, 5, 3, 100);
  other.add(2, 20, 4, 7);
  one.merge(other);
  expect_same(one, {{0, {{30, 2, 0}}}, {2, {{5, 3, 100}, {10, 1, 500}, {20, 4, 7}}}});
}

TEST(UserFacts, BytesDoNotTellInWhichOrderTheFactsCame) {
  UserFacts one;
  one.add(1, 10, 1, 5);
  one.add(0, 20, 2, 0);
  one.add(3, 1, 9, 0);
  one.remove(3, 1, 9);
  UserFacts other;
  other.add(0, 20, 2, 0);
  other.add(1, 10, 1, 5);
  std::string bytes;
  std::string others_bytes;
  one.encode(bytes);
  other.encode(others_bytes);
  EXPECT_EQ(bytes, others_bytes);
  ByteReader in(bytes);
  UserFacts read;
  EXPECT_TRUE(read.decode(in) && in.at_end());
  expect_same(read, {{0, {{20, 2, 0}}}, {1, {{10, 1, 5}}}});
  read.add(0, 15, 3, 4);
  expect_same(read, {{0, {{15, 3, 4}, {20, 2, 0}}}, {1, {{10, 1, 5}}}});
}

TEST(UserFacts, CutBytesAreNotTakenForWhole) {
  UserFacts facts;
  for (Offset offset = 1; offset < 5; ++offset) facts.add(0, 10, offset, 1);
  std::string bytes;
  facts.encode(bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    ByteReader in(std::string_view(bytes).substr(0, size));
    UserFacts read;
    EXPECT_FALSE(read.decode(in)) << size;
  }
}

}  // namespace
}  // namespace perennial
