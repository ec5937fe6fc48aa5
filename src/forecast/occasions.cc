#include "forecast/occasions.h"

#include "forecast/fact_window.h"

namespace perennial {
namespace {

int64_t day_of(TimeMs time) { return time / kMsOfDay - (time % kMsOfDay < 0 ? 1 : 0); }

/// Calls visit(day, facts of that day) for the days up to `now`, in order.
template <typename Visit>
void for_each_day(std::span<const Fact> facts, TimeMs now, const Visit& visit) {
  const std::span<const Fact> known = facts.first(facts_until(facts, now));
  for (size_t begin = 0; begin < known.size();) {
    const int64_t day = day_of(known[begin].time);
    size_t end = begin + 1;
    while (end < known.size() && day_of(known[end].time) == day) ++end;
    visit(day, known.subspan(begin, end - begin));
    begin = end;
  }
}

}  // namespace

std::optional<PurchaseHistory> history_at(std::span<const Fact> facts, TimeMs now) {
  if (facts_until(facts, now) == 0) return std::nullopt;
  const int64_t first = day_of(facts.front().time);
  PurchaseHistory history{-1, 0, static_cast<double>(day_of(now) - first)};
  for_each_day(facts, now, [&](int64_t day, std::span<const Fact>) {
    ++history.repeats;
    history.recency = static_cast<double>(day - first);
  });
  return history;
}

Spend spend_at(std::span<const Fact> facts, TimeMs now, int64_t minor_units) {
  Spend spend;
  double total = 0;
  uint64_t before = 0;  // modulo 2^64, as Fact::total_minor is
  for_each_day(facts, now, [&](int64_t, std::span<const Fact> of_day) {
    const auto after = static_cast<uint64_t>(of_day.back().total_minor);
    const double money = static_cast<double>(static_cast<int64_t>(after - before)) / static_cast<double>(minor_units);
    before = after;
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
