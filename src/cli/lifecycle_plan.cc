// perennial lifecycle plan: who would stand elsewhere under another definition, before it is applied.
#include "base/text.h"
#include "cli/lifecycle_data.h"
#include "lifecycle/life_story.h"
#include "lifecycle/plan.h"

namespace perennial {
namespace {

void print_rules(const Definition& now, const Definition& then) {
  for (size_t stage = 1; stage < kStages; ++stage) {
    if (now.rules[stage].text == then.rules[stage].text) continue;
    fmt::print("  {:12} now   {}\n  {:12} then  {}\n", stage_name(static_cast<Stage>(stage)), now.rules[stage].text, "",
               then.rules[stage].text);
  }
}

void print_counts(const Plan& plan) {
  fmt::print("\n{:12} {:>10} {:>10} {:>10}\n", "stage", "now", "then", "change");
  for (size_t i = 0; i < kStages; ++i) {
    const auto stage = static_cast<Stage>(i);
    const int64_t change = plan.then.in(stage)-plan.now.in(stage);
    fmt::print("{:12} {:>10} {:>10} {:>10}\n", stage_name(stage), with_commas(plan.now.in(stage)),
               with_commas(plan.then.in(stage)), (change > 0 ? "+" : "") + with_commas(change));
  }
}

void print_moves(const Plan& plan, const Dictionary& users) {
  if (plan.other_stage + plan.other_overlay == 0) return;
  fmt::print("\n");
  for (size_t from = 0; from < kStages; ++from)
    for (size_t to = 0; to < kStages; ++to)
      if (from != to && plan.moves[from][to] > 0)
        fmt::print("{:>10}  {} → {}\n", with_commas(plan.moves[from][to]), stage_name(static_cast<Stage>(from)),
                   stage_name(static_cast<Stage>(to)));
  if (plan.other_overlay > 0) fmt::print("{:>10}  in the same stage\n", with_commas(plan.other_overlay));
  if (plan.movers.empty()) return;
  fmt::print("\n{} of them:\n", with_commas(static_cast<int64_t>(plan.movers.size())));
  for (const Mover& mover : plan.movers)
    fmt::print("  {:24} {} → {}\n", printable(users.name(mover.user)), in_words(mover.from), in_words(mover.to));
}

void print_plan(const Plan& plan, const Lives& now, const Lives& then, const Dictionary& users,
                const std::string& file) {
  fmt::print("At {}, {} of {} users would stand elsewhere.\n", format_iso8601(plan.at),
             with_commas(plan.other_stage + plan.other_overlay), with_commas(plan.now.all()));
  print_rules(now.definition(), then.definition());
  print_counts(plan);
  print_moves(plan, users);
  fmt::print("\nNothing has changed. To apply it, serve with --config {}: all of history follows from it.\n", file);
}

Status plan(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(LifecycleData data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const Settings settings, load_settings(flags.planned, line.data));
  PERENNIAL_TRY_ASSIGN(Definition definition, stage_definition(settings));
  if (!flags.allow_unknown_events)
    PERENNIAL_TRY(with_place(check_event_types(settings.lifecycle_signals, data.log->event_types()), settings));
  Lives then(std::move(definition), data.log->event_types(), data.log->users());
  PERENNIAL_TRY(then.catch_up(*data.log, data.lives.applied()));
  const Plan made = compare(data.lives, then, data.now, static_cast<size_t>(flags.limit));
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(made, data.log->users())));
  else
    print_plan(made, data.lives, then, data.log->users(), flags.planned);
  return {};
}

}  // namespace

void add_lifecycle_plan_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<LifecycleFlags>();
  CLI::App* command =
      add_command(app, line, "plan", "Who would move if the stages were defined otherwise",
                  "perennial lifecycle plan --data shop new.toml --at 2026-03-01\n\n"
                  "new.toml is a whole configuration, of which [lifecycle] is looked at. Nothing is changed.",
                  [&line, flags] { return plan(line, *flags); });
  command->add_option("file", flags->planned, "configuration with the new definition (TOML)")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--limit", flags->limit, "how many of the users who would move are named")
      ->check(CLI::Range(int64_t{0}, int64_t{100'000'000}))
      ->capture_default_str();
  command->add_flag("--allow-unknown-events", flags->allow_unknown_events,
                    "take event types that the log has never seen: they are yet to come");
  add_output_flags(*command, line, *flags, false);
}

}  // namespace perennial
