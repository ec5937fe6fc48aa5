#include "cli/command_line.h"

namespace perennial {

Result<Definition> stage_definition(const Settings& settings) {
  Result<Definition> definition = make_definition(
      {settings.lifecycle_preset, settings.lifecycle_signals, settings.lifecycle_stages, settings.at_risk_after,
       settings.churned_after, settings.won_back_for, settings.inviter_properties, settings.currency});
  return definition.ok() ? std::move(definition) : with_place(definition.status(), settings);
}

CLI::App* add_command(CLI::App& app, CommandLine& line, const char* name, const char* summary, const char* example,
                      std::function<Status()> action) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->add_option("--data", line.data, "data directory")->capture_default_str();
  command->add_option("--config", line.config, "configuration file (TOML)");
  command->footer(fmt::format("Example:\n  {}", example));
  command->callback([&line, action = std::move(action)] { line.action = action; });
  return command;
}

}  // namespace perennial
