#include "insight/behaviours.h"

#include <algorithm>
#include <unordered_set>

#include "base/text.h"
#include "insight/activation.h"
#include "insight/risk_ratio.h"
#include "profiles/identities.h"

namespace perennial {
namespace {

constexpr int64_t kFewestUsers = 10;
constexpr int64_t kMostDays = 3650;
constexpr double kConfidence = 0.95;

struct Compared {
  std::unordered_map<UserId, bool> activated;  // who is compared, and whether activated in time
  Group all;
};

Compared compared_users(const Lives& lives, const BehaviourOptions& options, TimeMs now) {
  Compared compared;
  lives.for_each([&](UserId user, const Life& life) {
    if (!known_at(life, now - options.within_days * kDayMs)) return;
    const TimeMs until = life.first_seen + options.within_days * kDayMs;
    const auto activated = activation_time(lives.definition(), life, until);
    if (activated && *activated < life.first_seen + options.early_days * kDayMs) return;
    compared.activated.emplace(user, activated.has_value());
    ++compared.all.users;
    compared.all.happened += activated ? 1 : 0;
  });
  return compared;
}

/// Which users did which types in their early days. Users are resolved at the end: a merge comes after the events that
/// it moves.
class EarlyDeeds {
 public:
  EarlyDeeds(const Lives& lives, TimeMs early_ms) : lives_(lives), early_ms_(early_ms) {}

  void apply(const StoredRecord& record) {
    if (record.user == kNoId) return;
    if (std::holds_alternative<IdentityMerge>(record.payload)) {
      identities_.merge(record.user, record.into);
    } else if (std::holds_alternative<Erasure>(record.payload)) {
      identities_.forget(record.user);
    } else if (std::holds_alternative<Event>(record.payload) && record.time != kNoTime) {
      const Found<Life> life = lives_.find(record.user);
      if (life == nullptr || life->first_seen == kNoTime || record.time >= life->first_seen + early_ms_) return;
      deeds_.insert(uint64_t{record.type} << 32 | record.user);
    }
  }

  /// By event type: of those compared, who did it.
  [[nodiscard]] std::unordered_map<EventTypeId, Group> groups(const Compared& compared) const {
    std::unordered_set<uint64_t> resolved;
    std::unordered_map<EventTypeId, Group> groups;
    for (const uint64_t deed : deeds_) {
      const auto type = static_cast<EventTypeId>(deed >> 32);
      const UserId user = identities_.resolve(static_cast<UserId>(deed));
      const auto found = compared.activated.find(user);
      if (found == compared.activated.end() || !resolved.insert(uint64_t{type} << 32 | user).second) continue;
      Group& group = groups[type];
      ++group.users;
      group.happened += found->second ? 1 : 0;
    }
    return groups;
  }

 private:
  const Lives& lives_;
  TimeMs early_ms_;
  Identities identities_;
  std::unordered_set<uint64_t> deeds_;  // type and user
};

struct Finding {
  std::string type;
  Group with;
  Group without;
  RiskRatio lift;
};

double share(const Group& group) { return static_cast<double>(group.happened) / static_cast<double>(group.users); }

std::vector<Finding> compare(const std::unordered_map<EventTypeId, Group>& groups, const Group& all,
                             const Dictionary& types) {
  std::vector<Finding> findings;
  for (const auto& [type, with] : groups) {
    const Group without{all.users - with.users, all.happened - with.happened};
    if (with.users >= kFewestUsers && without.users >= kFewestUsers)
      findings.push_back({types.name(type), with, without, {}});
  }
  for (Finding& finding : findings)
    finding.lift = risk_ratio(finding.with, finding.without, kConfidence, static_cast<int64_t>(findings.size()));
  std::sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return a.lift.ratio != b.lift.ratio ? a.lift.ratio > b.lift.ratio : a.type < b.type;
  });
  return findings;
}

const char* verdict(const RiskRatio& lift) {
  return lift.low > 1 ? "activated more often" : lift.high < 1 ? "activated less often" : "no clear difference";
}

std::vector<Column> columns() {
  return {{.name = "behaviour"},
          {.name = "users", .type = ColumnType::count, .head = "users who did"},
          {.name = "activated", .type = ColumnType::share, .look = Look::bar},
          {.name = "activated_without", .type = ColumnType::share, .head = "of the others"},
          {.name = "lift", .type = ColumnType::ratio},
          {.name = "lift_low", .type = ColumnType::ratio, .head = "from"},
          {.name = "lift_high", .type = ColumnType::ratio, .head = "to"},
          {.name = "verdict"}};
}

}  // namespace

Result<Table> early_behaviours(const Lives& lives, LogReader& log, Offset end, const BehaviourOptions& options,
                               TimeMs now) {
  if (options.early_days < 1 || options.within_days <= options.early_days || options.within_days > kMostDays)
    return invalid_argument("{} early days of {}: want at least 1, fewer early ones than in all, and at most {} in all",
                            options.early_days, options.within_days, kMostDays);
  PERENNIAL_TRY(earliest_seen(lives).status());
  const Compared compared = compared_users(lives, options, now);
  EarlyDeeds deeds(lives, options.early_days * kDayMs);
  PERENNIAL_TRY(log.replay(0, end, [&](const StoredRecord& record) { return deeds.apply(record), Status(); }));
  Table table{.name = "behaviours", .title = "Early behaviours and activation", .at = now, .columns = columns()};
  table.explanation = fmt::format(
      "Of the {} users known for {} days and not activated in their first {}, {} were activated by day {}: what goes "
      "with it?",
      with_commas(compared.all.users), options.within_days, options.early_days, with_commas(compared.all.happened),
      options.within_days);
  for (const Finding& finding : compare(deeds.groups(compared), compared.all, log.event_types()))
    table.rows.push_back({finding.type, finding.with.users, share(finding.with), share(finding.without),
                          finding.lift.ratio, finding.lift.low, finding.lift.high, std::string(verdict(finding.lift))});
  table.notes = {
      fmt::format(
          "Lift: the share activated among users who did it in their first {} days / among those who did not. The "
          "95 % intervals hold for all rows together.",
          options.early_days),
      "This shows what goes together, not what causes it: an experiment tells.",
      fmt::format("Left out: types that fewer than {} of these users did, or did not do.", kFewestUsers)};
  return table;
}

}  // namespace perennial
