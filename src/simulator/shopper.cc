#include "simulator/shopper.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kNever = std::numeric_limits<TimeMs>::min();
constexpr int64_t kPullFrom = 8;  // item events after a purchase, in which its complements pull
constexpr int64_t kPullTo = 40;
constexpr int64_t kBasketMemory = 25;
constexpr double kWander = 0.18;  // chance that a view leaves the session's category

}  // namespace

size_t draw(std::span<const double> weights, Random& random) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  PERENNIAL_CHECK(total > 0, "nothing to draw from");
  double left = random.uniform() * total;
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    left -= weights[i];
    if (left < 0) break;
  }
  return last;
}

Shopper::Shopper(const Assortment& assortment, const Taste& taste)
    : assortment_(assortment),
      taste_(taste),
      appeal_(assortment.items.size()),
      last_seen_(assortment.items.size()),
      bought_(assortment.items.size()),
      category_owned_(assortment.categories.size(), kNever),
      brand_loyalty_(static_cast<size_t>(assortment.brands)) {
  for (size_t i = 0; i < appeal_.size(); ++i)
    appeal_[i] = 2.6 * dot(taste.style, assortment.items[i].style) + 0.3 * assortment.items[i].quality;
}

void Shopper::drift(Random& random) {
  double sum = 0;
  for (double& interest : taste_.interests) sum += interest *= std::exp(0.25 * grid_normal(random));
  if (random.chance(0.1)) {
    double& risen = taste_.interests[random.below(kInterests)];
    sum += 0.3 * sum;
    risen += 0.3 / 1.3 * sum;
  }
  for (double& interest : taste_.interests) interest = std::round(interest / sum * 0x1p30) * 0x1p-30;
}

void Shopper::begin_session(TimeMs now, Random& random) {
  category_ = previous_ = -1;
  session_start_event_ = item_events_;
  session_band_ = taste_.price_band + 0.12 * grid_normal(random);
  std::erase_if(pulls_, [this](const Pull& pull) { return pull.to_event < item_events_; });
  std::erase_if(refills_, [now](const Refill& refill) { return refill.due + 40 * kDay < now; });
}

const ShopCategory& Shopper::category_of(int32_t item) const {
  return assortment_.categories[static_cast<size_t>(assortment_.items[static_cast<size_t>(item)].category)];
}

bool Shopper::needs_refill(TimeMs now) const {
  return std::any_of(refills_.begin(), refills_.end(), [now](const Refill& refill) { return refill.due <= now; });
}

std::vector<double> Shopper::goal_weights(TimeMs now) const {
  std::vector<double> weights(assortment_.categories.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const ShopCategory& category = assortment_.categories[i];
    const bool owned = category.upkeep == Upkeep::durable && category_owned_[i] != kNever;
    weights[i] = taste_.interests[static_cast<size_t>(category.interest_index)] * category.share *
                 category.season_at(now) * (owned ? 0.07 : 1);
  }
  for (const Pull& pull : pulls_) {
    const auto at = static_cast<size_t>(pull.category);
    const bool owned = assortment_.categories[at].upkeep == Upkeep::durable && category_owned_[at] != kNever;
    if (!owned && item_events_ >= pull.from_event && item_events_ <= pull.to_event) weights[at] += 0.5 * pull.strength;
  }
  for (const Refill& refill : refills_) {
    // Just bought is not wanted; run out is wanted much.
    if (refill.due <= now)
      weights[static_cast<size_t>(refill.category)] += 1.2;
    else
      weights[static_cast<size_t>(refill.category)] *= 0.25;
  }
  return weights;
}

/// Whether the category has an item yet.
bool Shopper::sells(size_t category, TimeMs now) const {
  const auto exists = [&](int32_t item) { return assortment_.items[static_cast<size_t>(item)].created <= now; };
  return std::any_of(assortment_.items_of[category].begin(), assortment_.items_of[category].end(), exists);
}

/// Of the next view: the session's category, or wherever the mind wanders.
std::vector<double> Shopper::category_weights(TimeMs now) const {
  std::vector<double> weights = goal_weights(now);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!sells(i, now)) weights[i] = 0;
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight *= (category_ < 0 ? 1 : kWander) / total;
  if (category_ >= 0) weights[static_cast<size_t>(category_)] += 1 - kWander;
  return weights;
}

double Shopper::liking(int32_t id) const {
  const ShopItem& item = assortment_.items[static_cast<size_t>(id)];
  const double band_gap = item.price_band - session_band_;
  return appeal_[static_cast<size_t>(id)] - 6.0 * band_gap * band_gap +
         brand_loyalty_[static_cast<size_t>(item.brand_index)];
}

double Shopper::utility(int32_t id, TimeMs now) const {
  const ShopItem& item = assortment_.items[static_cast<size_t>(id)];
  double sum = item.attraction + liking(id) + (now - item.created < 30 * kDay ? 0.6 : 0);
  if (previous_ >= 0) {
    const ShopItem& previous = assortment_.items[static_cast<size_t>(previous_)];
    sum += 0.5 * dot(previous.style, item.style);
    if (previous.series_index == item.series_index) sum += 0.5;
  }
  double pulled = 0;
  for (const Pull& pull : pulls_)
    if (pull.category == item.category && pull.series == item.series_index) pulled = 1.6;
  sum += pulled;
  const int64_t seen = last_seen_[static_cast<size_t>(id)];
  if (bought_[static_cast<size_t>(id)]) {
    const Upkeep upkeep = category_of(id).upkeep;
    sum += upkeep == Upkeep::consumable ? 2.5 : upkeep == Upkeep::durable ? -5.0 : -1.0;
  } else if (seen > 0 && seen <= session_start_event_) {
    sum += 0.6;  // still thinking about it
  }
  if (seen > session_start_event_) sum -= 4.0;  // looked at a minute ago
  return sum;
}

std::vector<double> Shopper::item_weights(int32_t category, TimeMs now) const {
  const std::vector<int32_t>& items = assortment_.items_of[static_cast<size_t>(category)];
  std::vector<double> weights(items.size());
  for (size_t i = 0; i < items.size(); ++i)
    if (assortment_.items[static_cast<size_t>(items[i])].created <= now) weights[i] = std::exp(utility(items[i], now));
  return weights;
}

/// Chance that a session opens with the basket that was left standing.
double Shopper::basket_chance() const {
  return category_ < 0 && basket_item_ >= 0 && item_events_ - basket_event_ <= kBasketMemory ? 0.5 : 0;
}

void Shopper::write_distribution(const std::vector<double>& weights, TimeMs now,
                                 std::vector<double>& probabilities) const {
  std::fill(probabilities.begin(), probabilities.end(), 0.0);
  for (size_t category = 0; category < weights.size(); ++category) {
    if (weights[category] <= 0) continue;
    const std::vector<double> of_items = item_weights(static_cast<int32_t>(category), now);
    const double total = std::accumulate(of_items.begin(), of_items.end(), 0.0);
    for (size_t i = 0; i < of_items.size(); ++i)
      probabilities[static_cast<size_t>(assortment_.items_of[category][i])] =
          (1 - basket_chance()) * weights[category] * of_items[i] / total;
  }
  if (basket_chance() > 0) probabilities[static_cast<size_t>(basket_item_)] += basket_chance();
}

void Shopper::look_chances(TimeMs now, std::vector<double>& probabilities) const {
  probabilities.resize(assortment_.items.size());
  write_distribution(category_weights(now), now, probabilities);
}

int32_t Shopper::choose_view(TimeMs now, Random& random, std::vector<double>* probabilities) {
  const std::vector<double> weights = category_weights(now);
  if (probabilities != nullptr) write_distribution(weights, now, *probabilities);
  if (random.chance(basket_chance())) {
    category_ = assortment_.items[static_cast<size_t>(basket_item_)].category;
    return basket_item_;
  }
  category_ = static_cast<int32_t>(draw(weights, random));
  const size_t choice = draw(item_weights(category_, now), random);
  return assortment_.items_of[static_cast<size_t>(category_)][choice];
}

bool Shopper::turn_to_complement(int32_t item, TimeMs now, Random& random) {
  std::vector<double> strengths;
  double total = 0;
  for (const Complement& complement : category_of(item).complements) {
    const auto at = static_cast<size_t>(complement.category);
    const bool owned = assortment_.categories[at].upkeep == Upkeep::durable && category_owned_[at] != kNever;
    strengths.push_back(owned || !sells(at, now) ? 0 : complement.strength);
    total += strengths.back();
  }
  if (total <= 0) return false;
  category_ = category_of(item).complements[draw(strengths, random)].category;
  return true;
}

void Shopper::saw(int32_t item) {
  last_seen_[static_cast<size_t>(item)] = ++item_events_;
  previous_ = item;
}

void Shopper::bought(int32_t item, int quantity, TimeMs now, Random& random) {
  ++item_events_;
  const ShopItem& it = assortment_.items[static_cast<size_t>(item)];
  const ShopCategory& category = category_of(item);
  bought_[static_cast<size_t>(item)] = true;
  category_owned_[static_cast<size_t>(it.category)] = now;
  brand_loyalty_[static_cast<size_t>(it.brand_index)] += 0.3;
  if (basket_item_ == item) basket_item_ = -1;
  std::erase_if(pulls_, [&](const Pull& pull) { return pull.category == it.category; });
  for (const Complement& complement : category.complements)
    pulls_.push_back(
        {complement.category, it.series_index, complement.strength, item_events_ + kPullFrom, item_events_ + kPullTo});
  if (category.upkeep != Upkeep::consumable) return;
  const double days = category.lasts_days * quantity * (0.8 + 0.4 * random.uniform());
  std::erase_if(refills_, [&](const Refill& refill) { return refill.category == it.category; });
  refills_.push_back({it.category, now + static_cast<TimeMs>(days * static_cast<double>(kDay))});
}

void Shopper::reviewed(int32_t item, int rating) {
  ++item_events_;
  double& loyalty = brand_loyalty_[static_cast<size_t>(assortment_.items[static_cast<size_t>(item)].brand_index)];
  loyalty = std::clamp(loyalty + 0.3 * (rating - 3), -2.0, 2.0);
}

}  // namespace perennial
