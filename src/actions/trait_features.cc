#include "actions/trait_features.h"

#include <algorithm>

#include "actions/eligibility.h"
#include "base/text.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr double kMostNumber = 1e9;

}  // namespace

void add_trait_features(std::span<const std::string> traits,
                        const std::function<const std::string*(std::string_view trait)>& trait,
                        std::vector<double>& features) {
  for (const std::string& name : traits) {
    const std::string* json_text = trait(name);
    const bool known = json_text != nullptr && *json_text != "null";
    const std::string text = known ? trait_text(*json_text) : "";
    double number = text == "true" ? 1 : 0;
    bool is_text = known && text != "true" && text != "false";
    if (const Result<double> read = is_text ? parse_number(text) : Result<double>(0.0); is_text && read.ok()) {
      number = std::clamp(*read, -kMostNumber, kMostNumber);
      is_text = false;
    }
    features.push_back(known ? 1 : 0);
    features.push_back(number);
    const size_t bucket = is_text ? stable_hash("actions.trait", text) % kTraitBuckets : kTraitBuckets;
    for (size_t i = 0; i < kTraitBuckets; ++i) features.push_back(i == bucket ? 1 : 0);
  }
}

}  // namespace perennial
