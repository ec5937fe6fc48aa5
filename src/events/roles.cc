#include "events/roles.h"

#include <algorithm>
#include <array>

namespace perennial {
namespace {

constexpr EventRole kBehaviour = {.token = true, .target = true};
constexpr EventRole kBought = {.token = true, .target = true, .value = true};
constexpr EventRole kIntent = {.token = true};
constexpr EventRole kAgainst = {.negative = true};
constexpr EventRole kReversed = {.value = true, .negative = true};
constexpr EventRole kIncome = {.value = true};
constexpr EventRole kIgnored = {};

struct Default {
  const char* type;
  EventRole role;
};

constexpr Default kDefaults[] = {
    {"order completed", kBought},
    {"purchase", kBought},
    {"buy", kBought},
    {"transaction", kBought},
    {"order refunded", kReversed},
    {"order cancelled", kIncome},  // of money only: the item may have been out of stock
    {"refund", kReversed},
    {"refunded", kReversed},
    {"return", kReversed},
    {"returned", kReversed},
    {"dislike", kAgainst},
    {"thumbs down", kAgainst},
    {"not interested", kAgainst},
    {"hide", kAgainst},
    {"product viewed", kBehaviour},
    {"product clicked", kBehaviour},
    {"product added", kBehaviour},
    {"product added to wishlist", kBehaviour},
    {"wishlist product added to cart", kBehaviour},
    {"product shared", kBehaviour},
    {"product reviewed", kBehaviour},
    {"promotion clicked", kBehaviour},
    {"video playback started", kBehaviour},
    {"video playback completed", kBehaviour},
    {"video content started", kBehaviour},
    {"video content completed", kBehaviour},
    {"rating", kBehaviour},
    {"review", kBehaviour},
    {"view", kBehaviour},
    {"click", kBehaviour},
    {"like", kBehaviour},
    {"play", kBehaviour},
    {"listen", kBehaviour},
    {"interaction", kBehaviour},
    {"view item", kBehaviour},
    {"select item", kBehaviour},
    {"add to cart", kBehaviour},
    {"add to wishlist", kBehaviour},
    {"checkout started", kIntent},
    {"begin checkout", kIntent},
    {"subscription started", kIncome},
    {"subscription renewed", kIncome},
    {"subscription upgraded", kIncome},
    {"subscription downgraded", kIncome},
    {"trial converted", kIncome},
    {"payment succeeded", kIncome},
    {"invoice paid", kIncome},
    {"signed up", kIgnored},
    {"signed in", kIgnored},
    {"signed out", kIgnored},
    {"account created", kIgnored},
    {"account deleted", kIgnored},
    {"account added user", kIgnored},
    {"account removed user", kIgnored},
    {"invite sent", kIgnored},
    {"trial started", kIgnored},
    {"trial ended", kIgnored},
    {"subscription cancelled", kIgnored},
    {"subscription paused", kIgnored},
    {"product removed", kIgnored},  // from a cart: not yet a word against it
    {"product removed from wishlist", kIgnored},
    {"remove from cart", kIgnored},
    {"products searched", kIgnored},
    {"product list viewed", kIgnored},
    {"product list filtered", kIgnored},
    {"promotion viewed", kIgnored},
    {"cart viewed", kIgnored},
    {"cart shared", kIgnored},
    {"checkout step viewed", kIgnored},
    {"checkout step completed", kIgnored},
    {"payment info entered", kIgnored},
    {"order updated", kIgnored},
    {"coupon entered", kIgnored},
    {"coupon applied", kIgnored},
    {"coupon denied", kIgnored},
    {"coupon removed", kIgnored},
    {"impression", kIgnored},
    {"impressions", kIgnored},
    {"page", kIgnored},
    {"page viewed", kIgnored},
    {"page view", kIgnored},
    {"screen", kIgnored},
    {"screen viewed", kIgnored},
    {"screen view", kIgnored},
    {"view item list", kIgnored},
    {"view cart", kIgnored},
    {"view promotion", kIgnored},
    {"search", kIgnored},
    {"login", kIgnored},
    {"sign up", kIgnored},
    {"session start", kIgnored},
    {"session end", kIgnored},
    {"user engagement", kIgnored},
    {"scroll", kIgnored},
    {"experiment viewed", kIgnored},
    {"unsubscribed", kIgnored},
    {"install attributed", kIgnored},
    {"deep link clicked", kIgnored},
    {"deep link opened", kIgnored},
    {"video playback paused", kIgnored},
    {"video playback resumed", kIgnored},
    {"video playback interrupted", kIgnored},
    {"video playback exited", kIgnored},
    {"video playback buffer started", kIgnored},
    {"video playback buffer completed", kIgnored},
    {"video playback seek started", kIgnored},
    {"video playback seek completed", kIgnored},
    {"video content playing", kIgnored},
    {"video quality updated", kIgnored},
};

/// Families of messages and of an application's life, each with many types that say nothing of an item.
constexpr std::array<std::string_view, 6> kIgnoredFamilies = {"email ",          "push notification ", "sms ",
                                                              "in app message ", "application ",       "video ad "};

constexpr std::array<std::string_view, 6> kRefundTypes = {"order refunded", "order cancelled", "refund",
                                                          "refunded",       "return",          "returned"};

Status add_word(std::string_view word, EventRole& role) {
  if (word == "token") return role.token = true, Status();
  if (word == "target") return role.token = role.target = true, Status();
  if (word == "value") return role.value = true, Status();
  if (word == "negative") return role.negative = true, Status();
  return invalid_argument("unknown role '{:.40}': want words of token, target, value, negative, or only ignored", word);
}

std::string role_words(const EventRole& role) {
  std::string words;
  const auto add = [&](bool flag, const char* word) {
    if (flag) words.append(words.empty() ? "" : " ").append(word);
  };
  add(role.token, "token");
  add(role.target, "target");
  add(role.value, "value");
  add(role.negative, "negative");
  return words.empty() ? "ignored" : words;
}

}  // namespace

EventRoles::EventRoles() {
  for (const Default& entry : kDefaults) roles_.emplace(entry.type, entry.role);
}

Status EventRoles::set(const std::string& type, std::string_view text) {
  if (type.empty()) return invalid_argument("a role needs the event type it is for");
  constexpr std::string_view kBetween = " \t,";
  EventRole role;
  bool ignored = false;
  size_t words = 0;
  for (size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos;
       at = text.find_first_not_of(kBetween, at)) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (word == "ignored")
      ignored = true;
    else
      PERENNIAL_TRY(add_word(word, role).with_context(fmt::format("role of '{}'", type)));
    ++words;
    at = end;
  }
  if (words == 0) return invalid_argument("role of '{}' is empty: write ignored for no role", type);
  if (ignored && words > 1) return invalid_argument("role of '{}': ignored stands alone, got '{:.80}'", type, text);
  roles_.insert_or_assign(comparable_type(type), role);
  return {};
}

EventRole EventRoles::role_of(std::string_view type) const {
  const std::string name = comparable_type(type);
  if (const auto found = roles_.find(name); found != roles_.end()) return found->second;
  const auto begins_name = [&](std::string_view family) { return name.starts_with(family); };
  return std::any_of(kIgnoredFamilies.begin(), kIgnoredFamilies.end(), begins_name) ? kIgnored : kBehaviour;
}

std::string EventRoles::fingerprint() const {
  std::string text;
  for (const auto& [type, role] : roles_) text += fmt::format("{}={};", type, role_words(role));
  return text;
}

std::string comparable_type(std::string_view type) {
  std::string name(type);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_' || c == '-') c = ' ';
  }
  return name;
}

bool is_refund_type(std::string_view type) {
  return std::find(kRefundTypes.begin(), kRefundTypes.end(), comparable_type(type)) != kRefundTypes.end();
}

}  // namespace perennial
