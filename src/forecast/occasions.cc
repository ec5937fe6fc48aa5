#include "forecast/occasions.h"

namespace perennial {
namespace {

int64_t day_of(TimeMs time) { return time / kMsOfDay - (time % kMsOfDay < 0 ? 1 : 0); }

/// Calls visit(day, money of that day in minor units) for the days with facts up to `now`, in order.
template <typename Visit>
void for_each_day(std::span<const Fact> facts, TimeMs now, const Visit& visit) {
  const std::span<const Fact> known = facts.first(count_until(facts, now));
  for (size_t begin = 0; begin < known.size();) {
    const int64_t day = day_of(known[begin].time);
    size_t end = begin + 1;
    while (end < known.size() && day_of(known[end].time) == day) ++end;
    visit(day, money_between(known, begin, end));
    begin = end;
  }
}

}  // namespace

std::optional<PurchaseHistory> history_at(std::span<const Fact> facts, TimeMs now) {
  std::optional<int64_t> first;
  PurchaseHistory history{-1, 0, 0};
  for_each_day(facts, now, [&](int64_t day, int64_t money_minor) {
    if (money_minor < 0) return;
    if (!first) first = day;
    ++history.repeats;
    history.recency = static_cast<double>(day - *first);
  });
  if (!first) return std::nullopt;
  history.age = static_cast<double>(day_of(now) - *first);
  return history;
}

Spend spend_at(std::span<const Fact> facts, TimeMs now, int64_t minor_units) {
  Spend spend;
  double total = 0;
  for_each_day(facts, now, [&](int64_t, int64_t money_minor) {
    const double money = static_cast<double>(money_minor) / static_cast<double>(minor_units);
    if (!(money > 0)) return;
    ++spend.transactions;
    total += money;
  });
  if (spend.transactions > 0) spend.mean = total / spend.transactions;
  return spend;
}

std::vector<PurchaseHistory> histories_at(std::span<const Subject> subjects, uint8_t signal, TimeMs now) {
  std::vector<PurchaseHistory> histories;
  for (const Subject& subject : subjects)
    if (const auto history = history_at(subject.facts->of(signal), now)) histories.push_back(*history);
  return histories;
}

}  // namespace perennial
