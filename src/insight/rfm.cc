#include "insight/rfm.h"

#include <algorithm>

#include "base/text.h"

namespace perennial {
namespace {

constexpr int kFifths = 5;

using S = RfmSegment;
/// By recency (rows, 1 to 5) and frequency with money (columns, 1 to 5).
constexpr S kSquare[kFifths][kFifths] = {
    {S::hibernating, S::hibernating, S::slipping, S::slipping, S::cannot_lose},
    {S::hibernating, S::hibernating, S::slipping, S::slipping, S::cannot_lose},
    {S::about_to_sleep, S::about_to_sleep, S::need_attention, S::loyal, S::loyal},
    {S::promising, S::potential_loyal, S::potential_loyal, S::loyal, S::loyal},
    {S::fresh, S::potential_loyal, S::potential_loyal, S::champions, S::champions},
};

struct NamedSegment {
  const char* name;
  const char* who;
};
constexpr std::array<NamedSegment, kRfmSegments> kSegments = {{
    {"champions", "bought lately, often and for much"},
    {"loyal", "buy often and for much, not long ago"},
    {"potential loyal", "bought lately, more than a little"},
    {"new", "bought lately, little so far"},
    {"promising", "bought not long ago, little so far"},
    {"need attention", "average in all, going quiet"},
    {"about to sleep", "bought little, some time ago"},
    {"slipping", "bought a fair amount, long ago"},
    {"cannot lose", "bought most of all, but long ago"},
    {"hibernating", "bought little, long ago"},
}};

struct Buyers {
  std::vector<int64_t> last;
  std::vector<int64_t> times;
  std::vector<int64_t> money;
};

Buyers collect(const Lives& lives, uint8_t signal, TimeMs window_ms, TimeMs now) {
  Buyers buyers;
  lives.for_each([&](UserId, const Life& life) {
    int64_t times = 0;
    int64_t money = 0;
    TimeMs last = 0;
    for (const Purchase& purchase : purchases(life, signal, now)) {
      if (window_ms != 0 && purchase.time <= now - window_ms) continue;
      ++times;
      money += purchase.amount_minor;
      last = purchase.time;
    }
    if (times == 0) return;
    buyers.last.push_back(last);
    buyers.times.push_back(times);
    buyers.money.push_back(money);
  });
  return buyers;
}

struct SegmentSum {
  int64_t users = 0;
  int64_t times = 0;
  int64_t money = 0;
  double silence_days = 0;
};

std::array<SegmentSum, kRfmSegments> sum_by_segment(const Buyers& buyers, bool with_money, TimeMs now) {
  const std::vector<int> recency = fifths(buyers.last);
  const std::vector<int> frequency = fifths(buyers.times);
  const std::vector<int> money = fifths(with_money ? buyers.money : buyers.times);
  std::array<SegmentSum, kRfmSegments> sums;
  for (size_t i = 0; i < buyers.last.size(); ++i) {
    SegmentSum& sum = sums[static_cast<size_t>(rfm_segment({recency[i], frequency[i], money[i]}))];
    ++sum.users;
    sum.times += buyers.times[i];
    sum.money += buyers.money[i];
    sum.silence_days += static_cast<double>(now - buyers.last[i]) / static_cast<double>(kDayMs);
  }
  return sums;
}

std::vector<Cell> row_of(const NamedSegment& segment, const SegmentSum& sum, int64_t all_users, int64_t all_money) {
  std::vector<Cell> row = {std::string(segment.name), sum.users, quotient(sum.users, all_users), sum.money,
                           quotient(sum.money, all_money)};
  if (sum.users == 0) {
    row.resize(8);
  } else {
    row.emplace_back(sum.money / sum.users);
    row.push_back(quotient(sum.times, sum.users));
    row.emplace_back(sum.silence_days / static_cast<double>(sum.users));
  }
  row.emplace_back(std::string(segment.who));
  return row;
}

}  // namespace

const char* rfm_segment_name(RfmSegment segment) { return kSegments[static_cast<size_t>(segment)].name; }

RfmSegment rfm_segment(const RfmScores& scores) {
  return kSquare[scores.recency - 1][(scores.frequency + scores.money + 1) / 2 - 1];
}

std::vector<int> fifths(const std::vector<int64_t>& values) {
  std::vector<int64_t> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> scores;
  scores.reserve(values.size());
  for (const int64_t value : values) {
    const auto lower = std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
    scores.push_back(1 + static_cast<int>(kFifths * static_cast<size_t>(lower) / sorted.size()));
  }
  return scores;
}

Result<Table> rfm(const Lives& lives, const RfmOptions& options, const std::string& currency, TimeMs now) {
  PERENNIAL_TRY_ASSIGN(const uint8_t signal, signal_named(lives.definition(), options.signal));
  PERENNIAL_TRY(earliest_seen(lives).status());
  const Buyers buyers = collect(lives, signal, options.window_ms, now);
  const bool with_money =
      std::any_of(buyers.money.begin(), buyers.money.end(), [](int64_t money) { return money != 0; });
  const std::array<SegmentSum, kRfmSegments> sums = sum_by_segment(buyers, with_money, now);
  int64_t all_money = 0;
  for (const SegmentSum& sum : sums) all_money += sum.money;
  Table table{.name = "rfm", .title = "RFM segments", .at = now, .currency = currency};
  const std::string period =
      options.window_ms == 0 ? std::string("so far") : fmt::format("in the last {} days", options.window_ms / kDayMs);
  table.explanation = fmt::format(
      "{} users with the signal '{}' {}, by how lately (R), how often (F) and for how much (M).",
      with_commas(static_cast<int64_t>(buyers.last.size())), lives.definition().signals[signal].name, period);
  table.columns = {{.name = "segment"},
                   {.name = "users", .type = ColumnType::count, .look = Look::bar},
                   {.name = "share_of_users", .type = ColumnType::share},
                   {.name = "money", .type = ColumnType::money},
                   {.name = "share_of_money", .type = ColumnType::share},
                   {.name = "money_per_user", .type = ColumnType::money, .head = "per user"},
                   {.name = "mean_times", .type = ColumnType::mean, .head = "times"},
                   {.name = "mean_silence_days", .type = ColumnType::mean, .head = "days ago"},
                   {.name = "who"}};
  const auto users = static_cast<int64_t>(buyers.last.size());
  for (size_t segment = 0; segment < kRfmSegments && users > 0; ++segment)
    table.rows.push_back(row_of(kSegments[segment], sums[segment], users, all_money));
  table.notes = {
      "Each of R, F and M is scored from 1 to 5 by the fifth of the buyers; equals have equal scores. Segments are "
      "named by R and the mean of F and M.",
      "Lines of one order count once; users who never bought are in none."};
  return table;
}

}  // namespace perennial
