#include "actions/trait_features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace perennial {
namespace {

std::vector<double> features_of(const std::map<std::string, std::string>& traits, std::vector<std::string> names) {
  std::vector<double> features = {7};
  add_trait_features(
      names,
      [&](std::string_view name) -> const std::string* {
        const auto found = traits.find(std::string(name));
        return found == traits.end() ? nullptr : &found->second;
      },
      features);
  EXPECT_EQ(features.size(), 1 + kFeaturesOfTrait * names.size());
  EXPECT_EQ(features[0], 7) << "appends";
  features.erase(features.begin());
  return features;
}

double buckets(const std::vector<double>& features) {
  return std::accumulate(features.begin() + 2, features.end(), 0.0);
}

TEST(TraitFeatures, OfNumbersAndOfYesAndNo) {
  for (const auto& [text, number] : std::map<std::string, double>{
           {"true", 1}, {"false", 0}, {"42", 42}, {"-0.5", -0.5}, {"\"17\"", 17}, {"1e300", 1e9}}) {
    const std::vector<double> features = features_of({{"t", text}}, {"t"});
    EXPECT_EQ(features[0], 1) << text;
    EXPECT_EQ(features[1], number) << text;
    EXPECT_EQ(buckets(features), 0) << text;
  }
}

TEST(TraitFeatures, WhatIsNotKnownIsAllZero) {
  for (const double feature : features_of({{"other", "1"}, {"null", "null"}}, {"t", "null"})) EXPECT_EQ(feature, 0);
}

TEST(TraitFeatures, TextsFallIntoBucketsThatStay) {
  std::set<std::vector<double>> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string text = "\"city-" + std::to_string(i) + "\"";
    const std::vector<double> features = features_of({{"t", text}}, {"t"});
    EXPECT_EQ(features, features_of({{"t", text}}, {"t"}));
    EXPECT_EQ(features[1], 0);
    EXPECT_EQ(buckets(features), 1);
    seen.insert(features);
  }
  EXPECT_EQ(seen.size(), kTraitBuckets);
}

}  // namespace
}  // namespace perennial
