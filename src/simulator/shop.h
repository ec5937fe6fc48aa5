// A small web shop for the outdoors and the home, with shoppers whose hidden truth is known: for the demo, and to test
// models of behaviour and lifecycle against what they should find. Same options, same bytes: all randomness is
// base/random.h, each shopper has a source of its own, and nothing depends on time, threads or the machine.
// (exp, log and cos come from the system; that their last bit changes a draw has a chance of about 1e-9 a shop.)
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "base/files.h"
#include "simulator/assortment.h"
#include "simulator/shopper.h"

namespace perennial {

/// What a campaign may do for a visitor, and what that does for two weeks:
/// voucher: those who never ordered, or drift away, buy at more of their visits; others would have bought anyway.
/// letter: who ordered twice or more comes more often, others less.
/// nag: who drifts away comes more often, all others much less.
inline constexpr size_t kShopActions = 4;
inline constexpr std::array<const char*, kShopActions> kShopActionNames = {"nothing", "voucher", "letter", "nag"};

/// Done for a visitor by somebody else than the shop: it works from the next opening on. All that happened before is as
/// in a shop in which it was not done.
struct GivenAction {
  int32_t user = 0;
  TimeMs time = 0;
  int32_t action = 0;  // index in kShopActionNames
};

struct ShopOptions {
  int users = 3000;  // visitors, of whom about four in five sign up; 1 to 200,000
  int items = 1000;  // kFewestItems to kMostItems
  int months = 8;    // 1 to 60
  uint64_t seed = 42;
  std::string start = "2025-01-01";  // the first day of a month, 2000 to 2090
  std::string currency = "EUR";      // of two minor digits
  bool campaigns = false;            // every two weeks an action is drawn for each who has signed up
  int campaign_months = 0;           // the first so many; 0: all
  std::vector<GivenAction> given;    // after the campaigns' months, of which there must be some; in any order
  double item_effects = 0;           // spread of ShopItem::brings_back and ::told, 0 to 1; 0: items do not differ in it
};

enum class ShopEventKind : uint8_t {
  identified,
  aliased,
  signed_up,
  signed_in,
  viewed,
  added,
  ordered,
  reviewed,
  invited,
  upgraded,
  acted
};

struct ShopEvent {
  TimeMs time = 0;
  int32_t user = 0;
  int32_t sequence = 0;  // of the user's events, from 0, rising with time
  int32_t item = -1;     // viewed, added, reviewed
  int32_t detail =
      -1;  // ordered, acted: index in the ShopHistory's; reviewed: rating; identified: sum of kIdentify flags
  ShopEventKind kind = ShopEventKind::viewed;
  bool mobile = false;
  bool anonymous = false;  // the message has no userId
};

inline constexpr int32_t kIdentifyDevice = 1;  // the message carries the device's anonymousId
inline constexpr int32_t kIdentifyClub = 2;    // the plan trait is "club"

struct OrderLine {
  int32_t item = 0;
  int32_t quantity = 1;
};

struct ShopOrder {
  int32_t user = 0;
  std::vector<OrderLine> lines;
  int64_t total_minor = 0;
};

struct ShopCampaign {
  int32_t user = 0;
  TimeMs time = 0;
  int32_t drawn = 0;                              // index in kShopActionNames
  std::array<double, kShopActions> chances{};     // of being drawn
  std::array<double, kShopActions> will_order{};  // the truth: chance of an order within two weeks under each
};

/// acquired: signed up. activated: first order. repeat: second. upgraded: subscribed. referrer: first invitation sent.
/// drifting: comes a quarter as often, and will leave or recover. churned: never comes again.
enum class ShopStage : uint8_t { acquired, activated, repeat, upgraded, referrer, drifting, recovered, churned };
const char* stage_name(ShopStage stage);

struct StageChange {
  ShopStage stage;
  TimeMs time;
};

/// The hidden truth of one visitor. What is not said to change is fixed for life.
struct ShopUser {
  Taste taste;                                    // at arrival
  std::array<double, kInterests> last_interests;  // at the end
  double sessions_per_week = 1;                   // while active
  double buys_per_session = 0.1;                  // chance that a session ends in an order; more when something ran out
  double leaves_per_session = 0.05;               // chance that a session is followed by drifting away
  bool on_mobile = false;                         // the first device
  bool second_device = false;
  bool newsletter = false;  // a trait; comes 15 % more often
  std::string name;
  std::string country;
  TimeMs arrived = 0;
  bool signed_up = false;  // otherwise an anonymous visitor for ever
  int32_t invited_by = -1;
  std::vector<int32_t> invited;     // who came by this user's invitation
  std::vector<StageChange> stages;  // in time order
  int32_t orders = 0;
  int64_t revenue_minor = 0;  // orders and subscription
  int64_t item_events = 0;    // viewed, added, order lines, reviews
};

struct ShopHistory {
  ShopOptions options;
  std::vector<TimeMs> month_starts;  // months + 1
  Assortment assortment;
  std::vector<ShopUser> users;
  std::vector<ShopOrder> orders;  // by time
  std::vector<ShopCampaign> campaigns;
  std::vector<ShopEvent> events;  // by time, then user, then sequence
};

/// What is told of visits while they are made. `see` is called for looks at an item with the distribution the item was
/// drawn from, over all items: each user's looks in their order, users one after the other. Observing changes nothing,
/// but a distribution costs a hundred times its draw.
struct ChoiceObserver {
  std::function<void(int32_t user, const std::vector<double>& probabilities, int32_t item)> see;  // may be empty
  int64_t every = 1;  // of how many looks one is told

  /// At the start of each visit, before its first look, who comes and in what state.
  std::function<void(int32_t user, TimeMs now, const Shopper& shopper)> visit;  // may be empty
};

/// invalid_argument, with the range allowed, when an option is out of it.
Result<ShopHistory> simulate_shop(const ShopOptions& options, const ChoiceObserver& observer = {});

/// Simulates, and writes into the folder, which it makes: events-2025-01.jsonl and so on by month of UTC (messages of
/// Segment's spec in time order), items.jsonl, truth.jsonl (first line the shop, then a line an item, a line a
/// visitor, a line a campaign's draw). failed_precondition when the folder holds months of another shop; files of the
/// same names are replaced.
Status write_shop(const ShopOptions& options, const fs::path& folder);

/// Reads what the server's export file holds: a line of JSON with user_id, action and decided_at an action.
/// invalid_argument with file and line for what is no visitor, action or time of such a shop.
Result<std::vector<GivenAction>> read_given_actions(const fs::path& path);

/// Names as the messages carry them.
std::string shop_user_id(int32_t user);
std::string shop_anonymous_id(int32_t user, bool mobile);

}  // namespace perennial
