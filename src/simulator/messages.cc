#include "simulator/messages.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace perennial {
namespace {

std::string as_json(std::string_view text) { return json::serialize(json::string(text)); }

std::string decimal(int64_t minor) { return fmt::format("{}.{:02}", minor / 100, minor % 100); }

template <size_t N>
std::string numbers(const std::array<double, N>& values) {
  std::string text = "[";
  for (const double value : values) text += fmt::format("{}{:.6f}", text.size() > 1 ? "," : "", value);
  return text + "]";
}

const char* upkeep_name(Upkeep upkeep) {
  switch (upkeep) {
    case Upkeep::durable:
      return "durable";
    case Upkeep::collectable:
      return "collectable";
    case Upkeep::consumable:
      return "consumable";
  }
  return "unknown";
}

/// The first name in lower case, and the number: unique and of a domain that nobody owns.
std::string email_of(const ShopUser& user, int32_t index) {
  std::string first = user.name.substr(0, user.name.find(' '));
  std::transform(first.begin(), first.end(), first.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return fmt::format("{}{}@example.com", first, index + 1);
}

std::string track(std::string_view event, std::string_view properties) {
  return fmt::format(R"("type":"track","event":"{}","properties":{{{}}})", event, properties);
}

std::string by_action(const std::array<double, kShopActions>& values) {
  std::string text;
  for (size_t i = 0; i < kShopActions; ++i)
    text += fmt::format(R"({}"{}":{:.6f})", text.empty() ? "" : ",", kShopActionNames[i], values[i]);
  return "{" + text + "}";
}

std::string action_properties(const ShopCampaign& campaign) {
  constexpr std::array<const char*, kShopActions> kChannels = {"", "email", "email", "push"};
  const auto drawn = static_cast<size_t>(campaign.drawn);
  return fmt::format(R"("action":"{}","channel":"{}","propensity":{:.6f},"chances":{})", kShopActionNames[drawn],
                     kChannels[drawn], campaign.chances[drawn], by_action(campaign.chances));
}

}  // namespace

std::string shop_user_id(int32_t user) { return fmt::format("u{:05}", user + 1); }

std::string shop_anonymous_id(int32_t user, bool mobile) {
  return fmt::format("anon-{}-{:05}", mobile ? "m" : "d", user + 1);
}

const char* stage_name(ShopStage stage) {
  switch (stage) {
    case ShopStage::acquired:
      return "acquired";
    case ShopStage::activated:
      return "activated";
    case ShopStage::repeat:
      return "repeat";
    case ShopStage::upgraded:
      return "upgraded";
    case ShopStage::referrer:
      return "referrer";
    case ShopStage::drifting:
      return "drifting";
    case ShopStage::recovered:
      return "recovered";
    case ShopStage::churned:
      return "churned";
  }
  return "unknown";
}

ShopMessages::ShopMessages(const ShopHistory& history) : history_(history) {
  for (const ShopItem& item : history.assortment.items)
    products_.push_back(fmt::format(R"("product_id":"{}","name":{},"category":{},"brand":{},"price":{})", item.id,
                                    as_json(item.title),
                                    as_json(history.assortment.categories[static_cast<size_t>(item.category)].name),
                                    as_json(item.brand), decimal(item.price_minor)));
}

std::string ShopMessages::order_properties(const ShopOrder& order, int32_t number) const {
  std::string lines;
  for (const OrderLine& line : order.lines)
    lines += fmt::format(R"({}{{{},"quantity":{}}})", lines.empty() ? "" : ",",
                         products_[static_cast<size_t>(line.item)], line.quantity);
  return fmt::format(R"("order_id":"O{:06}","total":{},"revenue":{},"currency":"{}","products":[{}])", number + 1,
                     decimal(order.total_minor), decimal(order.total_minor), history_.options.currency, lines);
}

std::string ShopMessages::traits_of(const ShopUser& user, int32_t index, bool club) const {
  return fmt::format(R"({{"name":{},"email":"{}","country":"{}","newsletter":{},"plan":"{}"}})", as_json(user.name),
                     email_of(user, index), user.country, user.newsletter, club ? "club" : "free");
}

std::string ShopMessages::body_of(const ShopEvent& event) const {
  const ShopUser& user = history_.users[static_cast<size_t>(event.user)];
  const std::string currency = fmt::format(R"(,"currency":"{}")", history_.options.currency);
  const std::string product = event.item >= 0 ? products_[static_cast<size_t>(event.item)] : "";
  switch (event.kind) {
    case ShopEventKind::identified:
      return fmt::format(R"("type":"identify","traits":{})",
                         traits_of(user, event.user, (event.detail & kIdentifyClub) != 0));
    case ShopEventKind::aliased:
      return fmt::format(R"("type":"alias","previousId":"{}")", shop_anonymous_id(event.user, event.mobile));
    case ShopEventKind::signed_up:
      return user.invited_by < 0 ? track("Signed Up", R"("method":"email")")
                                 : track("Signed Up", fmt::format(R"("method":"referral","referred_by":"{}")",
                                                                  shop_user_id(user.invited_by)));
    case ShopEventKind::signed_in:
      return track("Signed In", R"("method":"email")");
    case ShopEventKind::viewed:
      return track("Product Viewed", product + currency);
    case ShopEventKind::added:
      return track("Product Added", product + currency + R"(,"quantity":1)");
    case ShopEventKind::ordered:
      return track("Order Completed",
                   order_properties(history_.orders[static_cast<size_t>(event.detail)], event.detail));
    case ShopEventKind::reviewed:
      return track("Product Reviewed", fmt::format(R"({},"rating":{})", product + currency, event.detail));
    case ShopEventKind::invited:
      return track("Invite Sent", R"("method":"email")");
    case ShopEventKind::upgraded:
      return track("Subscription Upgraded",
                   R"("plan":"club","previous_plan":"free","price":49.00,"revenue":49.00)" + currency);
    case ShopEventKind::acted:
      return track("Action Given", action_properties(history_.campaigns[static_cast<size_t>(event.detail)]));
  }
  return {};
}

std::string ShopMessages::event_line(const ShopEvent& event) const {
  const bool alias_or_identify = event.kind == ShopEventKind::aliased || event.kind == ShopEventKind::identified;
  const bool device_named = event.kind == ShopEventKind::identified && (event.detail & kIdentifyDevice) != 0;
  std::string who;
  if (!event.anonymous || alias_or_identify) who += fmt::format(R"("userId":"{}",)", shop_user_id(event.user));
  if ((event.anonymous && !alias_or_identify) || device_named)
    who += fmt::format(R"("anonymousId":"{}",)", shop_anonymous_id(event.user, event.mobile));
  return fmt::format(
      R"({{"messageId":"shop-{}-{:05}-{:05}",{}{},"context":{{"device":{{"type":"{}"}}}},"timestamp":"{}"}})",
      history_.options.seed, event.user + 1, event.sequence, who, body_of(event), event.mobile ? "mobile" : "desktop",
      format_iso8601(event.time));
}

std::string ShopMessages::item_line(int32_t index) const {
  const ShopItem& item = history_.assortment.items[static_cast<size_t>(index)];
  const ShopCategory& category = history_.assortment.categories[static_cast<size_t>(item.category)];
  return fmt::format(
      R"({{"item_id":"{}","title":{},"category":[{},{}],"brand":{},"price":{},"currency":"{}","description":{},"created_at":"{}"}})",
      item.id, as_json(item.title), as_json(category.interest), as_json(category.name), as_json(item.brand),
      decimal(item.price_minor), history_.options.currency, as_json(item.description), format_iso8601(item.created));
}

std::string ShopMessages::item_truth_line(int32_t index) const {
  const ShopItem& item = history_.assortment.items[static_cast<size_t>(index)];
  const ShopCategory& category = history_.assortment.categories[static_cast<size_t>(item.category)];
  return fmt::format(
      R"({{"kind":"item","item_id":"{}","category":{},"upkeep":"{}","lasts_days":{},"series":{},"style":{},"quality":{:.6f},"attraction":{:.6f},"price_band":{:.6f}}})",
      item.id, as_json(category.name), upkeep_name(category.upkeep), category.lasts_days, item.series_index,
      numbers(item.style), item.quality, item.attraction, item.price_band);
}

std::string ShopMessages::campaign_truth_line(const ShopCampaign& campaign) const {
  return fmt::format(R"({{"kind":"campaign","user_id":"{}","time":"{}","drawn":"{}","will_order":{}}})",
                     shop_user_id(campaign.user), format_iso8601(campaign.time),
                     kShopActionNames[static_cast<size_t>(campaign.drawn)], by_action(campaign.will_order));
}

std::string ShopMessages::user_truth_line(int32_t index) const {
  const ShopUser& user = history_.users[static_cast<size_t>(index)];
  std::string stages;
  for (const StageChange& change : user.stages)
    stages += fmt::format(R"({}{{"stage":"{}","time":"{}"}})", stages.empty() ? "" : ",", stage_name(change.stage),
                          format_iso8601(change.time));
  std::string invited;
  for (const int32_t guest : user.invited)
    invited += fmt::format(R"({}"{}")", invited.empty() ? "" : ",", shop_user_id(guest));
  const std::string name = user.signed_up ? shop_user_id(index) : shop_anonymous_id(index, user.on_mobile);
  const std::string inviter = user.invited_by < 0 ? "null" : as_json(shop_user_id(user.invited_by));
  return fmt::format(
      R"({{"kind":"user","user_id":"{}","signed_up":{},"arrived":"{}","stages":[{}],"orders":{},"revenue":{},"item_events":{},)"
      R"("sessions_per_week":{:.6f},"buys_per_session":{:.6f},"leaves_per_session":{:.6f},"interests":{},"last_interests":{},"style":{},)"
      R"("price_band":{:.6f},"invited_by":{},"invited":[{}]}})",
      name, user.signed_up, format_iso8601(user.arrived), stages, user.orders, decimal(user.revenue_minor),
      user.item_events, user.sessions_per_week, user.buys_per_session, user.leaves_per_session,
      numbers(user.taste.interests), numbers(user.last_interests), numbers(user.taste.style), user.taste.price_band,
      inviter, invited);
}

}  // namespace perennial
