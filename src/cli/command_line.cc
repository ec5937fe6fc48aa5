#include "cli/command_line.h"

namespace perennial {

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
