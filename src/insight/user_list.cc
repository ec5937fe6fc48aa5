#include "insight/user_list.h"

#include <algorithm>

#include "base/text.h"

namespace perennial {
namespace {

struct Listed {
  UserId user = kNoId;
  Standing standing;
  TimeMs last_activity = kNoTime;
  int64_t orders = 0;
  int64_t money = 0;

  [[nodiscard]] bool before(const Listed& other) const {
    if (money != other.money) return money > other.money;
    if (last_activity != other.last_activity) return last_activity > other.last_activity;
    return user < other.user;
  }
};

/// The first `limit` in the order of Listed::before, of however many.
class Best {
 public:
  explicit Best(size_t limit) : limit_(limit) {}

  void add(const Listed& listed) {
    ++seen_;
    listed_.push_back(listed);
    if (listed_.size() >= 2 * limit_ + 1000) cut();
  }

  std::vector<Listed> sorted() {
    cut();
    std::sort(listed_.begin(), listed_.end(), before);
    return std::move(listed_);
  }
  [[nodiscard]] int64_t seen() const { return seen_; }

 private:
  static bool before(const Listed& a, const Listed& b) { return a.before(b); }
  void cut() {
    if (listed_.size() <= limit_) return;
    std::nth_element(listed_.begin(), listed_.begin() + static_cast<ptrdiff_t>(limit_), listed_.end(), before);
    listed_.resize(limit_);
  }

  size_t limit_;
  int64_t seen_ = 0;
  std::vector<Listed> listed_;
};

Listed look_at(const Definition& definition, uint8_t money_signal, UserId user, const Life& life,
               const Standing& standing, TimeMs now) {
  Listed listed{user, standing, kNoTime, 0, 0};
  const std::span<const Fact> activity = life.facts.of(definition.activity);
  if (const size_t known = count_until(activity, now); known > 0)
    listed.last_activity = std::max(activity[known - 1].time, life.first_seen);
  for (const Purchase& purchase : purchases(life, money_signal, now)) {
    ++listed.orders;
    listed.money += purchase.amount_minor;
  }
  return listed;
}

std::string who(const UserListOptions& options) {
  std::string words = "users";
  if (options.stage) words.append(" in ").append(stage_name(*options.stage));
  if (options.overlay == Overlay::none) words += ", neither silent nor won back";
  if (options.overlay && *options.overlay != Overlay::none) words.append(", ").append(overlay_name(*options.overlay));
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

Cell time_or_blank(TimeMs time) {
  Cell cell;
  if (time != kNoTime) cell.value = time;
  return cell;
}

/// `life` is the user's.
std::vector<Cell> row_of(const Life& life, const Definition& definition, const Dictionary& users, const Listed& listed,
                         TimeMs now) {
  const std::vector<Transition> changes = transitions(definition, life.facts, now);
  const TimeMs since = changes.empty() ? life.first_seen : std::max(changes.back().time, life.first_seen);
  return {users.name(listed.user),
          std::string(stage_name(listed.standing.stage)),
          std::string(listed.standing.overlay == Overlay::none ? "" : overlay_name(listed.standing.overlay)),
          time_or_blank(since),
          time_or_blank(listed.last_activity),
          listed.orders,
          listed.money};
}

}  // namespace

Result<Stage> parse_stage(std::string_view name) {
  for (size_t stage = 0; stage < kStages; ++stage)
    if (name == stage_name(static_cast<Stage>(stage))) return static_cast<Stage>(stage);
  return invalid_argument("'{:.40}' is no stage: want acquisition, activation, retention, expansion or advocacy", name);
}

Result<Overlay> parse_overlay(std::string_view name) {
  for (size_t overlay = 0; overlay < kOverlays; ++overlay)
    if (name == overlay_name(static_cast<Overlay>(overlay))) return static_cast<Overlay>(overlay);
  return invalid_argument("'{:.40}' is no overlay: want at_risk, churned, won_back or none", name);
}

Result<Table> user_list(const Lives& lives, const Dictionary& users, const UserListOptions& options,
                        const std::string& currency, TimeMs now) {
  PERENNIAL_TRY(earliest_seen(lives).status());
  const Definition& definition = lives.definition();
  PERENNIAL_TRY_ASSIGN(const uint8_t money_signal, signal_named(definition, options.money_signal));
  Best best(static_cast<size_t>(std::max<int64_t>(options.limit, 0)));
  lives.for_each([&](UserId user, const Life& life) {
    if (!known_at(life, now)) return;
    const Standing standing = standing_at(definition, life.facts, now);
    if (options.stage && standing.stage != *options.stage) return;
    if (options.overlay && standing.overlay != *options.overlay) return;
    best.add(look_at(definition, money_signal, user, life, standing, now));
  });
  const std::vector<Listed> listed = best.sorted();
  Table table{.name = "users", .title = "Users", .at = now, .currency = currency};
  table.explanation = fmt::format("{} {} at {:.10}; the {} with most money first.", with_commas(best.seen()),
                                  who(options), format_iso8601(now), with_commas(static_cast<int64_t>(listed.size())));
  table.columns = {{.name = "user_id", .head = "user"},
                   {.name = "stage"},
                   {.name = "overlay"},
                   {.name = "since", .type = ColumnType::date},
                   {.name = "last_activity", .type = ColumnType::date},
                   {.name = "orders", .type = ColumnType::count},
                   {.name = "money", .type = ColumnType::money}};
  for (const Listed& one : listed)
    if (const Found<Life> life = lives.find(one.user))  // a disk may fail between two looks
      table.rows.push_back(row_of(*life, definition, users, one, now));
  return table;
}

}  // namespace perennial
