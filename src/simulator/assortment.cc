#include "simulator/assortment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "simulator/assortment_words.h"

namespace perennial {
namespace {

constexpr double kPi = 3.141592653589793;
constexpr double kYearDays = 365.2425;
constexpr double kDayMs = 86'400'000;
constexpr size_t kBrandsOfInterest = 4;
constexpr size_t kSeriesOfInterest = 20;
constexpr size_t kNouns = 6;

template <typename Words>
int32_t index_of(const Words& words, std::string_view name) {
  const auto found = std::find_if(words.begin(), words.end(), [name](const auto& word) { return word.name == name; });
  PERENNIAL_CHECK(found != words.end(), "the tables do not know '{}'", name);
  return static_cast<int32_t>(found - words.begin());
}

ShopCategory category_of(const CategoryWords& words) {
  ShopCategory category{.name = std::string(words.name),
                        .interest = std::string(words.interest),
                        .interest_index = index_of(interest_words(), words.interest),
                        .upkeep = words.upkeep,
                        .share = words.share,
                        .lowest_minor = words.lowest * int64_t{100},
                        .highest_minor = words.highest * int64_t{100},
                        .lasts_days = words.lasts_days,
                        .season_peak = words.season_peak,
                        .season_strength = words.season_strength,
                        .complements = {}};
  for (const ComplementWords& complement : words.complements)
    if (!complement.category.empty())
      category.complements.push_back({index_of(category_words(), complement.category), complement.strength});
  return category;
}

Style normalised(Style style) {
  const double length = std::sqrt(std::max(dot(style, style), 1e-12));
  for (double& value : style) value /= length;
  return style;
}

Style random_style(Random& random) {
  Style style;
  for (double& value : style) value = grid_normal(random);
  return normalised(style);
}

/// How many items each category has: by share, at least one, `total` in all.
std::vector<int> category_sizes(const std::vector<ShopCategory>& categories, int total) {
  double shares = 0;
  for (const ShopCategory& category : categories) shares += category.share;
  std::vector<int> sizes;
  double due = 0;
  int given = 0;
  for (const ShopCategory& category : categories) {
    due += category.share / shares * total;
    sizes.push_back(static_cast<int>(std::lround(due)) - given);
    given += sizes.back();
  }
  return sizes;
}

/// A price as shops write it, from a place in [0, 1] of the category's range: 12.90, 49.50, 239.00.
int64_t price_at(const ShopCategory& category, double band) {
  const double low = std::log(static_cast<double>(category.lowest_minor));
  const double high = std::log(static_cast<double>(category.highest_minor));
  const auto exact = static_cast<int64_t>(std::llround(std::exp(low + band * (high - low))));
  if (exact < 2000) return std::max<int64_t>(exact / 50, 2) * 50 - 10;
  if (exact < 10'000) return exact / 100 * 100 - 50;
  return exact / 500 * 500 - 100;
}

std::string description_of(const ShopItem& item, std::string_view noun, std::string_view purpose) {
  std::array<size_t, kStyleAxes> axes{};
  std::iota(axes.begin(), axes.end(), size_t{0});
  std::sort(axes.begin(), axes.end(),
            [&](size_t a, size_t b) { return std::fabs(item.style[a]) > std::fabs(item.style[b]); });
  const auto word = [&](size_t at) {
    const StyleWords& words = style_words()[axes[at]];
    return item.style[axes[at]] >= 0 ? words.high : words.low;
  };
  const std::string_view quality = item.quality > 0.8    ? "Made to be handed down."
                                   : item.quality > -0.3 ? "Well made, and it shows."
                                                         : "An honest everyday piece.";
  return fmt::format("{} for {}. In style {}, {} and a little {}. {} From {}.", noun, purpose, word(0), word(1),
                     word(2), quality, item.brand);
}

/// Fills a category with items of distinct titles.
class CategoryStock {
 public:
  CategoryStock(Assortment& assortment, int32_t category, const std::vector<Style>& series_styles, Random& random)
      : assortment_(assortment), category_(category), series_styles_(series_styles), random_(random) {}

  void fill(int count, TimeMs start, TimeMs end) {
    PERENNIAL_CHECK(static_cast<size_t>(count) <= kBrandsOfInterest * kSeriesOfInterest * kNouns, "{} titles", count);
    std::vector<size_t> titles(kBrandsOfInterest * kSeriesOfInterest * kNouns);
    std::iota(titles.begin(), titles.end(), size_t{0});
    random_.shuffle(std::span(titles));
    std::vector<int> ranks(static_cast<size_t>(count));
    std::iota(ranks.begin(), ranks.end(), 0);
    random_.shuffle(std::span(ranks));
    for (size_t i = 0; i < ranks.size(); ++i) {
      ShopItem item = make_item(titles[i]);
      item.attraction = -1.1 * std::log(static_cast<double>(ranks[i]) + 2);
      item.created = created_time(start, end);
      assortment_.items_of[static_cast<size_t>(category_)].push_back(static_cast<int32_t>(assortment_.items.size()));
      assortment_.items.push_back(std::move(item));
    }
  }

 private:
  ShopItem make_item(size_t title) {
    const ShopCategory& category = assortment_.categories[static_cast<size_t>(category_)];
    const CategoryWords& words = category_words()[static_cast<size_t>(category_)];
    const auto interest = static_cast<size_t>(category.interest_index);
    const size_t brand = title % kBrandsOfInterest;
    const size_t series = title / kBrandsOfInterest % kSeriesOfInterest;
    const std::string_view noun = words.nouns[title / (kBrandsOfInterest * kSeriesOfInterest)];
    ShopItem item;
    item.id = fmt::format("P{:04}", assortment_.items.size() + 1);
    item.brand = interest_words()[interest].brands[brand];
    item.title = fmt::format("{} {} {}", item.brand, interest_words()[interest].series[series], noun);
    item.category = category_;
    item.brand_index = static_cast<int32_t>(interest * kBrandsOfInterest + brand);
    item.series_index = static_cast<int32_t>(interest * kSeriesOfInterest + series);
    // The first brand of an interest is its bargain, the last its best: brand, price and quality go together.
    const double rank = static_cast<double>(brand) / (kBrandsOfInterest - 1);
    item.price_band = std::clamp(0.15 + 0.7 * rank + 0.15 * grid_normal(random_), 0.0, 1.0);
    item.quality = 1.2 * (rank - 0.5) + 0.8 * grid_normal(random_);
    item.price_minor = price_at(category, item.price_band);
    item.style = series_styles_[static_cast<size_t>(item.series_index)];
    for (double& value : item.style) value += 0.25 * grid_normal(random_);
    item.style = normalised(item.style);
    item.description = description_of(item, noun, words.purpose);
    return item;
  }

  TimeMs created_time(TimeMs start, TimeMs end) {
    const bool arrives_later = random_.chance(0.25);
    const double share = random_.uniform();
    return arrives_later ? start + static_cast<TimeMs>(share * static_cast<double>(end - start))
                         : start - static_cast<TimeMs>(share * kYearDays * kDayMs) - 1;
  }

  Assortment& assortment_;
  int32_t category_;
  const std::vector<Style>& series_styles_;
  Random& random_;
};

}  // namespace

double dot(const Style& a, const Style& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

double grid_normal(Random& random) { return std::round(random.normal() * 0x1p20) * 0x1p-20; }

double ShopCategory::season_at(TimeMs time) const {
  const double year_share = std::fmod(static_cast<double>(time) / kDayMs / kYearDays, 1.0);  // 1970 began a year
  return 1 + season_strength * std::cos(2 * kPi * (year_share - (season_peak - 0.5) / 12));
}

Assortment make_assortment(int items, TimeMs start, TimeMs end, Random& random) {
  PERENNIAL_CHECK(items >= kFewestItems && items <= kMostItems, "{} items", items);
  Assortment assortment;
  assortment.brands = kInterests * kBrandsOfInterest;
  assortment.series = kInterests * kSeriesOfInterest;
  for (const CategoryWords& words : category_words()) assortment.categories.push_back(category_of(words));
  assortment.items_of.resize(assortment.categories.size());
  std::vector<Style> series_styles;
  for (int32_t series = 0; series < assortment.series; ++series) series_styles.push_back(random_style(random));
  const std::vector<int> sizes = category_sizes(assortment.categories, items);
  for (size_t category = 0; category < sizes.size(); ++category)
    CategoryStock(assortment, static_cast<int32_t>(category), series_styles, random).fill(sizes[category], start, end);
  return assortment;
}

}  // namespace perennial
