// What the lifecycle commands share: everybody's facts folded from the log, the instant asked about, and how a report
// is printed.
#pragma once

#include <memory>
#include <set>

#include "cli/command_line.h"
#include "insight/reports.h"
#include "lifecycle/lives.h"
#include "log/sqlite_log.h"

namespace perennial {

struct LifecycleFlags {
  std::string at;
  std::map<std::string, std::string> report_options;  // by name, see insight/reports.h
  std::string user;
  std::string planned;
  int64_t limit = 20;
  bool allow_unknown_events = false;
  bool fit = false;
  bool everyone = false;
  bool csv = false;
};

struct LifecycleData {
  std::unique_ptr<LogReader> log;
  std::set<std::string> currencies;  // of the newest events' amounts
  std::string currency;              // that of the amounts; of several, or none, that of the settings
  Lives lives;
  TimeMs now = 0;  // the instant asked about
};

/// Opens the log and folds it, from the snapshot of lives on when there is a good one. Says on stderr when nobody asked
/// for an instant and the events end long before now: then everybody looks lost.
Result<LifecycleData> read_lifecycle(const CommandLine& line, const std::string& at);

/// A date and time as it is typed; `fallback` when there is none.
Result<TimeMs> instant_of(const std::string& text, TimeMs fallback);

/// On stdout, as the flags say: text, JSON or CSV.
Status print_table(const Table& table, const CommandLine& line, const LifecycleFlags& flags);

/// Subcommands of `perennial lifecycle`; each adds itself.
void add_lifecycle_report_command(CLI::App& app, CommandLine& line);
void add_lifecycle_cohorts_command(CLI::App& app, CommandLine& line);
void add_lifecycle_users_command(CLI::App& app, CommandLine& line);
void add_lifecycle_user_command(CLI::App& app, CommandLine& line);
void add_lifecycle_plan_command(CLI::App& app, CommandLine& line);
void add_lifecycle_forecast_command(CLI::App& app, CommandLine& line);
void add_lifecycle_actions_command(CLI::App& app, CommandLine& line);
void add_lifecycle_gain_command(CLI::App& app, CommandLine& line);

/// --at, --json, and with `csv` --csv.
void add_output_flags(CLI::App& command, CommandLine& line, LifecycleFlags& flags, bool csv);

}  // namespace perennial
