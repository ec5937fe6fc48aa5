// perennial config: check and show the configuration.
#include "actions/configured.h"
#include "base/json.h"
#include "cli/command_line.h"
#include "lifecycle/configured.h"

namespace perennial {
namespace {

Status show(const CommandLine& line) {
  std::vector<SettingOrigin> origins;
  PERENNIAL_TRY_ASSIGN(const Settings settings, load_settings(line.config, line.data, &origins));
  if (line.json) {
    json::array list;
    for (const SettingOrigin& origin : origins)
      list.push_back(
          {{"name", origin.name}, {"value", origin.value}, {"source", origin.source}, {"meaning", origin.meaning}});
    fmt::print("{}\n", json::serialize(list));
    return {};
  }
  for (const SettingOrigin& origin : origins)
    fmt::print("{:33} {:16} {:10} {}\n", origin.name, origin.value.empty() ? "-" : origin.value, origin.source,
               origin.meaning);
  return {};
}

Status check(const CommandLine& line) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const Definition definition, stage_definition(settings));
  PERENNIAL_TRY(action_rules(settings, definition).status());
  fmt::print("The configuration is good.\n");
  return {};
}

}  // namespace

void add_config_command(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("config", "Check or show the configuration");
  command->require_subcommand(1);
  add_command(*command, line, "check", "Say whether the configuration is good",
              "perennial config check --config perennial.toml", [&line] { return check(line); });
  CLI::App* shown = add_command(*command, line, "show", "List every key, its value and where it came from",
                                "perennial config show", [&line] { return show(line); });
  shown->add_flag("--json", line.json, "print as JSON");
}

}  // namespace perennial
