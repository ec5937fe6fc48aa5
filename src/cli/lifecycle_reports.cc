// perennial lifecycle report | cohorts | users: the reports of src/insight, with flags.
#include "cli/lifecycle_data.h"

namespace perennial {
namespace {

using Flags = LifecycleFlags;

Result<Table> make_table(const LifecycleData& data, const Flags& flags, const std::string& report) {
  PERENNIAL_TRY_ASSIGN(Table table,
                       make_report(report, flags.report_options,
                                   {data.lives, data.log->users(), data.log.get(), data.currency, data.now}));
  if (!table.currency.empty() && data.currencies.size() > 1)
    table.notes.push_back(fmt::format("Amounts are in {} and were added as if all were in {}.",
                                      fmt::join(data.currencies, ", "), data.currency));
  return table;
}

Status print_report(const CommandLine& line, const Flags& flags, const std::string& report) {
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const Table table, make_table(data, flags, report));
  return print_table(table, line, flags);
}

/// Today's stages; as JSON in words of its own, that say users and stages.
Status print_summary(const CommandLine& line, const Flags& flags) {
  if (!line.json) return print_report(line, flags, "today");
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const Table table, make_table(data, flags, "today"));
  json::object object = to_json(table);
  int64_t users = 0;
  for (const json::value& row : object["rows"].as_array()) users += row.at("users").as_int64();
  fmt::print("{}\n", json::serialize(
                         json::object{{"at", object["at"]}, {"users", users}, {"stages", std::move(object["rows"])}}));
  return {};
}

/// What an option is, for --help.
const char* meaning_of(std::string_view option) {
  if (option == "by") return "week or month (default month)";
  if (option == "last") return "how many of them, the newest (default 12)";
  if (option == "signal") return "the signal that counts, such as active or value";
  if (option == "since") return "from this date on; 30 days before, when there is none";
  if (option == "window") return "buyers of this period only, such as 365d";
  if (option == "early-days") return "the first days of a user, in which behaviour counts (default 7)";
  if (option == "within-days") return "activated by this day (default 30)";
  if (option == "variant") return "on: in exactly that interval (default); on-or-after: in it or a later one";
  if (option == "cohort") return "what puts a user into a cohort: first-event (default) or activation";
  if (option == "stage") return "acquisition, activation, retention, expansion or advocacy";
  if (option == "overlay") return "at_risk, churned, won_back, or none of them";
  return "how many at most (default 20)";
}

void add_report_flags(CLI::App& command, CommandLine& line, const NamedReport& report,
                      const std::shared_ptr<Flags>& flags) {
  add_output_flags(command, line, *flags, true);
  for (const std::string_view option : report.options) {
    const std::string name(option);
    command
        .add_option_function<std::string>(
            "--" + name, [flags, name](const std::string& text) { flags->report_options[name] = text; },
            meaning_of(option))
        ->check([name](const std::string& text) { return std::string(ReportOptions().set(name, text).message()); });
  }
}

CLI::App* add_report(CLI::App& app, CommandLine& line, const NamedReport& report, const std::string& example) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add_command(app, line, report.name, report.summary, example.c_str(),
                                  [&line, flags, &report] { return print_report(line, *flags, report.name); });
  add_report_flags(*command, line, report, flags);
  return command;
}

}  // namespace

void add_lifecycle_report_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add_command(app, line, "report", "Users by stage today, and reports over time",
                                  "perennial lifecycle report --data shop --at 2026-03-01\n"
                                  "  perennial lifecycle report activity --data shop --by week --last 8\n"
                                  "  perennial lifecycle report flows --data shop --since 2026-02-01 --at 2026-03-01\n"
                                  "  perennial lifecycle report rfm --data shop --csv > segments.csv\n\n"
                                  "Without a word: today's stages, with their history. Definitions: docs/lifecycle.md.",
                                  {});
  command->require_subcommand(0, 1);
  // A command's callback runs after those of its subcommands, whose action must stand.
  command->callback([&line, flags, command] {
    if (command->get_subcommands().empty()) line.action = [&line, flags] { return print_summary(line, *flags); };
  });
  add_report_flags(*command, line, *find_report("today"), flags);
  for (const NamedReport& report : reports()) {
    const std::string_view name = report.name;
    if (name == "today" || name == "cohorts" || name == "users") continue;
    add_report(*command, line, report, fmt::format("perennial lifecycle report {} --data shop --at 2026-03-01", name));
  }
}

void add_lifecycle_cohorts_command(CLI::App& app, CommandLine& line) {
  add_report(app, line, *find_report("cohorts"),
             "perennial lifecycle cohorts --data shop --at 2026-03-01\n"
             "  perennial lifecycle cohorts --data shop --by week --variant on-or-after --signal value");
}

void add_lifecycle_users_command(CLI::App& app, CommandLine& line) {
  add_report(app, line, *find_report("users"),
             "perennial lifecycle users --data shop --stage retention --overlay at_risk --limit 50\n"
             "  perennial lifecycle users --data shop --overlay churned --limit 100000 --csv");
}

}  // namespace perennial
