// The shop's events as messages of Segment's spec, its items and its truth as JSON lines. Prices are decimals of
// exactly two digits. Covered by shop_test.cc.
#pragma once

#include <string>
#include <vector>

#include "simulator/shop.h"

namespace perennial {

/// Each line ends without a newline.
class ShopMessages {
 public:
  explicit ShopMessages(const ShopHistory& history);

  [[nodiscard]] std::string event_line(const ShopEvent& event) const;
  [[nodiscard]] std::string item_line(int32_t item) const;
  [[nodiscard]] std::string item_truth_line(int32_t item) const;
  [[nodiscard]] std::string user_truth_line(int32_t user) const;
  [[nodiscard]] std::string campaign_truth_line(const ShopCampaign& campaign) const;

 private:
  [[nodiscard]] std::string body_of(const ShopEvent& event) const;
  [[nodiscard]] std::string order_properties(const ShopOrder& order, int32_t number) const;
  [[nodiscard]] std::string traits_of(const ShopUser& user, int32_t index, bool club) const;

  const ShopHistory& history_;
  std::vector<std::string> products_;  // by item: the fields of a product in an event, without braces
};

}  // namespace perennial
