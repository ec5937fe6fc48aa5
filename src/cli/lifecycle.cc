// perennial lifecycle: at which stage of their life the users are, at any date, and how one of them came there.
#include "base/json.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "lifecycle/stage_counts.h"
#include "log/sqlite_log.h"

namespace perennial {
namespace {

constexpr int kBarWidth = 32;

struct LifecycleFlags {
  std::string at;
  std::string user;
};

/// The instant asked for; now when none is.
Result<TimeMs> instant_of(const std::string& at) {
  if (at.empty()) return SystemClock().now_ms();
  return parse_timestamp(at);
}

Result<Lives> fold_lives(const CommandLine& line, LogReader& log) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(Definition definition, stage_definition(settings));
  PERENNIAL_TRY_ASSIGN(const Offset end, log.end());
  Lives lives(std::move(definition), log.event_types(), log.users());
  PERENNIAL_TRY(lives.catch_up(log, end));
  return lives;
}

void print_counts(const StageCounts& counts, TimeMs now, const Definition& definition) {
  fmt::print("{} users at {}\n\n", with_commas(counts.all()), format_iso8601(now));
  fmt::print("{:12} {:>10} {:>6}  {:{}}  {:>9} {:>9} {:>9}\n", "stage", "users", "", "", kBarWidth, "at risk",
             "churned", "won back");
  for (size_t stage = 0; stage < kStages; ++stage) {
    const int64_t users = counts.in(static_cast<Stage>(stage));
    const double share = counts.all() == 0 ? 0 : static_cast<double>(users) / static_cast<double>(counts.all());
    const int filled = static_cast<int>(share * kBarWidth + 0.5);
    std::string bar;
    for (int i = 0; i < kBarWidth; ++i) bar += i < filled ? "━" : " ";
    fmt::print("{:12} {:>10} {:>4.0f} %  {}", stage_name(static_cast<Stage>(stage)), with_commas(users), 100 * share,
               bar);
    for (size_t overlay = 1; overlay < kOverlays; ++overlay)
      fmt::print(" {}{:>9}", overlay == 1 ? " " : "", with_commas(counts.users[stage][overlay]));
    fmt::print("\n");
  }
  fmt::print("\n");
  for (size_t stage = 1; stage < kStages; ++stage)
    fmt::print("{:12} {}\n", stage_name(static_cast<Stage>(stage)), definition.rules[stage].text);
}

Status report(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const TimeMs now, instant_of(flags.at));
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(line.data));
  PERENNIAL_TRY_ASSIGN(const Lives lives, fold_lives(line, *log));
  const StageCounts counts = count_stages(lives, now);
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(counts, now)));
  else
    print_counts(counts, now, lives.definition());
  return {};
}

std::string words_of(const Standing& standing) {
  std::string words = stage_name(standing.stage);
  if (standing.overlay != Overlay::none) words.append(", ").append(overlay_name(standing.overlay));
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

/// What brought the change about: an event's type, or the silence or the window that time alone ended.
Result<std::string> cause_of(const Transition& change, LogReader& log) {
  if (change.offset == 0)
    return std::string(change.from.stage == change.to.stage ? "silence" : "events left the rule's window");
  std::string type;
  PERENNIAL_TRY(log.replay(change.offset - 1, change.offset, [&](const StoredRecord& record) {
    return type = log.event_types().name(record.type), Status();
  }));
  return type;
}

Status user(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const TimeMs now, instant_of(flags.at));
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(line.data));
  PERENNIAL_TRY_ASSIGN(const Lives lives, fold_lives(line, *log));
  const std::optional<UserId> id = log->users().find(flags.user);
  const Life* life = id ? lives.find(*id) : nullptr;
  if (life == nullptr) return not_found("nothing is known of the user '{}' in {}", flags.user, line.data);
  const Definition& definition = lives.definition();
  const Standing standing = standing_at(definition, life->facts, now);
  const TimeMs next = next_change(definition, life->facts, now);
  json::array changes;
  if (!line.json) fmt::print("{} at {}: {}\n\n", flags.user, format_iso8601(now), words_of(standing));
  for (const Transition& change : transitions(definition, life->facts, now)) {
    PERENNIAL_TRY_ASSIGN(const std::string cause, cause_of(change, *log));
    const std::string& rule = definition.rules[static_cast<size_t>(change.to.stage)].text;
    if (line.json)
      changes.push_back(json::object{{"time", format_iso8601(change.time)},
                                     {"stage", stage_name(change.to.stage)},
                                     {"overlay", overlay_name(change.to.overlay)},
                                     {"cause", cause},
                                     {"offset", change.offset},
                                     {"rule", rule}});
    else
      fmt::print("{:.10}  {:24} {:28} {}\n", format_iso8601(change.time), words_of(change.to), cause,
                 change.from.stage == change.to.stage ? "" : rule);
  }
  if (line.json)
    fmt::print("{}\n", json::serialize(json::object{{"user_id", flags.user},
                                                    {"at", format_iso8601(now)},
                                                    {"stage", stage_name(standing.stage)},
                                                    {"overlay", overlay_name(standing.overlay)},
                                                    {"transitions", std::move(changes)}}));
  else if (next != kNeverChanges)
    fmt::print("\nWithout another event nothing changes before {:.10}.\n", format_iso8601(next));
  return {};
}

}  // namespace

void add_lifecycle_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<LifecycleFlags>();
  CLI::App* command = app.add_subcommand("lifecycle", "At which stage of their life the users are");
  command->require_subcommand(1);
  command->footer(
      "Example:\n  perennial lifecycle report --data shop --at 2026-03-01\n\nThe stages are defined under "
      "[lifecycle] in the configuration; 'perennial config show' lists the keys.");
  CLI::App* reported = add_command(*command, line, "report", "Users by stage, at any date",
                                   "perennial lifecycle report --data shop --at 2026-03-01",
                                   [&line, flags] { return report(line, *flags); });
  CLI::App* told =
      add_command(*command, line, "user", "One user's stage, and every change that led there",
                  "perennial lifecycle user --data shop user-42", [&line, flags] { return user(line, *flags); });
  told->add_option("user", flags->user, "user id")->required();
  for (CLI::App* each : {reported, told}) {
    each->add_option("--at", flags->at, "at this time (2026-03-01 or 2026-03-01T10:00:00Z) instead of now");
    each->add_flag("--json", line.json, "print as JSON");
  }
}

}  // namespace perennial
