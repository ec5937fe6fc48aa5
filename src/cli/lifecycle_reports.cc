// perennial lifecycle report | cohorts | users: the reports of src/insight, with flags.
#include "cli/lifecycle_data.h"
#include "insight/activation.h"
#include "insight/activity.h"
#include "insight/behaviours.h"
#include "insight/retention.h"
#include "insight/revenue.h"
#include "insight/rfm.h"
#include "insight/stages.h"
#include "insight/stickiness.h"
#include "insight/user_list.h"

namespace perennial {
namespace {

constexpr int64_t kMostIntervals = 1000;
constexpr int64_t kFlowDays = 30;

using Data = LifecycleData;
using Flags = LifecycleFlags;

Result<IntervalOptions> intervals_of(const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const Interval interval, parse_interval(flags.interval));
  return IntervalOptions{interval, flags.last};
}

Result<Table> stages_report(const Data& data, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(flags));
  return stages_over_time(data.lives, intervals, data.now);
}

Result<Table> flows_report(const Data& data, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const TimeMs since, instant_of(flags.since, data.now - kFlowDays * kDayMs));
  return flows(data.lives, since, data.now);
}

Result<Table> activity_report(const Data& data, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(flags));
  return activity(data.lives, {intervals, flags.signal}, data.now);
}

Result<Table> stickiness_report(const Data& data, const Flags& flags) {
  return stickiness(data.lives, {flags.last, flags.signal}, data.now);
}

Result<Table> rfm_report(const Data& data, const Flags& flags) {
  RfmOptions options;
  if (!flags.signal.empty()) options.signal = flags.signal;
  if (!flags.window.empty()) {
    PERENNIAL_TRY_ASSIGN(options.window_ms, parse_period(flags.window));
  }
  return rfm(data.lives, options, data.currency, data.now);
}

Result<Table> activation_report(const Data& data, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(flags));
  return time_to_activation(data.lives, intervals, data.now);
}

Result<Table> behaviours_report(const Data& data, const Flags& flags) {
  return early_behaviours(data.lives, *data.log, data.end, {flags.early_days, flags.within_days}, data.now);
}

Result<RevenueOptions> revenue_of(const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(flags));
  return RevenueOptions{intervals, flags.signal.empty() ? RevenueOptions().signal : flags.signal};
}

Result<Table> revenue_report(const Data& data, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const RevenueOptions options, revenue_of(flags));
  return revenue_by_stage(data.lives, options, data.currency, data.now);
}

Result<Table> revenue_by_cohort_report(const Data& data, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const RevenueOptions options, revenue_of(flags));
  return revenue_by_cohort(data.lives, options, data.currency, data.now);
}

Result<Table> cohorts_report(const Data& data, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(flags));
  return retention(data.lives,
                   {.intervals = intervals,
                    .variant = flags.variant == "on" ? RetentionVariant::on : RetentionVariant::on_or_after,
                    .cohort = flags.cohort == "activation" ? CohortEvent::activation : CohortEvent::first_seen,
                    .signal = flags.signal},
                   data.now);
}

Result<Table> users_report(const Data& data, const Flags& flags) {
  UserListOptions options{.limit = flags.limit};
  if (!flags.stage.empty()) {
    PERENNIAL_TRY_ASSIGN(options.stage, parse_stage(flags.stage));
  }
  if (!flags.overlay.empty()) {
    PERENNIAL_TRY_ASSIGN(options.overlay, parse_overlay(flags.overlay));
  }
  return user_list(data.lives, data.log->users(), options, data.currency, data.now);
}

using MakeReport = Result<Table> (*)(const Data& data, const Flags& flags);

Status print_report(const CommandLine& line, const Flags& flags, MakeReport make) {
  PERENNIAL_TRY_ASSIGN(const Data data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(Table table, make(data, flags));
  if (!table.currency.empty() && data.currencies.size() > 1)
    table.notes.push_back(fmt::format("Amounts are in {} and were added as if all were in {}.",
                                      fmt::join(data.currencies, ", "), data.currency));
  return print_table(table, line, flags);
}

/// Today's stages; as JSON in words of its own, that say users and stages.
Status print_summary(const CommandLine& line, const Flags& flags) {
  PERENNIAL_TRY_ASSIGN(const Data data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(flags));
  PERENNIAL_TRY_ASSIGN(const Table table, stages_today(data.lives, intervals, data.now));
  if (!line.json) return print_table(table, line, flags);
  json::object object = to_json(table);
  int64_t users = 0;
  for (const json::value& row : object["rows"].as_array()) users += row.at("users").as_int64();
  fmt::print("{}\n", json::serialize(
                         json::object{{"at", object["at"]}, {"users", users}, {"stages", std::move(object["rows"])}}));
  return {};
}

/// The options that a report knows, each a bit.
enum Options : unsigned { kBy = 1, kLast = 2, kSignal = 4, kSince = 8, kWindow = 16, kDays = 32 };

struct NamedReport {
  const char* name;
  const char* summary;
  unsigned options;
  MakeReport make;
};

constexpr NamedReport kReports[] = {
    {"stages", "users by stage at the first of each month or week", kBy | kLast, stages_report},
    {"flows", "from which stage to which the users went", kSince, flows_report},
    {"activity", "new, returning, resurrecting and dormant users; churn rate", kBy | kLast | kSignal, activity_report},
    {"stickiness", "DAU/MAU, DAU/WAU, active days in a month", kLast | kSignal, stickiness_report},
    {"rfm", "segments of buyers: champions, loyal, slipping, ...", kSignal | kWindow, rfm_report},
    {"activation", "how long users take to be activated", kBy | kLast, activation_report},
    {"behaviours", "what users do early that goes with activation", kDays, behaviours_report},
    {"revenue", "money by the stage of who paid it", kBy | kLast | kSignal, revenue_report},
    {"revenue-by-cohort", "money by when the user was first seen", kBy | kLast | kSignal, revenue_by_cohort_report},
};

void add_options(CLI::App& command, unsigned options, Flags& flags) {
  if ((options & kBy) != 0)
    command.add_option("--by", flags.interval, "week or month")
        ->check(CLI::IsMember({"week", "month"}))
        ->capture_default_str();
  if ((options & kLast) != 0)
    command.add_option("--last", flags.last, "how many of them, the newest")
        ->check(CLI::Range(int64_t{1}, kMostIntervals))
        ->capture_default_str();
  if ((options & kSignal) != 0)
    command.add_option("--signal", flags.signal, "the signal that counts, such as active or value");
  if ((options & kSince) != 0)
    command.add_option("--since", flags.since, "from this date on; 30 days before, when there is none");
  if ((options & kWindow) != 0)
    command.add_option("--window", flags.window, "buyers of this period only, such as 365d");
  if ((options & kDays) == 0) return;
  command.add_option("--early-days", flags.early_days, "the first days of a user, in which behaviour counts")
      ->capture_default_str();
  command.add_option("--within-days", flags.within_days, "activated by this day")->capture_default_str();
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
  add_output_flags(*command, line, *flags, true);
  add_options(*command, kBy | kLast, *flags);
  for (const NamedReport& report : kReports) {
    const std::string example = fmt::format("perennial lifecycle report {} --data shop --at 2026-03-01", report.name);
    CLI::App* each = add_command(*command, line, report.name, report.summary, example.c_str(),
                                 [&line, flags, &report] { return print_report(line, *flags, report.make); });
    add_output_flags(*each, line, *flags, true);
    add_options(*each, report.options, *flags);
  }
}

void add_lifecycle_cohorts_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      add_command(app, line, "cohorts", "Retention by cohort: who comes back after how long",
                  "perennial lifecycle cohorts --data shop --at 2026-03-01\n"
                  "  perennial lifecycle cohorts --data shop --by week --variant on-or-after --signal value",
                  [&line, flags] { return print_report(line, *flags, cohorts_report); });
  add_output_flags(*command, line, *flags, true);
  add_options(*command, kBy | kLast | kSignal, *flags);
  command->add_option("--variant", flags->variant, "on: in exactly that interval; on-or-after: in it or a later one")
      ->check(CLI::IsMember({"on", "on-or-after"}))
      ->capture_default_str();
  command->add_option("--cohort", flags->cohort, "what puts a user into a cohort: first-event or activation")
      ->check(CLI::IsMember({"first-event", "activation"}))
      ->capture_default_str();
}

void add_lifecycle_users_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      add_command(app, line, "users", "The users of a stage, those with most money first",
                  "perennial lifecycle users --data shop --stage retention --overlay at_risk --limit 50\n"
                  "  perennial lifecycle users --data shop --overlay churned --limit 100000 --csv",
                  [&line, flags] { return print_report(line, *flags, users_report); });
  add_output_flags(*command, line, *flags, true);
  command->add_option("--stage", flags->stage, "acquisition, activation, retention, expansion or advocacy");
  command->add_option("--overlay", flags->overlay, "at_risk, churned, won_back, or none of them");
  command->add_option("--limit", flags->limit, "how many at most")
      ->check(CLI::Range(int64_t{1}, int64_t{100'000'000}))
      ->capture_default_str();
}

}  // namespace perennial
