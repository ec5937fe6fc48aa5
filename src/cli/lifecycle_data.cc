#include "cli/lifecycle_data.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "lifecycle/currencies.h"

namespace perennial {
namespace {

constexpr TimeMs kDay = 86'400'000;
constexpr TimeMs kOld = 2 * kDay;

void warn_of_old_events(TimeMs newest, TimeMs now) {
  if (newest == kNoTime || newest >= now - kOld) return;
  fmt::print(stderr, "note: the newest event is of {:.10}; for that time ask with --at {:.10}\n",
             format_iso8601(newest), format_iso8601(newest + kDay));
}

}  // namespace

Result<TimeMs> instant_of(const std::string& text, TimeMs fallback) {
  if (text.empty()) return fallback;
  return parse_timestamp(text);
}

Result<LifecycleData> read_lifecycle(const CommandLine& line, const std::string& at) {
  PERENNIAL_TRY_ASSIGN(const TimeMs now, instant_of(at, SystemClock().now_ms()));
  PERENNIAL_TRY_ASSIGN(Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<LogReader> log, open_log_for_reading(line.data));
  PERENNIAL_TRY_ASSIGN(std::set<std::string> currencies, recent_currencies(*log));
  if (currencies.size() == 1) settings.currency = *currencies.begin();
  PERENNIAL_TRY_ASSIGN(Definition definition, stage_definition(settings));
  PERENNIAL_TRY_ASSIGN(const Offset end, log->end());
  Lives lives(std::move(definition), log->event_types(), log->users());
  if (lives.load(line.data).ok()) (void)lives.check_log(*log);  // what does not fit is emptied, and read anew
  if (lives.applied() < end) PERENNIAL_TRY(lives.catch_up(*log, end));
  if (at.empty()) warn_of_old_events(newest_fact(lives), now);
  return LifecycleData{std::move(log), std::move(currencies), settings.currency, std::move(lives), now};
}

Status print_table(const Table& table, const CommandLine& line, const LifecycleFlags& flags) {
  if (line.json) {
    fmt::print("{}\n", json::serialize(to_json(table)));
  } else if (flags.csv) {
    fmt::print("{}", to_csv(table));
  } else {
    const char* no_colour = std::getenv("NO_COLOR");
    const bool colour = ::isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
    fmt::print("{}", to_text(table, {.colour = colour}));
  }
  return {};
}

void add_output_flags(CLI::App& command, CommandLine& line, LifecycleFlags& flags, bool csv) {
  command.add_option("--at", flags.at, "at this time (2026-03-01 or 2026-03-01T10:00:00Z) instead of now");
  CLI::Option* as_json = command.add_flag("--json", line.json, "print as JSON");
  if (csv) command.add_flag("--csv", flags.csv, "print as CSV, for a spreadsheet")->excludes(as_json);
}

}  // namespace perennial
