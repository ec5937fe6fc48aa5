// perennial lifecycle: at which stage of their life the users are, at any date, and what that says. Its subcommands
// stand in lifecycle_reports.cc, lifecycle_user.cc, lifecycle_forecast.cc, lifecycle_actions.cc, lifecycle_gain.cc and
// lifecycle_plan.cc.
#include "cli/lifecycle_data.h"

namespace perennial {

void add_lifecycle_command(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("lifecycle", "At which stage of their life the users are");
  command->require_subcommand(1);
  command->footer(
      "Example:\n  perennial lifecycle report --data shop --at 2026-03-01\n\nThe stages are defined under "
      "[lifecycle] in the configuration; 'perennial config show' lists the keys.");
  add_lifecycle_report_command(*command, line);
  add_lifecycle_cohorts_command(*command, line);
  add_lifecycle_users_command(*command, line);
  add_lifecycle_user_command(*command, line);
  add_lifecycle_forecast_command(*command, line);
  add_lifecycle_actions_command(*command, line);
  add_lifecycle_gain_command(*command, line);
  add_lifecycle_plan_command(*command, line);
}

}  // namespace perennial
