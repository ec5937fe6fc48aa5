// perennial lifecycle user: where one user stands, and every change that led there.
#include "base/text.h"
#include "cli/lifecycle_data.h"
#include "lifecycle/life_story.h"

namespace perennial {
namespace {

void print_story(const LifeStory& story) {
  fmt::print("{} at {}: {}\n\n", printable(story.user_id), format_iso8601(story.at), in_words(story.standing));
  for (const auto& [transition, cause, rule] : story.changes)
    fmt::print("{:.10}  {:24} {:28} {}\n", format_iso8601(transition.time), in_words(transition.to), printable(cause),
               rule);
  if (story.next_change != kNeverChanges)
    fmt::print("\nWithout another event nothing changes before {:.10}.\n", format_iso8601(story.next_change));
}

Status user(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  const std::optional<UserId> id = data.log->users().find(flags.user);
  const Found<Life> life = id ? data.lives.find(*id) : nullptr;
  if (life == nullptr) return not_found("nothing is known of the user '{}' in {}", flags.user, line.data);
  LifeStory story = story_of(data.lives.definition(), *life, flags.user, data.now);
  PERENNIAL_TRY(name_causes(story, *data.log));
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(story)));
  else
    print_story(story);
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
