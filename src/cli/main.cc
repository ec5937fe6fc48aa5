// perennial: the command line. One file a subcommand; this one only parses and runs.
#include <cstdio>
#include <exception>

#include "base/stop_signal.h"
#include "cli/command_line.h"

int main(int argc, char** argv) {
  using namespace perennial;
  install_stop_signals();
  CLI::App app("Perennial: a recommender that looks after every user for their whole life with a product.",
               "perennial");
  app.set_version_flag("--version", PERENNIAL_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 stopped (the same command goes on), 4 not possible in "
      "this state.\n"
      "Start with:  perennial import events.csv && perennial train && perennial serve");
  CommandLine line{.program = argv[0]};
  add_import_command(app, line);
  add_train_command(app, line);
  add_evaluate_command(app, line);
  add_recommend_command(app, line);
  add_serve_command(app, line);
  add_feedback_command(app, line);
  add_lifecycle_command(app, line);
  add_status_command(app, line);
  add_config_command(app, line);
  add_key_command(app, line);
  add_erase_command(app, line);
  add_simulate_command(app, line);
  add_demo_command(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  Status status;
  try {
    status = line.action();
  } catch (const std::exception& error) {
    status = internal_error("unexpected: {}", error.what());
  }
  if (!status.ok()) std::fprintf(stderr, "perennial: %s\n", status.message().c_str());
  return exit_code_of(status);
}
