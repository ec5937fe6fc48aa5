// What the subcommands share: common flags, exit codes, and the action that main runs once the line is parsed.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

#include "base/exit_code.h"
#include "lifecycle/configured.h"
#include "settings/settings.h"

namespace perennial {

struct CommandLine {
  std::string program;  // argv[0]
  std::string data = "perennial-data";
  std::string config;
  bool json = false;
  std::function<Status()> action;

  [[nodiscard]] Result<Settings> settings() const { return load_settings(config, data); }
};

/// Adds a subcommand with the common flags; `action` runs after parsing.
CLI::App* add_command(CLI::App& app, CommandLine& line, const char* name, const char* summary, const char* example,
                      std::function<Status()> action);

void add_import_command(CLI::App& app, CommandLine& line);
void add_train_command(CLI::App& app, CommandLine& line);
void add_evaluate_command(CLI::App& app, CommandLine& line);
void add_recommend_command(CLI::App& app, CommandLine& line);
void add_serve_command(CLI::App& app, CommandLine& line);
void add_feedback_command(CLI::App& app, CommandLine& line);
void add_lifecycle_command(CLI::App& app, CommandLine& line);
void add_status_command(CLI::App& app, CommandLine& line);
void add_config_command(CLI::App& app, CommandLine& line);
void add_key_command(CLI::App& app, CommandLine& line);
void add_erase_command(CLI::App& app, CommandLine& line);
void add_simulate_command(CLI::App& app, CommandLine& line);
void add_demo_command(CLI::App& app, CommandLine& line);

}  // namespace perennial
