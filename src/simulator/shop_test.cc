#include "simulator/shop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/digest.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "events/segment.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kLater = 4'000'000'000'000;  // a now after all shops

ShopOptions small_options() { return {.users = 250, .items = 150, .months = 4, .seed = 7}; }

/// A year of a shop large enough to see its regularities; made once.
const ShopHistory& year_of_shop() {
  static const ShopHistory history = simulate_shop({.users = 900, .items = 400, .months = 12, .seed = 11}).value();
  return history;
}

class ShopFiles : public testing::Test {
 protected:
  static std::map<std::string, std::string> contents(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder))
      files[entry.path().filename()] = read_file(entry.path()).value();
    return files;
  }

  static std::vector<json::object> lines_of(const std::string& text) {
    std::vector<json::object> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      lines.push_back(parse_json_object(std::string_view(text).substr(at, end - at)).value());
      at = end + 1;
    }
    return lines;
  }

  static std::string text_of(const json::object& object, std::string_view name) {
    return string_field(object, name).value();
  }
  static TimeMs time_of(const json::object& object, std::string_view name) {
    return parse_iso8601(text_of(object, name)).value();
  }

  /// All messages of all months, in time order.
  std::vector<json::object> write_and_read_messages(const ShopOptions& options) {
    const Status status = write_shop(options, folder_);
    PERENNIAL_CHECK(status.ok(), "{}", status.message());
    std::vector<json::object> messages;
    for (const auto& [name, text] : contents(folder_)) {
      if (!name.starts_with("events-")) continue;
      for (json::object& line : lines_of(text)) messages.push_back(std::move(line));
    }
    return messages;
  }

  std::vector<json::object> truth_of_kind(std::string_view kind) {
    std::vector<json::object> lines = lines_of(read_file(folder_ / "truth.jsonl").value());
    std::erase_if(lines, [kind](const json::object& line) { return text_of(line, "kind") != kind; });
    return lines;
  }

  const TemporaryFolder temporary_;
  const fs::path& folder_ = temporary_.path();
};

TEST_F(ShopFiles, SameOptionsGiveTheSameBytes) {
  ASSERT_TRUE(write_shop(small_options(), folder_ / "a").ok());
  ASSERT_TRUE(write_shop(small_options(), folder_ / "b").ok());
  EXPECT_EQ(contents(folder_ / "a"), contents(folder_ / "b"));
  EXPECT_EQ(contents(folder_ / "a").size(), 6U);
}

TEST_F(ShopFiles, AnotherSeedGivesAnotherShop) {
  ShopOptions other = small_options();
  other.seed = 8;
  ASSERT_TRUE(write_shop(small_options(), folder_ / "a").ok());
  ASSERT_TRUE(write_shop(other, folder_ / "b").ok());
  for (const auto& [name, text] : contents(folder_ / "a")) EXPECT_NE(text, contents(folder_ / "b").at(name)) << name;
}

TEST_F(ShopFiles, BytesAreThoseOfEveryMachine) {
  ASSERT_TRUE(write_shop({.users = 60, .items = 100, .months = 2, .seed = 1}, folder_).ok());
  Sha256Stream digest;
  for (const auto& [name, text] : contents(folder_)) digest.add(text);
  // A change of the simulation changes this on purpose; a change of compiler or machine must not.
  EXPECT_EQ(to_hex(digest.finish()), "ede6a60e75b00c9fc35b795b1b2343c68ad734c8af03e6fc79c3acd74f23a8e5");
}

TEST_F(ShopFiles, EveryMessageIsValidAndInItsMonth) {
  ASSERT_TRUE(write_shop(small_options(), folder_).ok());
  std::set<std::string> message_ids;
  TimeMs last = 0;
  for (const auto& [name, text] : contents(folder_)) {
    if (!name.starts_with("events-")) continue;
    ASSERT_FALSE(text.empty()) << name;
    for (const json::object& message : lines_of(text)) {
      ASSERT_TRUE(message_ids.insert(text_of(message, "messageId")).second) << json::serialize(message);
      const std::string timestamp = text_of(message, "timestamp");
      ASSERT_EQ("events-" + timestamp.substr(0, 7) + ".jsonl", name);
      ASSERT_LE(last, parse_iso8601(timestamp).value());
      last = parse_iso8601(timestamp).value();
      const Result<std::vector<Record>> records = records_of_segment_message(message, "", kLater);
      ASSERT_TRUE(records.ok()) << records.status().message() << json::serialize(message);
      ASSERT_FALSE(records->empty()) << json::serialize(message);
      for (const Record& record : *records) {
        const Status status = validate(record, kLater);
        ASSERT_TRUE(status.ok()) << status.message() << json::serialize(message);
        ASSERT_EQ(record.time, last);
      }
    }
  }
}

TEST_F(ShopFiles, OrdersAddUpToTheCent) {
  std::map<std::string, int64_t> prices;
  int64_t orders = 0;
  const std::vector<json::object> messages = write_and_read_messages(small_options());
  for (const json::object& item : lines_of(read_file(folder_ / "items.jsonl").value()))
    prices[text_of(item, "item_id")] = std::llround(number_field(item, "price", -1).value() * 100);
  for (const json::object& message : messages) {
    if (text_of(message, "event") != "Order Completed") continue;
    ++orders;
    int64_t sum = 0;
    for (const json::value& line : message.at("properties").at("products").as_array())
      sum += prices.at(text_of(line.as_object(), "product_id")) * line.at("quantity").as_int64();
    const json::object& properties = message.at("properties").as_object();
    EXPECT_EQ(std::llround(number_field(properties, "total", 0).value() * 100), sum);
    int64_t of_records = 0;
    for (const Record& record : records_of_segment_message(message, "", kLater).value()) {
      const Event& event = std::get<Event>(record.payload);
      ASSERT_TRUE(event.amount.has_value());
      EXPECT_EQ(event.amount->currency, "EUR");
      EXPECT_GT(event.quantity, 0);
      of_records += event.amount->minor_units;
    }
    EXPECT_EQ(of_records, sum);
  }
  EXPECT_GT(orders, 100);
}

TEST_F(ShopFiles, TruthIsWhatTheEventsSay) {
  struct Seen {
    std::map<std::string, std::vector<TimeMs>> times;  // by event name
    int64_t item_events = 0;
    int64_t revenue_minor = 0;
    TimeMs last = 0;
  };
  std::map<std::string, std::string> owner;  // anonymous id to user id
  std::map<std::string, Seen> users;
  const std::vector<json::object> messages = write_and_read_messages(small_options());
  for (const json::object& message : messages) {
    if (text_of(message, "type") == "identify" && message.contains("anonymousId"))
      owner[text_of(message, "anonymousId")] = text_of(message, "userId");
    if (text_of(message, "type") == "alias") owner[text_of(message, "previousId")] = text_of(message, "userId");
  }
  for (const json::object& message : messages) {
    std::string user = text_of(message, message.contains("userId") ? "userId" : "anonymousId");
    if (owner.contains(user)) user = owner.at(user);
    Seen& seen = users[user];
    seen.last = time_of(message, "timestamp");
    if (text_of(message, "type") != "track") continue;
    const std::string event = text_of(message, "event");
    const json::object& properties = message.at("properties").as_object();
    seen.times[event].push_back(seen.last);
    if (properties.contains("product_id")) ++seen.item_events;
    if (properties.contains("products"))
      seen.item_events += static_cast<int64_t>(properties.at("products").as_array().size());
    seen.revenue_minor += std::llround(number_field(properties, "revenue", 0).value() * 100);
  }
  const std::vector<json::object> truth = truth_of_kind("user");
  ASSERT_EQ(truth.size(), 250U);
  ASSERT_EQ(users.size(), truth.size());
  std::map<std::string, int> reached;
  for (const json::object& line : truth) {
    const std::string name = text_of(line, "user_id");
    const Seen& seen = users.at(name);
    std::map<std::string, TimeMs> stages;
    TimeMs last_stage = 0;
    for (const json::value& stage : line.at("stages").as_array()) {
      const TimeMs time = time_of(stage.as_object(), "time");
      EXPECT_LE(last_stage, time) << name;
      last_stage = time;
      stages.emplace(text_of(stage.as_object(), "stage"), time);
      ++reached[text_of(stage.as_object(), "stage")];
    }
    const auto expect_stage_at = [&](const char* stage, const char* event, size_t nth) {
      const auto times = seen.times.find(event);
      const bool happened = times != seen.times.end() && times->second.size() > nth;
      ASSERT_EQ(stages.contains(stage), happened) << name << " " << stage;
      if (happened) {
        EXPECT_EQ(stages.at(stage), times->second[nth]) << name << " " << stage;
      }
    };
    expect_stage_at("acquired", "Signed Up", 0);
    expect_stage_at("activated", "Order Completed", 0);
    expect_stage_at("repeat", "Order Completed", 1);
    expect_stage_at("upgraded", "Subscription Upgraded", 0);
    expect_stage_at("referrer", "Invite Sent", 0);
    if (stages.contains("churned")) {
      EXPECT_LE(seen.last, stages.at("churned")) << name;
    }
    EXPECT_EQ(line.at("signed_up").as_bool(), stages.contains("acquired")) << name;
    EXPECT_EQ(line.at("item_events").as_int64(), seen.item_events) << name;
    EXPECT_EQ(std::llround(number_field(line, "revenue", 0).value() * 100), seen.revenue_minor) << name;
    EXPECT_EQ(static_cast<size_t>(line.at("orders").as_int64()),
              seen.times.contains("Order Completed") ? seen.times.at("Order Completed").size() : 0);
  }
  for (const char* stage :
       {"acquired", "activated", "repeat", "upgraded", "referrer", "drifting", "recovered", "churned"})
    EXPECT_GT(reached[stage], 2) << stage;
}

TEST_F(ShopFiles, NobodyHasAUserIdBeforeSigningUp) {
  std::set<std::string> known;
  std::set<std::string> signed_in_devices;
  int64_t anonymous = 0;
  for (const json::object& message : write_and_read_messages(small_options())) {
    const std::string type = text_of(message, "type");
    const std::string user = text_of(message, "userId");
    if (type == "identify" || type == "alias") {
      known.insert(user);
      if (message.contains("anonymousId")) signed_in_devices.insert(text_of(message, "anonymousId"));
      if (type == "alias") signed_in_devices.insert(text_of(message, "previousId"));
    } else if (user.empty()) {
      ++anonymous;
      EXPECT_FALSE(signed_in_devices.contains(text_of(message, "anonymousId"))) << json::serialize(message);
    } else {
      EXPECT_TRUE(known.contains(user)) << json::serialize(message);
    }
  }
  EXPECT_GT(anonymous, 100);
}

TEST_F(ShopFiles, GuestsFollowTheirInvitation) {
  const std::vector<json::object> messages =
      write_and_read_messages({.users = 600, .items = 150, .months = 6, .seed = 3});
  std::map<std::string, std::vector<TimeMs>> invitations;
  int64_t guests = 0;
  for (const json::object& message : messages) {
    if (text_of(message, "event") == "Invite Sent")
      invitations[text_of(message, "userId")].push_back(time_of(message, "timestamp"));
    if (text_of(message, "event") != "Signed Up") continue;
    const json::object& properties = message.at("properties").as_object();
    if (!properties.contains("referred_by")) continue;
    ++guests;
    EXPECT_EQ(text_of(properties, "method"), "referral");
    EXPECT_TRUE(invitations.contains(text_of(properties, "referred_by")))
        << "before this, nobody of that name had invited";
  }
  EXPECT_GT(guests, 5);
  int64_t invited = 0;
  for (const json::object& line : truth_of_kind("user"))
    invited += static_cast<int64_t>(line.at("invited").as_array().size());
  EXPECT_EQ(invited, guests);
}

TEST_F(ShopFiles, ItemsAreDistinctAndReadable) {
  ASSERT_TRUE(write_shop({.users = 5, .items = 1500, .months = 1}, folder_).ok());
  std::set<std::string> titles;
  std::set<std::string> ids;
  for (const json::object& item : lines_of(read_file(folder_ / "items.jsonl").value())) {
    EXPECT_TRUE(ids.insert(text_of(item, "item_id")).second);
    EXPECT_TRUE(titles.insert(text_of(item, "title")).second) << text_of(item, "title");
    EXPECT_TRUE(text_of(item, "title").starts_with(text_of(item, "brand")));
    EXPECT_EQ(item.at("category").as_array().size(), 2U);
    EXPECT_GE(number_field(item, "price", 0).value(), 0.9);
    EXPECT_GT(text_of(item, "description").size(), 40U);
    EXPECT_TRUE(parse_iso8601(text_of(item, "created_at")).ok());
  }
  EXPECT_EQ(ids.size(), 1500U);
  EXPECT_EQ(truth_of_kind("item").size(), 1500U);
}

TEST_F(ShopFiles, MonthsOfAnotherShopAreNotMixedIn) {
  ASSERT_TRUE(write_shop({.users = 5, .items = 100, .months = 3}, folder_).ok());
  const Status shorter = write_shop({.users = 5, .items = 100, .months = 2}, folder_);
  EXPECT_EQ(shorter.code(), Code::failed_precondition);
  EXPECT_NE(shorter.message().find("events-2025-03.jsonl"), std::string::npos) << shorter.message();
  EXPECT_TRUE(write_shop({.users = 6, .items = 100, .months = 3}, folder_).ok());
}

TEST_F(ShopFiles, FolderThatCannotBeMadeIsAnError) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "x").ok());
  EXPECT_FALSE(write_shop({.users = 5, .items = 100, .months = 1}, folder_ / "file" / "shop").ok());
}

TEST(Shop, RefusesOptionsOutOfRange) {
  const ShopOptions good = {.users = 3, .items = 100, .months = 1};
  const auto with = [&](auto change) {
    ShopOptions options = good;
    change(options);
    return simulate_shop(options).status();
  };
  EXPECT_TRUE(simulate_shop(good).ok());
  EXPECT_EQ(with([](ShopOptions& o) { o.users = 0; }).message(), "users must be from 1 to 200,000, got 0");
  for (const Status& status :
       {with([](ShopOptions& o) { o.items = 99; }), with([](ShopOptions& o) { o.items = 5001; }),
        with([](ShopOptions& o) { o.months = 0; }), with([](ShopOptions& o) { o.months = 61; }),
        with([](ShopOptions& o) { o.start = "2025-01-02"; }), with([](ShopOptions& o) { o.start = "yesterday"; }),
        with([](ShopOptions& o) { o.start = "1999-12-01"; }), with([](ShopOptions& o) { o.currency = "eur"; }),
        with([](ShopOptions& o) { o.currency = ""; })})
    EXPECT_EQ(status.code(), Code::invalid_argument);
}

TEST(Shop, SmallShopsNeverLookForWhatIsNotThereYet) {
  for (uint64_t seed = 0; seed < 30; ++seed)
    ASSERT_TRUE(simulate_shop({.users = 100, .items = 100, .months = 4, .seed = seed}).ok()) << seed;
}

TEST(Shop, SmallestAndLargestCatalogueWork) {
  EXPECT_EQ(simulate_shop({.users = 1, .items = kFewestItems, .months = 1}).value().assortment.items.size(),
            static_cast<size_t>(kFewestItems));
  EXPECT_EQ(simulate_shop({.users = 1, .items = kMostItems, .months = 1}).value().assortment.items.size(),
            static_cast<size_t>(kMostItems));
}

TEST(Shop, MonthsFollowTheCalendar) {
  const ShopHistory history = simulate_shop({.users = 40, .items = 100, .months = 15, .start = "2023-12-01"}).value();
  ASSERT_EQ(history.month_starts.size(), 16U);
  EXPECT_EQ(format_iso8601(history.month_starts[0]), "2023-12-01T00:00:00.000Z");
  EXPECT_EQ(format_iso8601(history.month_starts[1]), "2024-01-01T00:00:00.000Z");
  EXPECT_EQ(history.month_starts[3] - history.month_starts[2], 29 * kDay);
  EXPECT_EQ(format_iso8601(history.month_starts[15]), "2025-03-01T00:00:00.000Z");
  for (const ShopEvent& event : history.events) {
    ASSERT_GE(event.time, history.month_starts.front());
    ASSERT_LT(event.time, history.month_starts.back());
  }
}

TEST(Shop, ObservingChangesNothing) {
  int64_t told = 0;
  const ShopHistory plain = simulate_shop(small_options()).value();
  const ShopHistory observed =
      simulate_shop(small_options(), {[&](int32_t, const auto&, int32_t) { ++told; }, 1}).value();
  ASSERT_EQ(plain.events.size(), observed.events.size());
  int64_t views = 0;
  for (size_t i = 0; i < plain.events.size(); ++i) {
    ASSERT_EQ(plain.events[i].time, observed.events[i].time);
    ASSERT_EQ(plain.events[i].item, observed.events[i].item);
    views += plain.events[i].kind == ShopEventKind::viewed ? 1 : 0;
  }
  EXPECT_EQ(told, views);
}

TEST(Shop, LooksAreDrawnFromTheDistributionsTold) {
  // For an item drawn from p, log p(item) less its mean (minus the entropy of p) has mean zero, and so has
  // 1[the likeliest item was drawn] less its probability.
  double surplus = 0;
  double variance = 0;
  double top_surplus = 0;
  double top_variance = 0;
  const auto see = [&](int32_t, const std::vector<double>& probabilities, int32_t item) {
    ASSERT_NEAR(std::accumulate(probabilities.begin(), probabilities.end(), 0.0), 1, 1e-9);
    ASSERT_GT(probabilities[static_cast<size_t>(item)], 0);
    double mean = 0;
    double mean_square = 0;
    for (const double p : probabilities) {
      ASSERT_GE(p, 0);
      if (p == 0) continue;
      mean += p * std::log(p);
      mean_square += p * std::log(p) * std::log(p);
    }
    surplus += std::log(probabilities[static_cast<size_t>(item)]) - mean;
    variance += mean_square - mean * mean;
    const auto top = std::max_element(probabilities.begin(), probabilities.end());
    top_surplus += (top - probabilities.begin() == item ? 1 : 0) - *top;
    top_variance += *top * (1 - *top);
  };
  ASSERT_TRUE(simulate_shop(small_options(), {see, 1}).ok());
  ASSERT_GT(variance, 100);
  EXPECT_LT(std::fabs(surplus), 4 * std::sqrt(variance));
  EXPECT_LT(std::fabs(top_surplus), 4 * std::sqrt(top_variance));
}

TEST(Shop, NothingIsSeenBeforeItExists) {
  const ShopHistory& history = year_of_shop();
  int64_t later = 0;
  for (const ShopItem& item : history.assortment.items) later += item.created > history.month_starts.front() ? 1 : 0;
  EXPECT_GT(later, 60);
  for (const ShopEvent& event : history.events) {
    if (event.item < 0) continue;
    ASSERT_LE(history.assortment.items[static_cast<size_t>(event.item)].created, event.time);
  }
}

TEST(Shop, PricesLieInTheirCategoryAndDearerBrandsAreBetter) {
  const Assortment& assortment = year_of_shop().assortment;
  double quality_of_dear = 0;
  double quality_of_cheap = 0;
  for (const ShopItem& item : assortment.items) {
    const ShopCategory& category = assortment.categories[static_cast<size_t>(item.category)];
    EXPECT_GE(item.price_minor, category.lowest_minor * 9 / 10) << item.title;
    EXPECT_LE(item.price_minor, category.highest_minor) << item.title;
    (item.price_band > 0.5 ? quality_of_dear : quality_of_cheap) += item.quality;
  }
  EXPECT_GT(quality_of_dear, quality_of_cheap + 50);
}

TEST(Shop, AttentionIsSkewed) {
  const ShopHistory& history = year_of_shop();
  std::vector<int64_t> views(history.assortment.items.size());
  for (const ShopEvent& event : history.events)
    if (event.kind == ShopEventKind::viewed) ++views[static_cast<size_t>(event.item)];
  std::sort(views.rbegin(), views.rend());
  const int64_t all = std::accumulate(views.begin(), views.end(), int64_t{0});
  const int64_t top =
      std::accumulate(views.begin(), views.begin() + static_cast<ptrdiff_t>(views.size() / 10), int64_t{0});
  EXPECT_GT(top, all / 4);
  EXPECT_LT(top, all * 3 / 4);
}

/// For each purchase line of a user, in order: time and item.
std::map<int32_t, std::vector<std::pair<TimeMs, int32_t>>> purchases_of(const ShopHistory& history) {
  std::map<int32_t, std::vector<std::pair<TimeMs, int32_t>>> purchases;
  for (const ShopEvent& event : history.events) {
    if (event.kind != ShopEventKind::ordered) continue;
    for (const OrderLine& line : history.orders[static_cast<size_t>(event.detail)].lines)
      purchases[event.user].emplace_back(event.time, line.item);
  }
  return purchases;
}

TEST(Shop, DurablesAreBoughtOnceAndConsumablesAgain) {
  const ShopHistory& history = year_of_shop();
  std::map<Upkeep, int64_t> first;
  std::map<Upkeep, int64_t> again;  // of the same category
  for (const auto& [user, lines] : purchases_of(history)) {
    std::set<int32_t> categories;
    for (const auto& [time, item] : lines) {
      const int32_t category = history.assortment.items[static_cast<size_t>(item)].category;
      const Upkeep upkeep = history.assortment.categories[static_cast<size_t>(category)].upkeep;
      ++(categories.insert(category).second ? first : again)[upkeep];
    }
  }
  const auto share = [&](Upkeep upkeep) {
    return static_cast<double>(again[upkeep]) / static_cast<double>(first[upkeep]);
  };
  EXPECT_LT(share(Upkeep::durable), 0.5 * share(Upkeep::collectable));
  EXPECT_GT(share(Upkeep::consumable), share(Upkeep::collectable));
}

TEST(Shop, ConsumablesComeBackWhenTheyAreUsedUp) {
  const ShopHistory& history = year_of_shop();
  int64_t too_early = 0;
  int64_t in_time = 0;
  for (const auto& [user, lines] : purchases_of(history)) {
    std::map<int32_t, TimeMs> last;
    for (const auto& [time, item] : lines) {
      const auto category = history.assortment.items[static_cast<size_t>(item)].category;
      const double lasts = history.assortment.categories[static_cast<size_t>(category)].lasts_days;
      if (lasts > 0 && last.contains(category) && time > last[category]) {
        const double gap = static_cast<double>(time - last[category]) / static_cast<double>(kDay) / lasts;
        too_early += gap < 0.75 ? 1 : 0;
        in_time += gap >= 0.75 && gap < 2.25 ? 1 : 0;
      }
      last[category] = time;
    }
  }
  EXPECT_GT(in_time, 3 * too_early);
}

TEST(Shop, GardenersComeInSpring) {
  const ShopHistory& history = year_of_shop();
  std::map<bool, std::pair<double, double>> counts;  // spring or not: garden views, all views
  for (const ShopEvent& event : history.events) {
    if (event.kind != ShopEventKind::viewed) continue;
    const ShopItem& item = history.assortment.items[static_cast<size_t>(event.item)];
    auto& [garden, all] = counts[event.time >= history.month_starts[2] && event.time < history.month_starts[6]];
    garden += history.assortment.categories[static_cast<size_t>(item.category)].interest == "Garden" ? 1 : 0;
    all += 1;
  }
  EXPECT_GT(counts[true].first / counts[true].second, 1.3 * counts[false].first / counts[false].second);
}

TEST(Shop, ComplementsFollowLongAfterAPurchase) {
  // Of views 8 to 40 item events after a durable was bought, complements of the bought category are seen more often
  // than the same categories are in the same user's other views before the purchase.
  const ShopHistory& history = year_of_shop();
  std::map<int32_t, std::vector<const ShopEvent*>> streams;
  for (const ShopEvent& event : history.events)
    if (event.kind == ShopEventKind::viewed || event.kind == ShopEventKind::ordered)
      streams[event.user].push_back(&event);
  double after = 0;
  double after_all = 0;
  double before = 0;
  double before_all = 0;
  const auto category_at = [&](int32_t item) { return history.assortment.items[static_cast<size_t>(item)].category; };
  for (const auto& [user, stream] : streams) {
    for (size_t i = 0; i < stream.size(); ++i) {
      if (stream[i]->kind != ShopEventKind::ordered) continue;
      const int32_t bought = category_at(history.orders[static_cast<size_t>(stream[i]->detail)].lines.front().item);
      const ShopCategory& category = history.assortment.categories[static_cast<size_t>(bought)];
      if (category.upkeep != Upkeep::durable) continue;
      const auto completes = [&](int32_t item) {
        return std::any_of(category.complements.begin(), category.complements.end(),
                           [&](const Complement& c) { return c.category == category_at(item); });
      };
      for (size_t k = i + 8; k < std::min(i + 30, stream.size()); ++k) {
        if (stream[k]->kind != ShopEventKind::viewed) continue;
        after += completes(stream[k]->item) ? 1 : 0;
        after_all += 1;
      }
      for (size_t k = i > 40 ? i - 40 : 0; k + 8 < i; ++k) {
        if (stream[k]->kind != ShopEventKind::viewed) continue;
        before += completes(stream[k]->item) ? 1 : 0;
        before_all += 1;
      }
    }
  }
  EXPECT_GT(after / after_all, 1.4 * before / before_all);
}

TEST(Shop, RatingsFollowQuality) {
  const ShopHistory& history = year_of_shop();
  std::map<bool, std::pair<double, double>> ratings;
  for (const ShopEvent& event : history.events) {
    if (event.kind != ShopEventKind::reviewed) continue;
    ASSERT_GE(event.detail, 1);
    ASSERT_LE(event.detail, 5);
    auto& [sum, count] = ratings[history.assortment.items[static_cast<size_t>(event.item)].quality > 0];
    sum += event.detail;
    count += 1;
  }
  EXPECT_GT(ratings[true].first / ratings[true].second, ratings[false].first / ratings[false].second + 0.4);
}

TEST(Shop, SessionRateAndPurchaseRateAreThoseOfTheTruth) {
  // Visits of active, signed-up people against what the truth expects of their active days.
  const ShopHistory& history = year_of_shop();
  double expected_orders = 0;
  double orders = 0;
  std::map<int32_t, std::set<TimeMs>> visit_days;
  for (const ShopEvent& event : history.events)
    if (event.kind == ShopEventKind::viewed) visit_days[event.user].insert(event.time / kDay);
  for (const auto& [user, days] : visit_days) {
    const ShopUser& one = history.users[static_cast<size_t>(user)];
    if (!one.signed_up) continue;
    expected_orders += one.buys_per_session * static_cast<double>(days.size());
    orders += one.orders;
  }
  EXPECT_GT(orders, expected_orders);  // refills raise it
  EXPECT_LT(orders, 1.8 * expected_orders);
}

}  // namespace
}  // namespace perennial
