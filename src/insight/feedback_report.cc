#include "insight/feedback_report.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "base/random.h"
#include "base/text.h"
#include "events/feedback_kind.h"
#include "log/slate_log.h"

namespace perennial {
namespace {

constexpr TimeMs kDayMs = 86'400'000;
constexpr size_t kSampledScores = 100'000;
constexpr size_t kDeciles = 10;
constexpr std::array<std::string_view, 9> kGroupings = {"position", "source", "model", "variant", "surface",
                                                        "stage",    "score",  "day",   "all"};

struct Touch {
  ItemId item;  // kNoId: the whole list
  FeedbackKind kind;
  float value;
};

struct IdHash {  // clients choose the ids that their events name
  uint64_t seed = random_message_id().low;
  size_t operator()(const MessageId& id) const { return mix64(mix64(id.low ^ seed) ^ id.high); }
};
using Touches = std::unordered_map<MessageId, std::vector<Touch>, IdHash>;

/// What became of one item of one list.
struct Outcome {
  bool seen = false, clicked = false, ordered = false;
  float rating = NAN;
};

struct Group {
  int64_t shown = 0, seen = 0, clicked = 0, ordered = 0, rated = 0;
  int64_t base = 0;                     // of the rates: those seen where that is known, else those shown
  double mean_rating = 0, squares = 0;  // squares: of the ratings' distances from their mean, by Welford

  void add(const Outcome& outcome) {
    ++shown;
    seen += outcome.seen ? 1 : 0;
    clicked += outcome.clicked ? 1 : 0;
    ordered += outcome.ordered ? 1 : 0;
    if (std::isnan(outcome.rating)) return;
    ++rated;
    const double distance = outcome.rating - mean_rating;
    mean_rating += distance / static_cast<double>(rated);
    squares += distance * (outcome.rating - mean_rating);
  }

  void add(const Group& other, bool seen_is_known) {
    shown += other.shown;
    seen += other.seen;
    base += seen_is_known ? other.seen : other.shown;
    clicked += other.clicked;
    ordered += other.ordered;
    if (other.rated == 0) return;
    const auto n = static_cast<double>(rated);
    const auto m = static_cast<double>(other.rated);
    const double distance = other.mean_rating - mean_rating;
    mean_rating += distance * m / (n + m);
    squares += other.squares + distance * distance * n * m / (n + m);
    rated += other.rated;
  }
};

Result<Touches> touches_of(LogReader& log, TimeMs from, TimeMs to) {
  Touches touches;
  PERENNIAL_TRY_ASSIGN(const Offset end, log.end());
  PERENNIAL_TRY(log.replay(0, end, [&](const StoredRecord& record) {
    const auto* event = std::get_if<Event>(&record.payload);
    if (event == nullptr || event->recommendation_id.empty()) return Status();
    const Result<MessageId> id = message_id_from_hex(event->recommendation_id);
    if (!id.ok() || time_of_slate(*id) < from || time_of_slate(*id) >= to) return Status();
    touches[*id].push_back({record.item, feedback_kind(log.event_types().name(record.type)), event->value});
    return Status();
  }));
  return touches;
}

Outcome outcome_of(const std::vector<Touch>& touches, ItemId item) {
  Outcome outcome;
  for (const Touch& touch : touches) {
    if (touch.item == kNoId && touch.kind == FeedbackKind::impression) outcome.seen = true;
    if (touch.item != item) continue;
    outcome.seen = true;  // who clicks has seen it
    outcome.clicked |= touch.kind == FeedbackKind::click;
    outcome.ordered |= touch.kind == FeedbackKind::order;
    if (touch.kind == FeedbackKind::rating && !std::isnan(touch.value)) outcome.rating = touch.value;
  }
  return outcome;
}

/// Scores of different sources, and of different models, are on scales of their own.
using Scale = std::pair<ItemSource, std::string>;
using Bounds = std::map<Scale, std::vector<float>>;

/// The scores that divide those of the time into ten parts, rising, from a random sample of them.
Result<Bounds> score_bounds(const fs::path& data_folder, const FeedbackOptions& options) {
  Random random(1);
  Bounds samples;
  std::map<Scale, uint64_t> met;
  PERENNIAL_TRY(read_slates(data_folder, options.from, options.to, [&](const Slate& slate) {
                  for (const SlateItem& item : slate.items) {
                    const Scale scale{item.source, slate.model};
                    std::vector<float>& sample = samples[scale];
                    const uint64_t count = ++met[scale];
                    if (sample.size() < kSampledScores)
                      sample.push_back(item.score);
                    else if (const uint64_t place = random.below(count); place < kSampledScores)
                      sample[place] = item.score;
                  }
                  return Status();
                }).status());
  Bounds bounds;
  for (auto& [scale, sample] : samples) {
    std::ranges::sort(sample);
    for (size_t i = 1; i < kDeciles; ++i) bounds[scale].push_back(sample[i * sample.size() / kDeciles]);
  }
  return bounds;
}

/// Of a next page nobody knows here at which position it begins; a pinned item has no score.
bool belongs(const std::string& by, const Slate& slate, const SlateItem& item) {
  if (by == "position") return slate.after.is_zero();
  return by != "score" || item.source != ItemSource::pinned;
}

/// Rows are in the order of the key's number, then of its text.
using Key = std::pair<int64_t, std::string>;

Key key_of(const std::string& by, const Slate& slate, size_t position, const Bounds& bounds) {
  const SlateItem& item = slate.items[position];
  if (by == "position") return {static_cast<int64_t>(position) + 1, ""};
  if (by == "source") return {0, source_name(item.source)};
  if (by == "model") return {0, slate.model};
  if (by == "variant") return {0, slate.policy};
  if (by == "surface") return {0, slate.surface};
  if (by == "stage") return {0, slate.stage.empty() ? "unknown" : slate.stage};
  if (by == "day") return {slate.time / kDayMs * kDayMs, ""};
  if (by == "score") {
    const std::vector<float>& its = bounds.at({item.source, slate.model});
    return {1 + (std::ranges::upper_bound(its, item.score) - its.begin()), ""};
  }
  return {0, "all"};
}

Cell key_cell(const std::string& by, const Key& key) {
  const bool number = by == "position" || by == "score" || by == "day";
  return number ? Cell(key.first) : Cell(key.second);
}

/// Wilson's interval of a share, at 95 %.
std::pair<Cell, Cell> interval(int64_t part, int64_t whole) {
  if (whole == 0) return {};
  constexpr double z = 1.959964;
  const auto n = static_cast<double>(whole);
  const double p = static_cast<double>(part) / n;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double width = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
  return {Cell(std::max(0.0, middle - width)), Cell(std::min(1.0, middle + width))};
}

std::vector<Cell> row_of(const Cell& key, const Group& group) {
  const int64_t base = group.base;
  std::vector<Cell> row = {key, group.shown, group.seen};
  for (const int64_t part : {group.clicked, group.ordered}) {
    const auto [low, high] = interval(part, base);
    row.emplace_back(part);
    row.push_back(quotient(part, base));
    row.push_back(low);
    row.push_back(high);
  }
  row.emplace_back(group.rated);
  if (group.rated == 0) {
    row.insert(row.end(), 2, Cell());
    return row;
  }
  const auto n = static_cast<double>(group.rated);
  const double deviation = n > 1 ? std::sqrt(group.squares / (n - 1)) : 0;
  row.emplace_back(group.mean_rating);
  row.push_back(number_or_blank(n > 1 ? std::optional(1.959964 * deviation / std::sqrt(n)) : std::nullopt));
  return row;
}

std::vector<Column> columns(const std::string& by) {
  const bool number = by == "position" || by == "score";
  return {{.name = by == "score" ? "score_decile" : by,
           .type = by == "day" ? ColumnType::date
                   : number    ? ColumnType::count
                               : ColumnType::text},
          {.name = "shown", .type = ColumnType::count},
          {.name = "seen", .type = ColumnType::count},
          {.name = "clicked", .type = ColumnType::count},
          {.name = "ctr", .type = ColumnType::share, .look = Look::bar, .head = "CTR"},
          {.name = "ctr_low", .type = ColumnType::share, .head = "from"},
          {.name = "ctr_high", .type = ColumnType::share, .head = "to"},
          {.name = "ordered", .type = ColumnType::count},
          {.name = "conversion", .type = ColumnType::share, .look = Look::bar},
          {.name = "conversion_low", .type = ColumnType::share, .head = "from"},
          {.name = "conversion_high", .type = ColumnType::share, .head = "to"},
          {.name = "rated", .type = ColumnType::count},
          {.name = "mean_rating", .type = ColumnType::ratio, .head = "mean rating"},
          {.name = "mean_rating_margin", .type = ColumnType::ratio, .head = "+-"}};
}

}  // namespace

Result<Table> feedback_report(const fs::path& data_folder, LogReader& log, const FeedbackOptions& options) {
  if (std::ranges::find(kGroupings, options.by) == kGroupings.end())
    return invalid_argument("'by' must be one of {}, not '{:.40}'", fmt::join(kGroupings, ", "), options.by);
  if (options.from >= options.to) return invalid_argument("'from' must be before 'to'");
  PERENNIAL_TRY_ASSIGN(const Touches touches, touches_of(log, options.from, options.to));
  Bounds bounds;
  if (options.by == "score") {
    PERENNIAL_TRY_ASSIGN(bounds, score_bounds(data_folder, options));
  }
  std::map<Key, std::map<std::string, Group>> groups;  // by surface
  std::set<std::string> seeing;                        // surfaces whose clients tell impressions
  int64_t lists = 0;
  PERENNIAL_TRY_ASSIGN(
      const int64_t damaged, read_slates(data_folder, options.from, options.to, [&](const Slate& slate) {
        static const std::vector<Touch> kNone;
        const auto found = touches.find(slate.id);
        const std::vector<Touch>& its = found == touches.end() ? kNone : found->second;
        if (std::ranges::find(its, FeedbackKind::impression, &Touch::kind) != its.end()) seeing.insert(slate.surface);
        for (size_t i = 0; i < slate.items.size(); ++i)
          if (belongs(options.by, slate, slate.items[i]))
            groups[key_of(options.by, slate, i, bounds)][slate.surface].add(outcome_of(its, slate.items[i].item));
        ++lists;
        return Status();
      }));
  Table table{
      .name = "feedback", .title = "What became of recommendations", .at = options.to, .columns = columns(options.by)};
  table.explanation =
      fmt::format("Items of {} lists served from {} to {}, by {}; rates are of those {}, with 95 % intervals.", lists,
                  format_iso8601(options.from).substr(0, 10), format_iso8601(options.to).substr(0, 10), options.by,
                  seeing.empty() ? "shown" : "seen");
  for (const auto& [key, by_surface] : groups) {
    Group all;
    for (const auto& [surface, group] : by_surface) all.add(group, seeing.contains(surface));
    table.rows.push_back(row_of(key_cell(options.by, key), all));
  }
  table.notes = {seeing.empty()
                     ? "No client sent impressions, so whether an item was seen is not known."
                     : fmt::format("Seen: an impression of the item or of its list was sent, or the item was "
                                   "clicked, ordered or rated. On surfaces without impressions all that was "
                                   "shown counts; impressions came from: {}.",
                                   fmt::join(seeing, ", ")),
                 "Events count by the recommendation_id that they carry, once an item of a list. The lists of one user "
                 "are not independent, so the intervals are somewhat too narrow."};
  if (options.by == "position")
    table.notes.emplace_back("Items further up are also the better ones: a falling rate is not all due to the place.");
  if (damaged > 0) table.notes.push_back(fmt::format("{} damaged packs of lists were left out.", damaged));
  return table;
}

}  // namespace perennial
