// Traits as features of users, beside what they did: of each whether it is known, its number (true is 1, false 0), and
// for a text into which of kTraitBuckets it falls by hash, so that nothing has to be kept of which texts there are.
// Covered by actions/trait_features_test.cc. Source: Weinberger et al., "Feature hashing for large scale multitask
// learning", 2009.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace perennial {

inline constexpr size_t kTraitBuckets = 8;
inline constexpr size_t kFeaturesOfTrait = 2 + kTraitBuckets;

/// Appends kFeaturesOfTrait a trait, finite. `trait`: a trait's JSON text, or null.
void add_trait_features(std::span<const std::string> traits,
                        const std::function<const std::string*(std::string_view trait)>& trait,
                        std::vector<double>& features);

}  // namespace perennial
