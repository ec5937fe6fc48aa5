// The items' first vectors against the whole matrix taken apart in double precision, and what they must not see.
#include "training/neighbours.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace perennial {
namespace {

Dataset dataset_of(int32_t items, const std::vector<std::vector<int32_t>>& histories) {
  Dataset dataset;
  dataset.items = items;
  for (const auto& history : histories) {
    dataset.users.emplace_back();
    for (const int32_t item : history) dataset.users.back().tokens.push_back({.item = item, .type = 0});
  }
  return dataset;
}

std::vector<size_t> whole(const Dataset& dataset) {
  std::vector<size_t> lengths;
  for (const UserHistory& user : dataset.users) lengths.push_back(user.tokens.size());
  return lengths;
}

torch::Tensor cosines(const torch::Tensor& rows) { return torch::matmul(rows, rows.t()); }

/// Every second item follows another of its half; now and then one of the other half.
Dataset two_halves(int32_t items) {
  Random random(7);
  std::vector<std::vector<int32_t>> histories(200);
  for (size_t user = 0; user < histories.size(); ++user)
    for (int i = 0; i < 12; ++i) {
      const auto half = static_cast<int32_t>(random.chance(0.1) ? 1 - user % 2 : user % 2);
      histories[user].push_back(half + 2 * static_cast<int32_t>(random.below(static_cast<uint64_t>(items / 2))));
    }
  return dataset_of(items, histories);
}

/// The definition, entry by entry: cosines of the positive part of the information matrix.
torch::Tensor expected_cosines(const Dataset& dataset) {
  const int64_t items = dataset.items;
  torch::Tensor counts = torch::zeros({items, items}, torch::kFloat64);
  for (const UserHistory& user : dataset.users)
    for (size_t i = 0; i < user.tokens.size(); ++i)
      for (size_t j = 0; j < user.tokens.size(); ++j) {
        const auto apart = std::abs(static_cast<int64_t>(i) - static_cast<int64_t>(j));
        if (apart >= 1 && apart <= 5 && user.tokens[i].item != user.tokens[j].item)
          counts[user.tokens[i].item][user.tokens[j].item] += 1.0 / static_cast<double>(apart);
      }
  const torch::Tensor seen = counts.sum(1);
  const torch::Tensor contexts = seen.pow(0.75) / seen.pow(0.75).sum();
  const torch::Tensor one_sided = (counts / seen.unsqueeze(1) / contexts.unsqueeze(0)).log().clamp_min(0);
  const auto [values, vectors] = torch::linalg_eigh((one_sided + one_sided.t()) / 2);
  const torch::Tensor factors = vectors * values.clamp_min(0).sqrt();
  return cosines(factors / factors.norm(2, 1, true));
}

TEST(NeighbourDirections, AreTheInformationMatrixTakenApart) {
  torch::manual_seed(1);
  const Dataset dataset = two_halves(12);
  const torch::Tensor rows = neighbour_directions(dataset, whole(dataset), 16);
  ASSERT_EQ(rows.sizes(), (std::vector<int64_t>{12, 16}));
  EXPECT_LE((rows.norm(2, 1) - 1).abs().max().item<double>(), 1e-5);
  const torch::Tensor difference = cosines(rows).to(torch::kFloat64) - expected_cosines(dataset);
  EXPECT_LE(difference.abs().max().item<double>(), 1e-3);
}

TEST(NeighbourDirections, WhatIsHeldOutIsNotSeen) {
  const Dataset dataset = dataset_of(6, {{0, 1, 2, 3, 4}, {2, 1, 0, 3}});
  const auto first_three = [&](const Dataset& from) {
    torch::manual_seed(3);
    return neighbour_directions(from, {3, 3}, 4);
  };
  Dataset other = dataset;
  other.users[0].tokens[3].item = 5;
  const torch::Tensor rows = first_three(dataset);
  EXPECT_TRUE(torch::equal(rows, first_three(other)));
  for (int64_t item = 0; item < 6; ++item)
    EXPECT_NEAR(rows[item].norm().item<double>(), item < 3 ? 1 : 0, 1e-5) << "item " << item;
}

TEST(NeighbourDirections, OfManyItemsTheLeadingDirectionsAreFound) {
  Random random(5);
  std::vector<std::vector<int32_t>> histories(1800);  // ten groups of twenty items, a group's users more or fewer
  for (size_t user = 0; user < histories.size(); ++user) {
    const auto group = static_cast<int32_t>(std::sqrt(static_cast<double>(user) / 18));
    for (int i = 0; i < 10; ++i) histories[user].push_back(20 * group + static_cast<int32_t>(random.below(20)));
  }
  torch::manual_seed(5);
  const Dataset dataset = dataset_of(200, histories);
  const torch::Tensor all = cosines(neighbour_directions(dataset, whole(dataset), 10));
  const torch::Tensor group = torch::arange(200).div(20, "floor");
  const torch::Tensor same = group.unsqueeze(0) == group.unsqueeze(1);
  EXPECT_GT(all.masked_select(same).min().item<double>(), 0.9);
  EXPECT_LT(all.masked_select(same.logical_not()).abs().max().item<double>(), 0.1);
}

TEST(NeighbourDirections, ASampleOfThePairsIsEnough) {
  torch::manual_seed(6);
  const Dataset dataset = two_halves(20);
  const torch::Tensor all = cosines(neighbour_directions(dataset, whole(dataset), 16));
  const auto farthest = [&](int64_t most_pairs) {
    const torch::Tensor sampled = cosines(neighbour_directions(dataset, whole(dataset), 16, most_pairs));
    return (sampled - all).abs().max().item<double>();
  };
  EXPECT_LE(farthest(9'000), 1e-4) << "there are 9,000 pairs";
  EXPECT_GT(farthest(8'000), 1e-3);
  EXPECT_LT(farthest(8'000), 0.5);
  EXPECT_GT(farthest(0), 0.9) << "of nothing nothing is known";
}

TEST(NeighbourDirections, WithoutNeighboursThereAreNone) {
  torch::manual_seed(4);
  for (const Dataset& dataset :
       {dataset_of(3, {}), dataset_of(3, {{1, 1, 1}, {2}}), dataset_of(3, {{2, -1, -1}}), dataset_of(1, {{0, 0}})}) {
    const torch::Tensor rows = neighbour_directions(dataset, whole(dataset), 8);
    EXPECT_TRUE(torch::equal(rows, torch::zeros({dataset.items, 8})));
  }
}

}  // namespace
}  // namespace perennial
