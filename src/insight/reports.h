// Every report by its name, with its options as text: one place for the command line and for HTTP.
// Covered by insight/reports_test.cc.
#pragma once

#include <map>
#include <span>

#include "insight/table.h"
#include "lifecycle/lives.h"

namespace perennial {

/// What reports are made from. Borrowed.
struct ReportSources {
  const Lives& lives;
  const Dictionary& users;
  LogReader* log = nullptr;  // read by reports that read_log only
  std::string currency;      // of the amounts
  TimeMs now = 0;            // the instant asked about
};

/// As people write them. Empty: the report's own default.
struct ReportOptions {
  std::string interval = "month";
  int64_t last = 12;
  std::string signal;
  std::string since;
  std::string window;
  std::string variant = "on";
  std::string cohort = "first-event";
  std::string stage;
  std::string overlay;
  int64_t limit = 20;
  int64_t early_days = 7;
  int64_t within_days = 30;

  /// By the name that the flag and the query have, such as "by" or "early-days". invalid_argument for another name, or
  /// a text that it does not take.
  Status set(std::string_view name, const std::string& text);
};

struct NamedReport {
  const char* name;
  const char* summary;
  std::span<const std::string_view> options;  // names of those that it knows
  bool reads_log;                             // takes as long as reading all of it
  Result<Table> (*make)(const ReportSources& sources, const ReportOptions& options);
};

std::span<const NamedReport> reports();

/// Null for another name.
const NamedReport* find_report(std::string_view name);

/// not_found, listing those there are, for another name; invalid_argument for an option that the report does not know.
Result<Table> make_report(std::string_view name, const std::map<std::string, std::string>& options,
                          const ReportSources& sources);

}  // namespace perennial
