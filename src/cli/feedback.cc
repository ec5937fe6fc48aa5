// perennial feedback: what became of the lists that were served.
#include "cli/lifecycle_data.h"
#include "insight/feedback_report.h"

namespace perennial {
namespace {

constexpr TimeMs kDayMs = 86'400'000;

struct FeedbackFlags {
  LifecycleFlags output;
  FeedbackOptions options;
  int64_t days = 28;
};

Status run(const CommandLine& line, FeedbackFlags& flags) {
  PERENNIAL_TRY_ASSIGN(flags.options.to, instant_of(flags.output.at, SystemClock().now_ms()));
  flags.options.from = flags.options.to - flags.days * kDayMs;
  PERENNIAL_TRY_ASSIGN(const auto log, open_log_for_reading(line.data));
  PERENNIAL_TRY_ASSIGN(const Table table, feedback_report(line.data, *log, flags.options));
  return print_table(table, line, flags.output);
}

}  // namespace

void add_feedback_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<FeedbackFlags>();
  CLI::App* command =
      add_command(app, line, "feedback", "What became of the lists that were served: clicks, orders, ratings",
                  "perennial feedback --data shop --by source --last 7", [&line, flags] { return run(line, *flags); });
  add_output_flags(*command, line, flags->output, true);
  command->add_option("--by", flags->options.by, "position, source, model, variant, surface, stage, score, day or all")
      ->capture_default_str();
  command->add_option("--last", flags->days, "of the lists of so many days")
      ->check(CLI::Range(1, 36'500))
      ->capture_default_str();
}

}  // namespace perennial
