#include "recommend/item_outcomes.h"

#include <cmath>
#include <map>
#include <unordered_map>

#include "recommend/credibility.h"

namespace perennial {
namespace {

constexpr TimeMs kHourMs = 3'600'000;
constexpr TimeMs kDayMs = 24 * kHourMs;
constexpr TimeMs kNextVisitMs = 6 * kHourMs;
constexpr TimeMs kLastsMs[kOutcomes] = {7 * kDayMs, 7 * kDayMs, 30 * kDayMs};
constexpr double kUserStrength = 10;  // encounters that all users' rate is worth in one user's

struct Encounter {
  ItemId item = kNoId;
  TimeMs start = 0;
  bool success = false;
};

bool holds(const std::vector<bool>& types, EventTypeId type) { return type < types.size() && types[type]; }

/// Sums of one outcome by item. A user's expectation is linear in the rate of all, which is known at the end only: kept
/// apart are the part from the user's own successes and the part that the rate multiplies.
class Tally {
 public:
  Tally(Outcome outcome, const OutcomeTypes& types, size_t items, TimeMs newest)
      : outcome_(outcome),
        types_(outcome == Outcome::conversion ? types.value : types.sharing),
        lasts_ms_(kLastsMs[static_cast<size_t>(outcome)]),
        newest_(newest),
        open_(items),
        successes_(items),
        own_(items),
        shared_(items) {}

  void add(const std::vector<HistoryToken>& history) {
    encounters_.clear();
    for (size_t i = 0; i < history.size(); ++i)
      if (history[i].time != kNoTime && history[i].item < open_.size()) take(history, i);
    for (const Encounter& encounter : encounters_) open_[encounter.item] = 0;
    std::erase_if(encounters_, [&](const Encounter& e) { return e.start + lasts_ms_ > newest_; });
    const auto count = static_cast<double>(encounters_.size());
    double successes = 0;
    for (const Encounter& encounter : encounters_) successes += encounter.success ? 1 : 0;
    for (const Encounter& encounter : encounters_) {
      successes_[encounter.item] += encounter.success ? 1 : 0;
      own_[encounter.item] += successes / (count + kUserStrength);
      shared_[encounter.item] += kUserStrength / (count + kUserStrength);
    }
    all_encounters_ += count;
    all_successes_ += successes;
  }

  [[nodiscard]] double rate() const { return all_encounters_ > 0 ? all_successes_ / all_encounters_ : 0; }

  /// By item; the expectations sum to the successes.
  [[nodiscard]] std::vector<Observed> observed() const {
    std::vector<Observed> units(successes_.size());
    double expected = 0;
    for (size_t i = 0; i < units.size(); ++i) {
      units[i] = {successes_[i], own_[i] + rate() * shared_[i]};
      expected += units[i].expected;
    }
    if (expected > 0)
      for (Observed& unit : units) unit.expected *= all_successes_ / expected;
    return units;
  }

 private:
  void take(const std::vector<HistoryToken>& history, size_t at) {
    const HistoryToken& token = history[at];
    const bool is_outcome = outcome_ != Outcome::revisit && holds(types_, token.type);
    uint32_t& open = open_[token.item];
    if (open != 0 && token.time < encounters_[open - 1].start + lasts_ms_) {
      encounters_[open - 1].success |= is_outcome;
    } else if (!is_outcome) {
      encounters_.push_back({token.item, token.time, outcome_ == Outcome::revisit && comes_again(history, at)});
      open = static_cast<uint32_t>(encounters_.size());
    }
  }

  [[nodiscard]] bool comes_again(const std::vector<HistoryToken>& history, size_t at) const {
    const TimeMs start = history[at].time;
    for (size_t later = at + 1; later < history.size(); ++later)
      if (history[later].time >= start + kNextVisitMs) return history[later].time < start + lasts_ms_;
    return false;
  }

  const Outcome outcome_;
  const std::vector<bool>& types_;
  const TimeMs lasts_ms_;
  const TimeMs newest_;
  std::vector<Encounter> encounters_;  // of one history
  std::vector<uint32_t> open_;         // by item: place of its newest encounter of this history, plus 1; 0: none
  std::vector<double> successes_;      // by item, here and below
  std::vector<double> own_;
  std::vector<double> shared_;
  double all_encounters_ = 0;
  double all_successes_ = 0;
};

TimeMs newest_event(const State& state) {
  TimeMs newest = kNoTime;
  state.profiles().for_each([&](UserId, const Profile& profile) {
    if (!profile.history.empty()) newest = std::max(newest, profile.history.back().time);
  });
  return newest;
}

/// Of the items that have a price, in the currency that most prices are in; NaN for all others.
std::vector<double> log_prices(const Catalogue& catalogue, size_t items) {
  std::map<std::string, std::vector<std::pair<size_t, double>>> by_currency;
  for (size_t item = 0; item < items; ++item) {
    const Item* known = catalogue.find(static_cast<ItemId>(item));
    const std::optional<Money> price = known != nullptr ? known->price() : std::nullopt;
    if (price && price->minor_units > 0)
      by_currency[price->currency].emplace_back(item, std::log(static_cast<double>(price->minor_units)));
  }
  std::vector<double> prices(items, NAN);
  const auto most = std::max_element(by_currency.begin(), by_currency.end(),
                                     [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  if (most == by_currency.end()) return prices;
  for (const auto& [item, price] : most->second) prices[item] = price;
  return prices;
}

}  // namespace

void ItemOutcomes::read_catalogue(const Catalogue& catalogue, size_t items) {
  std::unordered_map<std::string, int32_t> numbers;
  category_of_.assign(items, kNoCategory);
  for (size_t item = 0; item < items; ++item) {
    const Item* known = catalogue.find(static_cast<ItemId>(item));
    const std::vector<std::string> names = known != nullptr ? known->categories() : std::vector<std::string>();
    if (names.empty()) continue;
    const auto [found, added] = numbers.try_emplace(names.front(), categories_);
    if (added) ++categories_;
    category_of_[item] = found->second;
  }
  const std::vector<double> prices = log_prices(catalogue, items);
  double sum = 0;
  double count = 0;
  for (const double price : prices) {
    if (std::isnan(price)) continue;
    sum += price;
    ++count;
  }
  for (const double price : prices)
    log_prices_.push_back(std::isnan(price) ? 0.0F : static_cast<float>(price - sum / count));
}

ItemOutcomes ItemOutcomes::learn(const State& state, const OutcomeTypes& types, size_t items) {
  ItemOutcomes learned;
  learned.read_catalogue(state.catalogue(), items);
  const TimeMs newest = newest_event(state);
  for (size_t outcome = 0; outcome < kOutcomes; ++outcome) {
    Tally tally(static_cast<Outcome>(outcome), types, items, newest);
    state.profiles().for_each([&](UserId, const Profile& profile) { tally.add(profile.history); });
    learned.mean_rates_[outcome] = tally.rate();
    for (const double ratio :
         credible_ratios(tally.observed(), learned.category_of_, learned.categories_, tally.rate()))
      learned.log_ratios_[outcome].push_back(static_cast<float>(std::log(ratio)));
  }
  return learned;
}

double ItemOutcomes::log_ratio(Outcome outcome, ItemId item) const {
  const std::vector<float>& ratios = log_ratios_[static_cast<size_t>(outcome)];
  return item < ratios.size() ? ratios[item] : 0;
}

double ItemOutcomes::log_price(ItemId item) const { return item < log_prices_.size() ? log_prices_[item] : 0; }

int32_t ItemOutcomes::category(ItemId item) const {
  return item < category_of_.size() ? category_of_[item] : kNoCategory;
}

}  // namespace perennial
