#include "simulator/shop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "events/line_source.h"
#include "simulator/messages.h"
#include "simulator/visits.h"

namespace perennial {
namespace {

constexpr int64_t kLooksPerOracle = 16;

template <typename Number>
Status check_range(std::string_view name, Number value, Number lowest, Number highest) {
  if (value >= lowest && value <= highest) return {};
  return invalid_argument("{} must be from {} to {}, got {}", name, with_commas(lowest), with_commas(highest),
                          with_commas(value));
}

/// The first instants of `months` months from `start` on, and of the one after.
Result<std::vector<TimeMs>> month_starts(const std::string& start, int months) {
  const Result<TimeMs> first = parse_iso8601(start);
  if (!first.ok() || start.size() != 10 || !start.ends_with("-01"))
    return invalid_argument("start must be the first day of a month, like 2025-01-01, got '{:.40}'", start);
  using namespace std::chrono;
  const year_month_day date{sys_days(days(*first / 86'400'000))};
  PERENNIAL_TRY(check_range("the year of start", static_cast<int>(date.year()), 2000, 2090));
  std::vector<TimeMs> starts;
  for (int month = 0; month <= months; ++month)
    starts.push_back(
        sys_days((date.year() / date.month() + std::chrono::months(month)) / 1).time_since_epoch().count() *
        int64_t{86'400'000});
  return starts;
}

Status check_currency(const std::string& currency) {
  const bool letters = std::all_of(currency.begin(), currency.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (currency.size() == 3 && letters) return {};
  return invalid_argument("currency must be three capital letters of a currency with cents, like EUR, got '{:.40}'",
                          currency);
}

/// How well the truth itself, hidden taste and all, foretells the next look: no model can do better on average.
/// Measured on a sample of the looks, nothing excluded, ties against it.
class Oracle {
 public:
  void see(const std::vector<double>& probabilities, int32_t item) {
    const double own = probabilities[static_cast<size_t>(item)];
    const auto rank = std::count_if(probabilities.begin(), probabilities.end(), [own](double p) { return p >= own; });
    ++views_;
    log_probability_ += std::log(own);
    if (rank > 10) return;
    ++hits_;
    gain_ += 1 / std::log2(static_cast<double>(rank) + 1);
  }

  [[nodiscard]] std::string json() const {
    const auto views = static_cast<double>(std::max<int64_t>(views_, 1));
    return fmt::format(R"({{"sampled_views":{},"mean_log_probability":{:.6f},"hr@10":{:.6f},"ndcg@10":{:.6f}}})",
                       views_, log_probability_ / views, static_cast<double>(hits_) / views, gain_ / views);
  }

 private:
  int64_t views_ = 0;
  int64_t hits_ = 0;
  double log_probability_ = 0;
  double gain_ = 0;
};

std::string month_file(TimeMs month_start) {
  return fmt::format("events-{}.jsonl", format_iso8601(month_start).substr(0, 7));
}

Status refuse_other_months(const ShopHistory& history, const fs::path& folder) {
  std::set<std::string> ours;
  for (size_t month = 0; month + 1 < history.month_starts.size(); ++month)
    ours.insert(month_file(history.month_starts[month]));
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("events-") && name.ends_with(".jsonl") && !ours.contains(name))
      return failed_precondition("{} holds {}, which is not of this shop: choose an empty folder", folder.string(),
                                 name);
  }
  return error ? errno_status(error.value(), fmt::format("listing {}", folder.string())) : Status();
}

Status write_events(const ShopHistory& history, const ShopMessages& messages, const fs::path& folder) {
  auto event = history.events.begin();
  for (size_t month = 0; month + 1 < history.month_starts.size(); ++month) {
    std::string text;
    for (; event != history.events.end() && event->time < history.month_starts[month + 1]; ++event)
      text += messages.event_line(*event) + '\n';
    PERENNIAL_TRY(write_file_atomically(folder / month_file(history.month_starts[month]), text));
  }
  return {};
}

Status write_truth(const ShopHistory& history, const ShopMessages& messages, const Oracle& oracle,
                   const fs::path& folder) {
  const ShopOptions& options = history.options;
  std::string text = fmt::format(
      R"({{"kind":"shop","users":{},"items":{},"months":{},"seed":{},"start":"{}","currency":"{}","oracle":{}}})",
      options.users, options.items, options.months, options.seed, options.start, options.currency, oracle.json());
  text += '\n';
  for (int32_t item = 0; item < options.items; ++item) text += messages.item_truth_line(item) + '\n';
  for (int32_t user = 0; user < options.users; ++user) text += messages.user_truth_line(user) + '\n';
  for (const ShopCampaign& campaign : history.campaigns) text += messages.campaign_truth_line(campaign) + '\n';
  return write_file_atomically(folder / "truth.jsonl", text);
}

/// By a source of each item's own, so that all else is as in a shop without.
void draw_item_effects(Assortment& assortment, const ShopOptions& options) {
  for (size_t i = 0; options.item_effects > 0 && i < assortment.items.size(); ++i) {
    Random random(mix64(options.seed + mix64(~static_cast<uint64_t>(i))));
    assortment.items[i].brings_back = options.item_effects * grid_normal(random);
    assortment.items[i].told = options.item_effects * grid_normal(random);
  }
}

/// By time, so that orders that come later do not change the numbers of those before.
void number_orders(ShopHistory& history) {
  std::vector<ShopOrder> by_time;
  for (ShopEvent& event : history.events) {
    if (event.kind != ShopEventKind::ordered) continue;
    by_time.push_back(std::move(history.orders[static_cast<size_t>(event.detail)]));
    event.detail = static_cast<int32_t>(by_time.size()) - 1;
  }
  history.orders = std::move(by_time);
}

Status check_given(const ShopHistory& history) {
  const int campaign_months = history.options.campaign_months;
  if (!history.options.given.empty() && (campaign_months == 0 || campaign_months == history.options.months))
    return invalid_argument("actions are given after the campaigns: say in how many of the first months these are");
  const TimeMs from = history.month_starts[static_cast<size_t>(campaign_months)];
  for (const GivenAction& given : history.options.given) {
    if (given.user < 0 || given.user >= history.options.users)
      return invalid_argument("an action is given to visitor {} of {}", given.user + 1, history.options.users);
    if (given.time < from)
      return invalid_argument("an action is given at {}, when campaigns still go on: give actions after {} months",
                              format_iso8601(given.time), campaign_months);
    if (given.action < 0 || static_cast<size_t>(given.action) >= kShopActions)
      return invalid_argument("action {} of {} is given", given.action, kShopActions);
  }
  return {};
}

Result<GivenAction> parse_given_action(std::string_view line) {
  PERENNIAL_TRY_ASSIGN(const json::object object, parse_json_object(line));
  PERENNIAL_TRY_ASSIGN(const std::string user, string_field(object, "user_id"));
  PERENNIAL_TRY_ASSIGN(const std::string action, string_field(object, "action"));
  PERENNIAL_TRY_ASSIGN(const std::string decided, string_field(object, "decided_at"));
  GivenAction given;
  PERENNIAL_TRY_ASSIGN(const int64_t number, parse_integer(user.starts_with('u') ? user.substr(1) : "no number"));
  given.user = static_cast<int32_t>(std::clamp<int64_t>(number, 0, INT32_MAX)) - 1;
  PERENNIAL_TRY_ASSIGN(given.time, parse_iso8601(decided));
  const auto found = std::ranges::find(kShopActionNames, action);
  if (found == kShopActionNames.end()) return invalid_argument("the shop knows no action '{:.40}'", action);
  given.action = static_cast<int32_t>(found - kShopActionNames.begin());
  return given;
}

}  // namespace

Result<std::vector<GivenAction>> read_given_actions(const fs::path& path) {
  PERENNIAL_TRY_ASSIGN(const auto lines, LineSource::open(path));
  std::vector<GivenAction> all;
  Line line;
  while (true) {
    PERENNIAL_TRY_ASSIGN(const bool more, lines->next(line));
    if (!more) return all;
    if (line.text.empty()) continue;
    Result<GivenAction> given = parse_given_action(line.text);
    if (!given.ok()) return given.status().with_context(fmt::format("{}:{}", path.string(), line.number));
    all.push_back(*given);
  }
}

Result<ShopHistory> simulate_shop(const ShopOptions& options, const ChoiceObserver& observer) {
  PERENNIAL_TRY(check_range("users", options.users, 1, 200'000));
  PERENNIAL_TRY(check_range("items", options.items, kFewestItems, kMostItems));
  PERENNIAL_TRY(check_range("months", options.months, 1, 60));
  PERENNIAL_TRY(check_currency(options.currency));
  if (!(options.item_effects >= 0 && options.item_effects <= 1))
    return invalid_argument("item_effects must be from 0 to 1, got {}", options.item_effects);
  PERENNIAL_TRY(check_range("campaign_months", options.campaign_months, 0, options.months));
  ShopHistory history;
  history.options = options;
  PERENNIAL_TRY_ASSIGN(history.month_starts, month_starts(options.start, options.months));
  PERENNIAL_TRY(check_given(history));
  Random random(options.seed);
  history.assortment =
      make_assortment(options.items, history.month_starts.front(), history.month_starts.back(), random);
  draw_item_effects(history.assortment, options);
  simulate_visitors(history, observer);
  std::sort(history.events.begin(), history.events.end(), [](const ShopEvent& a, const ShopEvent& b) {
    return std::tie(a.time, a.user, a.sequence) < std::tie(b.time, b.user, b.sequence);
  });
  number_orders(history);
  return history;
}

Status write_shop(const ShopOptions& options, const fs::path& folder) {
  Oracle oracle;
  const auto see = [&](int32_t, const std::vector<double>& probabilities, int32_t item) {
    oracle.see(probabilities, item);
  };
  PERENNIAL_TRY_ASSIGN(const ShopHistory history, simulate_shop(options, {.see = see, .every = kLooksPerOracle}));
  PERENNIAL_TRY(make_folder(folder));
  PERENNIAL_TRY(refuse_other_months(history, folder));
  const ShopMessages messages(history);
  std::string items;
  for (int32_t item = 0; item < options.items; ++item) items += messages.item_line(item) + '\n';
  PERENNIAL_TRY(write_file_atomically(folder / "items.jsonl", items));
  PERENNIAL_TRY(write_truth(history, messages, oracle, folder));
  return write_events(history, messages, folder);
}

}  // namespace perennial
