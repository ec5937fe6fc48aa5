#include "insight/reports.h"

#include <algorithm>
#include <array>

#include "base/text.h"
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

constexpr int64_t kFlowDays = 30;

Result<IntervalOptions> intervals_of(const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const Interval interval, parse_interval(options.interval));
  return IntervalOptions{interval, options.last};
}

Result<Table> today_report(const ReportSources& data, const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(options));
  return stages_today(data.lives, intervals, data.now);
}

Result<Table> stages_report(const ReportSources& data, const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(options));
  return stages_over_time(data.lives, intervals, data.now);
}

Result<Table> flows_report(const ReportSources& data, const ReportOptions& options) {
  TimeMs since = data.now - kFlowDays * kDayMs;
  if (!options.since.empty()) {
    PERENNIAL_TRY_ASSIGN(since, parse_timestamp(options.since));
  }
  return flows(data.lives, since, data.now);
}

Result<Table> activity_report(const ReportSources& data, const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(options));
  return activity(data.lives, {intervals, options.signal}, data.now);
}

Result<Table> stickiness_report(const ReportSources& data, const ReportOptions& options) {
  return stickiness(data.lives, {options.last, options.signal}, data.now);
}

Result<Table> rfm_report(const ReportSources& data, const ReportOptions& options) {
  RfmOptions of_buyers;
  if (!options.signal.empty()) of_buyers.signal = options.signal;
  if (!options.window.empty()) {
    PERENNIAL_TRY_ASSIGN(of_buyers.window_ms, parse_period(options.window));
  }
  return rfm(data.lives, of_buyers, data.currency, data.now);
}

Result<Table> activation_report(const ReportSources& data, const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(options));
  return time_to_activation(data.lives, intervals, data.now);
}

Result<Table> behaviours_report(const ReportSources& data, const ReportOptions& options) {
  return early_behaviours(data.lives, *data.log, data.lives.applied(), {options.early_days, options.within_days},
                          data.now);
}

Result<RevenueOptions> revenue_of(const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(options));
  return RevenueOptions{intervals, options.signal.empty() ? RevenueOptions().signal : options.signal};
}

Result<Table> revenue_report(const ReportSources& data, const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const RevenueOptions of_money, revenue_of(options));
  return revenue_by_stage(data.lives, of_money, data.currency, data.now);
}

Result<Table> revenue_by_cohort_report(const ReportSources& data, const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const RevenueOptions of_money, revenue_of(options));
  return revenue_by_cohort(data.lives, of_money, data.currency, data.now);
}

Result<Table> cohorts_report(const ReportSources& data, const ReportOptions& options) {
  PERENNIAL_TRY_ASSIGN(const IntervalOptions intervals, intervals_of(options));
  return retention(data.lives,
                   {.intervals = intervals,
                    .variant = options.variant == "on" ? RetentionVariant::on : RetentionVariant::on_or_after,
                    .cohort = options.cohort == "activation" ? CohortEvent::activation : CohortEvent::first_seen,
                    .signal = options.signal},
                   data.now);
}

Result<Table> users_report(const ReportSources& data, const ReportOptions& options) {
  UserListOptions wanted{.limit = options.limit};
  if (!options.stage.empty()) {
    PERENNIAL_TRY_ASSIGN(wanted.stage, parse_stage(options.stage));
  }
  if (!options.overlay.empty()) {
    PERENNIAL_TRY_ASSIGN(wanted.overlay, parse_overlay(options.overlay));
  }
  return user_list(data.lives, data.users, wanted, data.currency, data.now);
}

constexpr std::array<std::string_view, 2> kIntervals = {"by", "last"};
constexpr std::array<std::string_view, 3> kIntervalsAndSignal = {"by", "last", "signal"};
constexpr std::array<std::string_view, 1> kSince = {"since"};
constexpr std::array<std::string_view, 2> kLastAndSignal = {"last", "signal"};
constexpr std::array<std::string_view, 2> kSignalAndWindow = {"signal", "window"};
constexpr std::array<std::string_view, 2> kDays = {"early-days", "within-days"};
constexpr std::array<std::string_view, 5> kCohorts = {"by", "last", "signal", "variant", "cohort"};
constexpr std::array<std::string_view, 3> kUsers = {"stage", "overlay", "limit"};

constexpr NamedReport kReports[] = {
    {"today", "users by stage, with the history of each", kIntervals, false, today_report},
    {"stages", "users by stage at the first of each month or week", kIntervals, false, stages_report},
    {"flows", "from which stage to which the users went", kSince, false, flows_report},
    {"activity", "new, returning, resurrecting and dormant users; churn rate", kIntervalsAndSignal, false,
     activity_report},
    {"stickiness", "DAU/MAU, DAU/WAU, active days in a month", kLastAndSignal, false, stickiness_report},
    {"rfm", "segments of buyers: champions, loyal, slipping, ...", kSignalAndWindow, false, rfm_report},
    {"activation", "how long users take to be activated", kIntervals, false, activation_report},
    {"behaviours", "what users do early that goes with activation", kDays, true, behaviours_report},
    {"revenue", "money by the stage of who paid it", kIntervalsAndSignal, false, revenue_report},
    {"revenue-by-cohort", "money by when the user was first seen", kIntervalsAndSignal, false,
     revenue_by_cohort_report},
    {"cohorts", "retention by cohort: who comes back after how long", kCohorts, false, cohorts_report},
    {"users", "the users of a stage, those with most money first", kUsers, false, users_report},
};

Status set_choice(std::string_view name, const std::string& text, std::initializer_list<std::string_view> choices,
                  std::string& out) {
  if (std::find(choices.begin(), choices.end(), text) == choices.end())
    return invalid_argument("'{}' must be {}, got '{:.40}'", name, fmt::join(choices, " or "), text);
  out = text;
  return {};
}

Status set_number(std::string_view name, const std::string& text, int64_t highest, int64_t& out) {
  const Result<int64_t> number = parse_integer(text);
  if (!number.ok() || *number < 1 || *number > highest)
    return invalid_argument("'{}' must be a whole number from 1 to {}, got '{:.40}'", name, highest, text);
  out = *number;
  return {};
}

}  // namespace

Status ReportOptions::set(std::string_view name, const std::string& text) {
  constexpr int64_t kMostIntervals = 1000;
  constexpr int64_t kMostUsers = 100'000'000;
  constexpr int64_t kMostDays = 3650;
  if (name == "by") return set_choice(name, text, {"week", "month"}, interval);
  if (name == "variant") return set_choice(name, text, {"on", "on-or-after"}, variant);
  if (name == "cohort") return set_choice(name, text, {"first-event", "activation"}, cohort);
  if (name == "last") return set_number(name, text, kMostIntervals, last);
  if (name == "limit") return set_number(name, text, kMostUsers, limit);
  if (name == "early-days") return set_number(name, text, kMostDays, early_days);
  if (name == "within-days") return set_number(name, text, kMostDays, within_days);
  if (name == "signal") return signal = text, Status();
  if (name == "since") return since = text, Status();
  if (name == "window") return window = text, Status();
  if (name == "stage") return stage = text, Status();
  if (name == "overlay") return overlay = text, Status();
  return invalid_argument("there is no option '{:.40}'", name);
}

std::span<const NamedReport> reports() { return kReports; }

const NamedReport* find_report(std::string_view name) {
  const auto* found = std::find_if(std::begin(kReports), std::end(kReports),
                                   [&](const NamedReport& report) { return report.name == name; });
  return found == std::end(kReports) ? nullptr : found;
}

Result<Table> make_report(std::string_view name, const std::map<std::string, std::string>& options,
                          const ReportSources& sources) {
  const NamedReport* report = find_report(name);
  if (report == nullptr) {
    std::vector<std::string_view> names;
    for (const NamedReport& each : kReports) names.emplace_back(each.name);
    return not_found("there is no report '{:.40}'; there are {}", name, fmt::join(names, ", "));
  }
  ReportOptions read;
  for (const auto& [option, text] : options) {
    if (std::find(report->options.begin(), report->options.end(), option) == report->options.end())
      return invalid_argument("the report {} has no option '{:.40}'; it has {}", name, option,
                              fmt::join(report->options, ", "));
    PERENNIAL_TRY(read.set(option, text));
  }
  return report->make(sources, read);
}

}  // namespace perennial
