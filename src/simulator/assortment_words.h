// The words and numbers behind the assortment: tables only.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "simulator/assortment.h"

namespace perennial {

struct InterestWords {
  std::string_view name;
  std::array<std::string_view, 4> brands;
  std::array<std::string_view, 20> series;
};

struct ComplementWords {
  std::string_view category;
  double strength = 0;
};

struct CategoryWords {
  std::string_view interest;
  std::string_view name;
  Upkeep upkeep;
  double share;
  int lowest;  // major units
  int highest;
  double lasts_days;
  double season_peak;
  double season_strength;
  std::array<std::string_view, 6> nouns;
  std::string_view purpose;  // "... for PURPOSE."
  std::array<ComplementWords, 3> complements;
};

/// The two ends of each axis of style, as words of descriptions.
struct StyleWords {
  std::string_view high;
  std::string_view low;
};

std::span<const InterestWords, kInterests> interest_words();
std::span<const CategoryWords> category_words();
std::span<const StyleWords, kStyleAxes> style_words();

}  // namespace perennial
