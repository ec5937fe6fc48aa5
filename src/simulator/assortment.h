// What the simulated shop sells: interests, their categories with complements and seasons, and items whose words, brand
// and price follow from the same latent factors that shoppers have a taste for. Covered by shop_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace perennial {

inline constexpr size_t kStyleAxes = 6;
inline constexpr size_t kInterests = 8;

/// A direction of taste: of an item how it is, of a shopper what is liked. Length about 1.
using Style = std::array<double, kStyleAxes>;
double dot(const Style& a, const Style& b);

/// How often one buys from a category.
enum class Upkeep {
  durable,      // once: owning one takes the interest in another away
  collectable,  // again and again, each time another
  consumable,   // the same again, when it is used up
};

struct Complement {
  int32_t category;
  double strength;  // (0, 1]
};

struct ShopCategory {
  std::string name;
  std::string interest;
  int32_t interest_index = 0;
  Upkeep upkeep = Upkeep::durable;
  double share = 1;          // of the assortment and of attention, relative
  int64_t lowest_minor = 0;  // price range
  int64_t highest_minor = 0;
  double lasts_days = 0;       // consumables: until one is used up
  double season_peak = 0;      // month of the year, 1 to 12, in which demand is highest
  double season_strength = 0;  // 0 none, towards 1 strong
  std::vector<Complement> complements;

  /// Demand at a time of the year against the year's mean.
  [[nodiscard]] double season_at(TimeMs time) const;
};

struct ShopItem {
  std::string id;
  std::string title;
  std::string description;
  std::string brand;
  int32_t category = 0;
  int32_t brand_index = 0;   // over the whole shop
  int32_t series_index = 0;  // over the whole shop; a series runs through the categories of an interest
  int64_t price_minor = 0;
  double price_band = 0;  // 0 cheapest of its category to 1 dearest
  double quality = 0;     // about standard normal
  double attraction = 0;  // log of its share of attention, all else equal; Zipf within its category
  Style style{};
  TimeMs created = 0;      // it cannot be seen before
  double brings_back = 0;  // ln of the factor by which a look at it makes its visitor come more often for a week
  double told = 0;         // ln of the factor by which its buyers review it more often
};

struct Assortment {
  std::vector<ShopCategory> categories;
  std::vector<ShopItem> items;
  std::vector<std::vector<int32_t>> items_of;  // by category
  int32_t brands = 0;
  int32_t series = 0;
};

inline constexpr int kFewestItems = 100;
inline constexpr int kMostItems = 5000;

/// `items` items with distinct titles, a quarter of which arrive between `start` and `end`.
Assortment make_assortment(int items, TimeMs start, TimeMs end, Random& random);

/// A normal draw on a grid of 2^-20, so that the last bit of a machine's logarithm cannot grow into another history.
double grid_normal(Random& random);

}  // namespace perennial
