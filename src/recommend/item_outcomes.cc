#include "recommend/item_outcomes.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "recommend/credibility.h"

namespace perennial {
namespace {

constexpr TimeMs kHourMs = 3'600'000;
constexpr TimeMs kDayMs = 24 * kHourMs;
constexpr TimeMs kNextVisitMs = 6 * kHourMs;
constexpr TimeMs kLastsMs[kOutcomes] = {7 * kDayMs, 7 * kDayMs, 7 * kDayMs, 30 * kDayMs};
constexpr size_t kItemsAtOnce = 1000;
constexpr double kStrength = 10;  // encounters that the rate of all is worth in that of a user or a step

struct Encounter {
  ItemId item = kNoId;
  TimeMs start = 0;
  size_t before = 0;  // what the user had just done, see step_before
  bool success = false;
};

bool holds(const std::vector<bool>& types, EventTypeId type) { return type < types.size() && types[type]; }

/// 0 at the start of a visit, else 1 + the type of the event before.
size_t step_before(const std::vector<HistoryToken>& history, size_t at) {
  if (at == 0 || history[at].time >= history[at - 1].time + kNextVisitMs) return 0;
  return size_t{1} + history[at - 1].type;
}

/// Finds the encounters of one history after the other.
class Encounters {
 public:
  Encounters(ItemOutcome outcome, const OutcomeTypes& types, size_t items, TimeMs newest)
      : outcome_(outcome),
        types_(outcome == ItemOutcome::sharing ? types.sharing : types.value),
        value_(types.value),
        lasts_ms_(kLastsMs[static_cast<size_t>(outcome)]),
        newest_(newest),
        open_(items) {}

  /// Good until the next call.
  const std::vector<Encounter>& of(const std::vector<HistoryToken>& history) {
    found_.clear();
    customer_ = false;
    for (size_t i = 0; i < history.size(); ++i) {
      if (history[i].time != kNoTime && history[i].item < open_.size()) take(history, i);
      customer_ |= holds(value_, history[i].type);
    }
    for (const Encounter& encounter : found_) open_[encounter.item] = 0;
    std::erase_if(found_, [&](const Encounter& e) { return e.start + lasts_ms_ > newest_; });
    return found_;
  }

 private:
  void take(const std::vector<HistoryToken>& history, size_t at) {
    const HistoryToken& token = history[at];
    const bool is_outcome = outcome_ != ItemOutcome::revisit && holds(types_, token.type);
    uint32_t& open = open_[token.item];
    if (open != 0) {
      found_[open - 1].success |= is_outcome && token.time < found_[open - 1].start + lasts_ms_;
    } else if (!is_outcome && counts()) {
      const bool again = outcome_ == ItemOutcome::revisit && comes_again(history, at);
      found_.push_back({token.item, token.time, step_before(history, at), again});
      open = static_cast<uint32_t>(found_.size());
    }
  }

  /// Whether an encounter that begins now is of the users that the outcome is about.
  [[nodiscard]] bool counts() const {
    if (outcome_ == ItemOutcome::first_conversion) return !customer_;
    return outcome_ != ItemOutcome::conversion || customer_;
  }

  [[nodiscard]] bool comes_again(const std::vector<HistoryToken>& history, size_t at) const {
    const TimeMs start = history[at].time;
    for (size_t later = at + 1; later < history.size(); ++later)
      if (history[later].time >= start + kNextVisitMs) return history[later].time < start + lasts_ms_;
    return false;
  }

  const ItemOutcome outcome_;
  const std::vector<bool>& types_;
  const std::vector<bool>& value_;
  const TimeMs lasts_ms_;
  const TimeMs newest_;
  std::vector<Encounter> found_;
  bool customer_ = false;       // so far in this history
  std::vector<uint32_t> open_;  // by item: place of its encounter of this history, plus 1; 0: none
};

/// Successes of encounters.
struct Count {
  double encounters = 0;
  double successes = 0;

  void add(const Encounter& encounter) {
    ++encounters;
    successes += encounter.success ? 1 : 0;
  }

  /// As if kStrength more had been seen of which the share `rate` was successful.
  [[nodiscard]] double rate_near(double rate) const {
    return (successes + kStrength * rate) / (encounters + kStrength);
  }
};

/// The rates of all encounters, and of those after each step.
struct Rates {
  Count all;
  std::vector<Count> after;  // by step_before

  void add(const std::vector<Encounter>& encounters) {
    for (const Encounter& encounter : encounters) {
      all.add(encounter);
      if (encounter.before >= after.size()) after.resize(encounter.before + 1);
      after[encounter.before].add(encounter);
    }
  }

  [[nodiscard]] double rate() const { return all.encounters > 0 ? all.successes / all.encounters : 0; }

  /// That of a user's encounter: their own rate, times how much more comes of encounters after that step.
  [[nodiscard]] double expected(const Count& user, size_t before) const {
    if (rate() <= 0) return 0;
    const Count step = before < after.size() ? after[before] : Count();  // one may be new since the rates were taken
    return user.rate_near(rate()) * step.rate_near(rate()) / rate();
  }
};

void add_user(const std::vector<Encounter>& encounters, const Rates& rates, std::vector<Observed>& items) {
  Count user;
  for (const Encounter& encounter : encounters) user.add(encounter);
  for (const Encounter& encounter : encounters) {
    items[encounter.item].successes += encounter.success ? 1 : 0;
    items[encounter.item].expected += rates.expected(user, encounter.before);
  }
}

/// Of one outcome.
struct Study {
  Encounters encounters;
  Rates rates;
  std::vector<Observed> items;
};

/// So that the expectations sum to the successes.
void balance(std::vector<Observed>& items) {
  Observed sum;
  for (const Observed& item : items) {
    sum.successes += item.successes;
    sum.expected += item.expected;
  }
  if (sum.expected <= 0) return;
  for (Observed& item : items) item.expected *= sum.successes / sum.expected;
}

TimeMs newest_event(const State& state, const WhileStill& still) {
  TimeMs newest = kNoTime;
  state.profiles().for_each(still, [&](UserId, const Profile& profile) {
    if (!profile.history.empty()) newest = std::max(newest, profile.history.back().time);
  });
  return newest;
}

/// What the catalogue says of an item.
struct Described {
  std::string category;  // the first
  std::optional<Money> price;
};

std::vector<Described> described_items(const Catalogue& catalogue, size_t items, const WhileStill& still) {
  std::vector<Described> all(items);
  for (size_t first = 0; first < items; first += kItemsAtOnce)
    still([&] {
      for (size_t item = first; item < std::min(items, first + kItemsAtOnce); ++item) {
        const Item* known = catalogue.find(static_cast<ItemId>(item));
        if (known == nullptr) continue;
        if (const std::vector<std::string> names = known->categories(); !names.empty())
          all[item].category = names.front();
        all[item].price = known->price();
      }
    });
  return all;
}

/// Of the items that have a price, in the currency that most prices are in; NaN for all others.
std::vector<double> log_prices(const std::vector<Described>& items) {
  std::map<std::string, std::vector<std::pair<size_t, double>>> by_currency;
  for (size_t item = 0; item < items.size(); ++item)
    if (const auto& price = items[item].price; price && price->minor_units > 0)
      by_currency[price->currency].emplace_back(item, std::log(static_cast<double>(price->minor_units)));
  std::vector<double> prices(items.size(), NAN);
  const auto most = std::max_element(by_currency.begin(), by_currency.end(),
                                     [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  if (most == by_currency.end()) return prices;
  for (const auto& [item, price] : most->second) prices[item] = price;
  return prices;
}

}  // namespace

void ItemOutcomes::read_catalogue(const Catalogue& catalogue, size_t count, const WhileStill& still) {
  const std::vector<Described> items = described_items(catalogue, count, still);
  std::unordered_map<std::string, int32_t> numbers;
  category_of_.assign(count, kNoCategory);
  for (size_t item = 0; item < count; ++item) {
    if (items[item].category.empty()) continue;
    const auto [found, added] = numbers.try_emplace(items[item].category, categories_);
    if (added) ++categories_;
    category_of_[item] = found->second;
  }
  const std::vector<double> prices = log_prices(items);
  double sum = 0;
  double priced = 0;
  for (const double price : prices) {
    if (std::isnan(price)) continue;
    sum += price;
    ++priced;
  }
  for (const double price : prices)
    log_prices_.push_back(std::isnan(price) ? 0.0F : static_cast<float>(price - sum / priced));
}

ItemOutcomes ItemOutcomes::learn(const State& state, const OutcomeTypes& types, size_t items, const WhileStill& still) {
  ItemOutcomes learned;
  learned.types_ = types;
  learned.read_catalogue(state.catalogue(), items, still);
  const TimeMs newest = newest_event(state, still);
  std::vector<Study> studies;
  for (size_t outcome = 0; outcome < kOutcomes; ++outcome)
    studies.push_back(
        {Encounters(static_cast<ItemOutcome>(outcome), types, items, newest), {}, std::vector<Observed>(items)});
  state.profiles().for_each(still, [&](UserId, const Profile& profile) {
    for (Study& study : studies) study.rates.add(study.encounters.of(profile.history));
  });
  state.profiles().for_each(still, [&](UserId, const Profile& profile) {
    for (Study& study : studies) add_user(study.encounters.of(profile.history), study.rates, study.items);
  });
  for (size_t outcome = 0; outcome < kOutcomes; ++outcome) {
    auto& [encounters, rates, observed] = studies[outcome];
    balance(observed);
    learned.mean_rates_[outcome] = rates.rate();
    for (const double ratio : credible_ratios(observed, learned.category_of_, learned.categories_, rates.rate()))
      learned.log_ratios_[outcome].push_back(static_cast<float>(std::log(ratio)));
  }
  return learned;
}

bool ItemOutcomes::is_customer(const Profile& profile) const {
  return std::any_of(profile.event_counts.begin(), profile.event_counts.end(),
                     [this](const auto& count) { return holds(types_.value, count.first); });
}

double ItemOutcomes::log_ratio(ItemOutcome outcome, ItemId item) const {
  const std::vector<float>& ratios = log_ratios_[static_cast<size_t>(outcome)];
  return item < ratios.size() ? ratios[item] : 0;
}

double ItemOutcomes::log_price(ItemId item) const { return item < log_prices_.size() ? log_prices_[item] : 0; }

int32_t ItemOutcomes::category(ItemId item) const {
  return item < category_of_.size() ? category_of_[item] : kNoCategory;
}

}  // namespace perennial
