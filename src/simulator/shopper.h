// How one simulated shopper chooses what to look at next, as a distribution over all items that can be written down
// exactly. It depends on hidden taste and on the whole past: the item just seen, what is owned, complements of things
// bought 8 to 40 item events ago, brands that pleased, a basket left standing, consumables that run out, and the
// season.
#pragma once

#include <span>
#include <vector>

#include "simulator/assortment.h"

namespace perennial {

/// What is hidden from every model and stays with the shopper, interests aside, which drift.
struct Taste {
  std::array<double, kInterests> interests{};  // sum 1
  Style style{};
  double price_band = 0.5;  // of the category's range, the place liked best
};

class Shopper {
 public:
  Shopper(const Assortment& assortment, const Taste& taste);

  [[nodiscard]] const Taste& taste() const { return taste_; }

  /// A month's drift: interests wander, and now and then a new one comes up.
  void drift(Random& random);

  void begin_session(TimeMs now, Random& random);

  /// Draws the next item to look at. With `probabilities` (items) overwrites them with the distribution it drew from.
  int32_t choose_view(TimeMs now, Random& random, std::vector<double>* probabilities);

  /// The distribution that the next look would be drawn from.
  void look_chances(TimeMs now, std::vector<double>& probabilities) const;

  /// Turns to the category that goes with what was just put into the basket. False when nothing goes with it.
  bool turn_to_complement(int32_t item, TimeMs now, Random& random);

  void saw(int32_t item);
  void put_in_basket(int32_t item) { basket_item_ = item, basket_event_ = ++item_events_; }
  void bought(int32_t item, int quantity, TimeMs now, Random& random);
  void reviewed(int32_t item, int rating);

  /// How much the shopper likes an item in this session, on the scale of the choice's logits, its popularity left out.
  [[nodiscard]] double liking(int32_t item) const;

  /// Whether something in the house has run out.
  [[nodiscard]] bool needs_refill(TimeMs now) const;

 private:
  struct Refill {
    int32_t category;
    TimeMs due;
  };
  struct Pull {  // of a purchase on what completes it
    int32_t category;
    int32_t series;
    double strength;
    int64_t from_event;
    int64_t to_event;
  };

  [[nodiscard]] std::vector<double> goal_weights(TimeMs now) const;
  [[nodiscard]] bool sells(size_t category, TimeMs now) const;
  [[nodiscard]] std::vector<double> category_weights(TimeMs now) const;
  [[nodiscard]] double utility(int32_t item, TimeMs now) const;
  [[nodiscard]] std::vector<double> item_weights(int32_t category, TimeMs now) const;
  [[nodiscard]] double basket_chance() const;
  void write_distribution(const std::vector<double>& weights, TimeMs now, std::vector<double>& probabilities) const;
  [[nodiscard]] const ShopCategory& category_of(int32_t item) const;

  const Assortment& assortment_;
  Taste taste_;
  int64_t item_events_ = 0;
  std::vector<double> appeal_;          // by item: what never changes of its utility
  std::vector<int64_t> last_seen_;      // by item: event number, 0 never
  std::vector<bool> bought_;            // by item
  std::vector<TimeMs> category_owned_;  // by category: last purchase, or the lowest
  std::vector<double> brand_loyalty_;
  std::vector<Refill> refills_;  // at most one a category
  std::vector<Pull> pulls_;
  int32_t basket_item_ = -1;  // left in the basket, not ordered
  int64_t basket_event_ = 0;
  int32_t category_ = -1;  // of this session's goal; -1 before the first view
  int32_t previous_ = -1;  // last item seen in this session
  int64_t session_start_event_ = 0;
  double session_band_ = 0.5;
};

/// Index drawn in proportion to the weights, which are not all zero.
size_t draw(std::span<const double> weights, Random& random);

}  // namespace perennial
