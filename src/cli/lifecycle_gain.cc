// perennial lifecycle gain: what acting gained against the users who are held out.
#include "actions/gain.h"
#include "base/text.h"
#include "cli/lifecycle_data.h"

namespace perennial {
namespace {

constexpr double kBrokenRatio = 0.001;

/// When the first action was given; kNoTime when none was.
Result<TimeMs> first_action(LogReader& log, Offset end) {
  TimeMs first = kNoTime;
  PERENNIAL_TRY(log.replay(0, end, [&](const StoredRecord& record) -> Status {
    if (std::holds_alternative<Action>(record.payload) && record.time != kNoTime)
      first = first == kNoTime ? record.time : std::min(first, record.time);
    return {};
  }));
  return first;
}

std::string figure(GainMeasure measure, double value) {
  return measure == GainMeasure::revenue ? fmt::format("{:.2f}", value) : fmt::format("{:.2f} %", 100 * value);
}

void print_report(const GainReport& report, const std::string& currency) {
  fmt::print(
      "What acting gained from {:.10} to {:.10}, [95 %]: {} users who may be acted on against {} held out ({:g} %).\n",
      format_iso8601(report.since), format_iso8601(report.at), with_commas(report.acted_on),
      with_commas(report.held_out), 100 * report.holdout_share);
  fmt::print("\n{:24} {:>12} {:>12}  {}\n", "a user", "acted on", "held out", "gain");
  for (size_t m = 0; m < kGainMeasures; ++m) {
    const auto measure = static_cast<GainMeasure>(m);
    const MeasuredGain& measured = report.measures[m];
    const std::string name = measure == GainMeasure::revenue ? "revenue, " + currency : measure_name(measure);
    const std::string gain = measured.reason.empty()
                                 ? fmt::format("{} [{}, {}]", figure(measure, measured.gain.value),
                                               figure(measure, measured.gain.low), figure(measure, measured.gain.high))
                                 : measured.reason;
    fmt::print("{:24} {:>12} {:>12}  {}\n", name, figure(measure, measured.acted_on),
               figure(measure, measured.held_out), gain);
  }
  fmt::print(
      "\nretained: active in the last 30 days; converted: has the signal 'value' in this time. Gains are adjusted by "
      "the "
      "time of the same length\nbefore, so they differ a little from the columns' difference.\n");
  if (report.sample_ratio_p_value < kBrokenRatio)
    fmt::print(
        "\nWARNING: of so many users {:g} % would be held out by chance only once in {:.0f} times as few or many as "
        "this. Something else\nputs users into the two groups: trust none of these figures before it is found.\n",
        100 * report.holdout_share, 1 / std::max(report.sample_ratio_p_value, 1e-12));
}

json::object to_json(const GainReport& report, const std::string& currency) {
  json::object measures;
  for (size_t m = 0; m < kGainMeasures; ++m) {
    const MeasuredGain& measured = report.measures[m];
    json::object one = {{"acted_on", measured.acted_on}, {"held_out", measured.held_out}};
    if (measured.reason.empty()) {
      one["gain"] = measured.gain.value;
      one["gain_low"] = measured.gain.low;
      one["gain_high"] = measured.gain.high;
    } else {
      one["reason"] = measured.reason;
    }
    measures[measure_name(static_cast<GainMeasure>(m))] = std::move(one);
  }
  return {{"since", format_iso8601(report.since)},
          {"at", format_iso8601(report.at)},
          {"currency", currency},
          {"users_acted_on", report.acted_on},
          {"users_held_out", report.held_out},
          {"holdout_share", report.holdout_share},
          {"sample_ratio_p_value", report.sample_ratio_p_value},
          {"measures", std::move(measures)}};
}

Status gain(const CommandLine& line, const LifecycleFlags& flags, const std::string& since_text) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(TimeMs since, instant_of(since_text, kNoTime));
  if (since_text.empty()) {
    PERENNIAL_TRY_ASSIGN(since, first_action(*data.log, data.lives.applied()));
    if (since == kNoTime) return failed_precondition("no action was given yet: say since when with --since 2026-03-01");
  }
  if (since >= data.now)
    return invalid_argument("--since {:.10} is not before {:.10}", format_iso8601(since), format_iso8601(data.now));
  const GainReport report =
      measure_gain(data.lives, data.log->users(), settings.arbiter_holdout_share, since, data.now);
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(report, data.currency)));
  else
    print_report(report, data.currency);
  return {};
}

}  // namespace

void add_lifecycle_gain_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<LifecycleFlags>();
  const auto since = std::make_shared<std::string>();
  CLI::App* command = add_command(app, line, "gain", "What acting gained against the users who are held out",
                                  "perennial lifecycle gain --data shop --since 2026-03-01",
                                  [&line, flags, since] { return gain(line, *flags, *since); });
  command->add_option("--since", *since, "from this time on (2026-03-01); otherwise from the first action on");
  add_output_flags(*command, line, *flags, false);
}

}  // namespace perennial
