#include "kernels/item_index.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "kernels/dense.h"

namespace perennial {
namespace {

struct Version {
  ScanKernel kernel;
  int bits;
};

void PrintTo(const Version& version, std::ostream* out) { *out << version.kernel.name << " of " << version.bits; }

std::vector<Version> versions() {
  std::vector<Version> all;
  for (const ScanKernel& kernel : scan_kernels())
    for (const int bits : {8, 4}) all.push_back({kernel, bits});
  return all;
}

/// Items, a query and flags, and both ways to the answer.
struct Case {
  size_t width = 8;
  std::vector<float> vectors, biases, query;
  Bitmap allowed;

  Case(Random& random, size_t count, size_t its_width, double deviation = 1, double bias_deviation = 0.3)
      : width(its_width), allowed(count, true) {
    for (size_t i = 0; i < count * width; ++i) vectors.push_back(static_cast<float>(deviation * random.normal()));
    for (size_t i = 0; i < count; ++i) biases.push_back(static_cast<float>(bias_deviation * random.normal()));
    for (size_t i = 0; i < width; ++i) query.push_back(static_cast<float>(random.normal()));
  }

  [[nodiscard]] float score(int32_t item) const {
    const auto at = static_cast<size_t>(item);
    float score = 0;
    score_rows(vectors.data() + at * width, biases.data() + at, query.data(), &score, 1, width);
    return score;
  }

  [[nodiscard]] std::vector<ScoredItem> sorted(size_t k) const {
    std::vector<ScoredItem> all;
    for (size_t item = 0; item < biases.size(); ++item) {
      const auto id = static_cast<int32_t>(item);
      if (allowed[item] && !std::isnan(score(id))) all.push_back({id, score(id)});
    }
    std::ranges::stable_sort(all, [](const ScoredItem& a, const ScoredItem& b) { return a.score > b.score; });
    all.resize(std::min(k, all.size()));
    return all;
  }

  /// The k best, and up to `more` within reach of them.
  [[nodiscard]] std::vector<ScoredItem> sorted(size_t k, size_t more, float reach) const {
    std::vector<ScoredItem> best = sorted(k + more);
    while (best.size() > k && best.back().score < best[k - 1].score - reach) best.pop_back();
    return best;
  }

  [[nodiscard]] ItemIndex::Request request(size_t k) const {
    return {query, &allowed, k, ItemIndex::each([this](int32_t item) { return score(item); })};
  }
};

void expect_same(const std::vector<ScoredItem>& got, const std::vector<ScoredItem>& want, const std::string& where) {
  ASSERT_EQ(got.size(), want.size()) << where;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].item, want[i].item) << where << " place " << i;
    ASSERT_EQ(got[i].score, want[i].score) << where << " place " << i;
  }
}

class ItemIndexTest : public testing::TestWithParam<Version> {
 protected:
  static ItemIndex index(const Case& items, float most_bias = 0) {
    return {items.vectors, items.biases, items.width, most_bias, &GetParam().kernel, GetParam().bits};
  }
  static void check(const Case& items, size_t k, const std::string& where) {
    expect_same(index(items).best(items.request(k)), items.sorted(k), where);
  }
};

TEST_P(ItemIndexTest, IsASortOfAllScoresToTheBit) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const size_t count = random.below(400);
    Case items(random, count, 1 + random.below(70));
    const double share = round % 3 == 0 ? 0.02 : 0.8;
    for (size_t item = 0; item < count; ++item) items.allowed.set(item, random.chance(share));
    check(items, random.below(40), fmt::format("round {}", round));
  }
}

TEST_P(ItemIndexTest, MoreAreThoseWithinReachOfTheLastWanted) {
  Random random(11);
  for (int round = 0; round < 300; ++round) {
    Case items(random, random.below(700), 1 + random.below(70));
    ItemIndex::Request request = items.request(1 + random.below(12));
    request.more = random.below(200);
    request.reach = static_cast<float>(random.exponential());
    expect_same(index(items).best(request), items.sorted(request.k, request.more, request.reach),
                fmt::format("round {}", round));
  }
}

TEST_P(ItemIndexTest, EqualScoresComeByLowerItem) {
  Random random(2);
  for (int round = 0; round < 100; ++round) {
    Case items(random, 200, 16);
    for (size_t item = 0; item < 200; ++item) {  // four different items
      std::copy_n(items.vectors.begin() + static_cast<ptrdiff_t>(random.below(4) * 16), 16,
                  items.vectors.begin() + static_cast<ptrdiff_t>(item * 16));
      items.biases[item] = 0.25;
    }
    check(items, 1 + random.below(150), fmt::format("round {}", round));
  }
}

TEST_P(ItemIndexTest, ScoresThatAreNearerThanRoundingAreToldApart) {
  Random random(3);
  for (int round = 0; round < 50; ++round) {
    Case items(random, 500, 64);
    for (size_t item = 1; item < 500; ++item)
      for (size_t d = 0; d < 64; ++d)
        items.vectors[item * 64 + d] = items.vectors[d] + static_cast<float>(1e-5 * random.normal());
    std::ranges::fill(items.biases, 0.0F);
    check(items, 20, fmt::format("round {}", round));
  }
}

/// Numbers that codes with `steps` steps from -`most` to `most` hold exactly.
void make_whole(std::span<float> vector, float most, uint64_t steps, Random& random) {
  for (float& number : vector)
    number = static_cast<float>(random.below(steps + 1)) * (2 * most / static_cast<float>(steps)) - most;
  vector[0] = most;
}

TEST_P(ItemIndexTest, WhatRoundingTheQueryOrTheItemsMovesIsEachAllowedFor) {
  Random random(9);
  for (int round = 0; round < 40; ++round) {
    Case rounded_query(random, 2000, 16, 1, 0);
    for (size_t item = 0; item < 2000; ++item)
      make_whole(std::span(rounded_query.vectors).subspan(item * 16, 16), 15, GetParam().bits == 8 ? 254 : 15, random);
    rounded_query.query[0] = 127;  // the others are taken for 0, and they alone tell the items apart
    for (size_t d = 1; d < 16; ++d) rounded_query.query[d] = static_cast<float>(random.uniform() - 0.5);
    check(rounded_query, 50, fmt::format("query, round {}", round));
    Case rounded_items(random, 2000, 16, 1, 0);
    make_whole(rounded_items.query, 127, 254, random);
    check(rounded_items, 50, fmt::format("items, round {}", round));
  }
}

TEST_P(ItemIndexTest, TakesVectorsOfAllLengths) {
  Random random(4);
  for (const double deviation : {0.0, 1e-20, 1e-3, 1e4, 1e15, 1e30})
    for (const double bias : {0.0, 1.0, 1e6}) {
      Case items(random, 300, 24, deviation, bias);
      check(items, 15, fmt::format("deviation {} bias {}", deviation, bias));
      for (size_t item = 0; item < 300; item += 3)
        std::fill_n(items.vectors.begin() + static_cast<ptrdiff_t>(item * 24), 24, 0.0F);
      check(items, 15, fmt::format("zeros, deviation {} bias {}", deviation, bias));
      std::ranges::fill(items.query, 0.0F);
      check(items, 15, fmt::format("no query, deviation {} bias {}", deviation, bias));
    }
}

TEST_P(ItemIndexTest, AQueryThatIsNotFiniteStillHasAnAnswer) {
  Random random(5);
  Case items(random, 100, 16);
  items.query[3] = INFINITY;
  check(items, 10, "infinite");
  items.query[3] = NAN;
  check(items, 10, "not a number");
}

TEST_P(ItemIndexTest, RisingScoresFillNoMemory) {
  Random random(6);
  Case items(random, 50'000, 4, 0, 0);
  for (size_t item = 0; item < items.biases.size(); ++item) items.biases[item] = static_cast<float>(item);
  check(items, 10, "rising");
  ItemIndex::Request request = items.request(10);
  size_t scored = 0;
  request.score = ItemIndex::each([&](int32_t item) { return ++scored, items.score(item); });
  EXPECT_EQ(index(items).best(request).size(), 10U);
  EXPECT_LT(scored, 500U);
}

/// A kernel that counts what it finds.
struct Counting {
  static inline const ScanKernel* kernel;
  static inline size_t found;
  static void scan(const CodedBlocks& blocks, std::span<ScanQuery* const> queries, size_t first, size_t end) {
    kernel->scan(blocks, queries, first, end);
    for (const ScanQuery* query : queries) found += query->found;
  }
};

TEST_P(ItemIndexTest, FewOfManyAreHitAndFewerScored) {
  Random random(13);
  Case items(random, 20'000, 64);
  ItemIndex::Request request = items.request(10);
  size_t scored = 0;
  request.score = ItemIndex::each([&](int32_t item) { return ++scored, items.score(item); });
  Counting::kernel = &GetParam().kernel;
  Counting::found = 0;
  const ScanKernel counting = {"counting", Counting::scan};
  const ItemIndex all(items.vectors, items.biases, items.width, 0, &counting, GetParam().bits);
  expect_same(all.best(request), items.sorted(10), "the ten best");
  EXPECT_LT(scored, 60U);
  EXPECT_LT(Counting::found, GetParam().bits == 8 ? 1'000U : 3'000U);
}

TEST(ItemIndex, TakesFourBitsWhereEightAreMoreThanTheCachesHold) {
  const auto bytes_an_item = [](size_t count) {
    const ItemIndex index(std::vector<float>(count * 1024), std::vector<float>(count), 1024);
    return index.scanned_bytes() / count;
  };
  EXPECT_GT(bytes_an_item(16'384), 1'024U);
  EXPECT_LT(bytes_an_item(16'448), 600U);
}

TEST_P(ItemIndexTest, FlagsMayGoOnWhereItemsDoNot) {
  Random random(10);
  for (const size_t count : {0, 1, 20, 63, 64, 65, 128, 130}) {
    Case items(random, count, 8);
    for (float& bias : items.biases) bias -= 100;  // what is no item would score 0
    items.allowed.resize(count + 200, true);
    for (const size_t k : {size_t{1}, count, count + 15})
      check(items, k, fmt::format("{} items, the best {}", count, k));
  }
}

TEST_P(ItemIndexTest, TheEndsOfTheFloatsAreNoHoles) {
  Random random(11);
  for (int round = 0; round < 40; ++round)
    for (const auto& [deviation, length] : {std::pair{1e-22, 1e-20F}, {1e-42, 1.0F}, {1e-12, 1e38F}, {1e-30, 1e-10F}}) {
      Case items(random, 200, 24, deviation, 0);
      for (float& number : items.query) number = number < 0 ? -length : length;
      if (round % 2 == 0) std::fill_n(items.vectors.begin(), 64 * 24, 0.0F);
      check(items, 10, fmt::format("deviation {} length {} round {}", deviation, length, round));
    }
}

TEST_P(ItemIndexTest, TheSmallestNumbersCountToo) {
  Random random(16);
  Case items(random, 2, 2);
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  items.vectors = {kSmallest, kSmallest, -kSmallest, -kSmallest};
  items.biases = {0, 5e-25F};
  items.query = {1e20F, 1e20F};
  check(items, 1, "one is ahead by its vector, the other by its bias");
}

TEST_P(ItemIndexTest, BiasesMayReachTheEndsOfTheFloats) {
  Random random(14);
  for (int round = 0; round < 20; ++round) {
    Case items(random, 300, 16);
    for (float& bias : items.biases) bias = random.chance(0.5) ? 2e38F : -2e38F;
    check(items, 200, fmt::format("round {}", round));
  }
}

TEST_P(ItemIndexTest, WideItemsAreSummedWithoutOverflow) {
  Random random(15);
  Case items(random, 70, 40'000);
  std::ranges::fill(items.vectors, 1.0F);
  std::ranges::fill(items.query, 1.0F);
  check(items, 5, "all alike");
}

TEST_P(ItemIndexTest, ABiasMayBeTheSumOfLargerOnes) {
  Random random(12);
  for (int round = 0; round < 50; ++round) {
    Case items(random, 300, 16, 1e-2, 0);
    std::vector<float> pieces(300);
    for (float& piece : pieces) piece = static_cast<float>(1e6 * random.normal());
    const ItemIndex all = index(items, 2e7);
    ItemIndex::Request request = items.request(10);
    const auto score = [&](int32_t item) {
      const float piece = pieces[static_cast<size_t>(item)];
      return piece + items.score(item) - piece;
    };
    request.score = ItemIndex::each(score);
    std::vector<ScoredItem> want;
    for (int32_t item = 0; item < 300; ++item) want.push_back({item, score(item)});
    std::ranges::stable_sort(want, [](const ScoredItem& a, const ScoredItem& b) { return a.score > b.score; });
    want.resize(10);
    expect_same(all.best(request), want, fmt::format("round {}", round));
  }
}

TEST_P(ItemIndexTest, ManyRequestsAtOnceHaveEachItsOwnAnswer) {
  Random random(7);
  Case items(random, 30'000, 32);
  std::vector<Case> askers;
  for (int i = 0; i < 13; ++i) {  // eleven are scanned for: four, four and three
    Case asker = items;
    for (float& number : asker.query) number = static_cast<float>(random.normal());
    for (size_t item = 0; item < 30'000; ++item) asker.allowed.set(item, random.chance(0.5));
    askers.push_back(std::move(asker));
  }
  std::vector<ItemIndex::Request> requests;
  for (const Case& asker : askers) {
    ItemIndex::Request& request = requests.emplace_back(asker.request(1 + requests.size() * 7));
    if (requests.size() % 3 == 0) request.more = 50;
    request.reach = requests.size() % 2 == 0 ? 0.5F : std::numeric_limits<float>::infinity();
  }
  askers[2].query[5] = std::numeric_limits<float>::quiet_NaN();
  requests[4].k = 0;
  const auto answers = index(items).best(requests);
  for (size_t i = 0; i < askers.size(); ++i)
    expect_same(answers[i],
                askers[i].sorted(requests[i].k, requests[i].k > 0 ? requests[i].more : 0, requests[i].reach),
                fmt::format("request {}", i));
}

INSTANTIATE_TEST_SUITE_P(Kernels, ItemIndexTest, testing::ValuesIn(versions()), [](const auto& version) {
  return fmt::format("{}_{}_bits", version.param.kernel.name, version.param.bits);
});

TEST(Bitmap, GrowsByTheValueAskedFor) {
  Random random(8);
  for (int round = 0; round < 200; ++round) {
    Bitmap bits;
    std::vector<bool> want;
    for (int step = 0; step < 20; ++step) {
      const size_t size = random.below(300);
      const bool value = random.chance(0.5);
      bits.resize(size, value);
      want.resize(size, value);
      if (size > 0) {
        const size_t at = random.below(size);
        const bool set = random.chance(0.5);
        bits.set(at, set);
        want[at] = set;
      }
      for (size_t i = 0; i < size; ++i) ASSERT_EQ(bits[i], want[i]);
      const uint64_t past_the_end = size % 64 == 0 ? 0 : bits.words()[size / 64] >> (size % 64);
      ASSERT_EQ(past_the_end, 0U);
    }
  }
}

}  // namespace
}  // namespace perennial
