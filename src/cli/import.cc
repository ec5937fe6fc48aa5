// perennial import: files into the log.
#include <unistd.h>

#include <set>

#include "base/json.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "log/importer.h"
#include "log/sqlite_log.h"

namespace perennial {
namespace {

struct ImportFlags {
  std::vector<std::string> files;
  Layout layout = Layout::detect;
  FileContent content = FileContent::detect;
  std::vector<std::string> columns;
  std::string event_type;
  std::string rejects;
  bool strict = false;
};

Result<ImportOptions> import_options(const ImportFlags& flags, const Settings& settings) {
  ImportOptions options;
  options.reader.layout = flags.layout;
  options.reader.content = flags.content;
  options.reader.event_type = flags.event_type;
  options.reader.currency = settings.currency;
  options.strict = flags.strict;
  options.rejects_file = flags.rejects;
  for (const std::string& pair : flags.columns) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size())
      return invalid_argument("--column wants NAME=COLUMN, such as user_id=CustomerID, not '{}'", pair);
    options.reader.columns[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return options;
}

json::object to_json(const std::string& file, const ImportReport& report) {
  return {{"file", file},
          {"layout", report.layout},
          {"rows", report.rows},
          {"kept", report.kept},
          {"repeated", report.repeated},
          {"rejected", report.rejected},
          {"resumed_at_row", report.resumed_at_row},
          {"already_imported", report.already_imported},
          {"rejects_file", report.rejects_file.string()},
          {"seconds", report.seconds}};
}

void print_report(const std::string& file, const ImportReport& report) {
  if (report.already_imported) {
    fmt::print("{}: already imported, nothing to do\n", file);
    return;
  }
  fmt::print("{}: {} rows of layout {}, {} records kept", file, with_commas(report.rows), report.layout,
             with_commas(report.kept));
  if (report.repeated > 0) fmt::print(", {} repeated", with_commas(report.repeated));
  if (report.rejected > 0) fmt::print(", {} rejected", with_commas(report.rejected));
  fmt::print(", in {}\n", format_duration(report.seconds));
  if (report.resumed_at_row > 0)
    fmt::print("  went on at row {} of an interrupted import\n", with_commas(report.resumed_at_row));
  if (report.rejected > 0)
    fmt::print("  first reject: {}\n  all rejects: {}\n", report.first_reject, report.rejects_file.string());
}

/// Two files must not overwrite each other's rejects.
Status check_rejects(const ImportFlags& flags) {
  std::set<std::string> names;
  for (const std::string& file : flags.files)
    if (flags.rejects != "/dev/null" && !names.insert(rejects_path(file, flags.rejects).string()).second)
      return invalid_argument("two of the files would write their rejects to {}: import them one by one",
                              rejects_path(file, flags.rejects).string());
  return {};
}

Status run(const CommandLine& line, const ImportFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(ImportOptions options, import_options(flags, settings));
  PERENNIAL_TRY(check_rejects(flags));
  for (const std::string& file : flags.files)
    if (::access(file.c_str(), R_OK) != 0) return errno_status(errno, fmt::format("opening {}", file));
  PERENNIAL_TRY_ASSIGN(const auto log, open_log(line.data, {.repeat_window = settings.repeat_window}));
  const SystemClock clock;
  json::array reports;
  for (const std::string& file : flags.files) {
    const Result<ImportReport> report = import_file(file, *log, clock, options);
    if (!report.ok()) return report.status();
    if (line.json)
      reports.push_back(to_json(file, *report));
    else
      print_report(file, *report);
  }
  if (line.json) fmt::print("{}\n", json::serialize(reports));
  return {};
}

}  // namespace

void add_import_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<ImportFlags>();
  CLI::App* command = add_command(
      app, line, "import", "Put files of events, items or users into the log",
      "perennial import --data shop items.csv events.csv.gz\n"
      "  perennial import --column user_id=CustomerID --column item_id=StockCode --event-type purchase invoices.csv\n\n"
      "CSV, JSON lines (Segment's or flat), MovieLens' layouts and sequence lines, plain or gzip; the layout is "
      "detected.\n"
      "A bad row goes to the rejects file with its line and reason. The same file twice is imported once.",
      [&line, flags] { return run(line, *flags); });
  const std::map<std::string, Layout> layouts = {{"detect", Layout::detect}, {"csv", Layout::csv},
                                                 {"jsonl", Layout::jsonl},   {"double-colon", Layout::double_colon},
                                                 {"tab", Layout::tab},       {"sequence", Layout::sequence}};
  const std::map<std::string, FileContent> contents = {{"detect", FileContent::detect},
                                                       {"events", FileContent::events},
                                                       {"items", FileContent::items},
                                                       {"users", FileContent::users}};
  command->add_option("files", flags->files, "files to import, in this order")->required();
  command->add_option("--layout", flags->layout, "detect, csv, jsonl, double-colon, tab or sequence")
      ->transform(CLI::CheckedTransformer(layouts).description(""));
  command->add_option("--content", flags->content, "detect, events, items or users")
      ->transform(CLI::CheckedTransformer(contents).description(""));
  command->add_option("--column", flags->columns,
                      "NAME=COLUMN: the file's column that holds a standard one, such as user_id=CustomerID");
  command->add_option("--event-type", flags->event_type, "event type of rows that name none");
  command->add_option("--rejects", flags->rejects,
                      "file for rejected rows (default: the file's name with .rejects.tsv)");
  command->add_flag("--strict", flags->strict, "stop at the first bad row");
  command->add_flag("--json", line.json, "print the report as JSON");
}

}  // namespace perennial
