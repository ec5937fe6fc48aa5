// perennial lifecycle user: where one user stands, and every change that led there.
#include "base/json.h"
#include "base/text.h"
#include "cli/lifecycle_data.h"

namespace perennial {
namespace {

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
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  const TimeMs now = data.now;
  const std::optional<UserId> id = data.log->users().find(flags.user);
  const Life* life = id ? data.lives.find(*id) : nullptr;
  if (life == nullptr) return not_found("nothing is known of the user '{}' in {}", flags.user, line.data);
  const Definition& definition = data.lives.definition();
  const Standing standing = standing_at(definition, life->facts, now);
  const TimeMs next = next_change(definition, life->facts, now);
  json::array changes;
  if (!line.json) fmt::print("{} at {}: {}\n\n", flags.user, format_iso8601(now), words_of(standing));
  for (const Transition& change : transitions(definition, life->facts, now)) {
    PERENNIAL_TRY_ASSIGN(const std::string cause, cause_of(change, *data.log));
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

void add_lifecycle_user_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<LifecycleFlags>();
  CLI::App* command =
      add_command(app, line, "user", "One user's stage, and every change that led there",
                  "perennial lifecycle user --data shop user-42", [&line, flags] { return user(line, *flags); });
  command->add_option("user", flags->user, "user id")->required();
  add_output_flags(*command, line, *flags, false);
}

}  // namespace perennial
