// perennial lifecycle gain: what acting gained against the users who are held out.
#include "actions/configured.h"
#include "actions/gain.h"
#include "base/text.h"
#include "cli/lifecycle_data.h"

namespace perennial {
namespace {

constexpr double kBrokenRatio = 0.001;

/// What the log says of actions up to the instant asked about.
struct ActionsGiven {
  TimeMs first = kNoTime;
  Trials trials;
};

Result<ActionsGiven> read_given(const LifecycleData& life) {
  ActionsGiven given;
  PERENNIAL_TRY(life.log->replay_kinds(kActionRecords, 0, life.lives.applied(), [&](const StoredRecord& record) {
    const bool is_later = record.time != kNoTime && record.time > life.now;
    if (!is_later) given.trials.apply(record);
    if (std::holds_alternative<Action>(record.payload) && record.time != kNoTime && !is_later)
      given.first = given.first == kNoTime ? record.time : std::min(given.first, record.time);
    return Status();
  }));
  return given;
}

Result<ActionTallies> tally(const LifecycleData& life, TimeMs since) {
  ActionTallies tallies(since, life.now);
  PERENNIAL_TRY(life.log->replay_kinds(kActionRecords, 0, life.lives.applied(), [&](const StoredRecord& record) {
    tallies.apply(record, action_details(record));
    return Status();
  }));
  return tallies;
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

/// What was done, and what it does by what was drawn for whom: who was chosen would have differed anyway.
struct ActionGain {
  std::string name;
  ActionTally tally;
  std::optional<DrawnGain> drawn;  // of one that is declared
};

std::vector<ActionGain> gain_by_action(const ActionTallies& tallies, const ActionRules& rules, const Trials& trials,
                                       const LifecycleData& life) {
  std::vector<ActionGain> all;
  for (const auto& [name, tally] : tallies.by_action()) {
    ActionGain& one = all.emplace_back(ActionGain{name, tally, {}});
    if (const std::optional<uint16_t> action = rules.find(name))
      one.drawn = measure_drawn(rules.actions[*action], trials, life.lives, life.now);
  }
  return all;
}

std::string gain_text(GainMeasure measure, const MeasuredGain& measured) {
  if (!measured.reason.empty()) return "-";
  return fmt::format("{} [{}, {}]", figure(measure, measured.gain.value), figure(measure, measured.gain.low),
                     figure(measure, measured.gain.high));
}

void print_actions(const std::vector<ActionGain>& all, const std::string& currency) {
  fmt::print("\n{:20} {:>9} {:>9} {:>9} {:>9} {:>10}\n", "action", "given", "drawn", "delivered", "failed", "cost");
  for (const ActionGain& one : all)
    fmt::print("{:20} {:>9} {:>9} {:>9} {:>9} {:>10.2f}\n", printable(one.name), with_commas(one.tally.given),
               with_commas(one.tally.drawn), with_commas(one.tally.delivered), with_commas(one.tally.failed),
               one.tally.cost);
  fmt::print(
      "\nBy all that was drawn up to then, within the action's time, against nothing:\n{:20} {:>9}  {:30} {:30} {}\n",
      "action", "draws", "retained", "converted", "revenue, " + currency);
  for (const ActionGain& one : all) {
    if (!one.drawn) {
      fmt::print("{:20} {:>9}  is not declared\n", printable(one.name), "");
      continue;
    }
    std::array<std::string, kGainMeasures> texts;
    for (size_t m = 0; m < kGainMeasures; ++m)
      texts[m] = gain_text(static_cast<GainMeasure>(m), one.drawn->measures[m]);
    fmt::print("{:20} {:>9}  {:30} {:30} {}{}\n", printable(one.name), with_commas(one.drawn->draws), texts[0],
               texts[1], texts[2], one.drawn->measures[1].gain.high < 0 ? "  HARMFUL" : "");
  }
}

json::object to_json(const MeasuredGain& measured) {
  json::object one = {{"acted_on", measured.acted_on}, {"held_out", measured.held_out}};
  if (!measured.reason.empty()) {
    one["reason"] = measured.reason;
    return one;
  }
  one["gain"] = measured.gain.value;
  one["gain_low"] = measured.gain.low;
  one["gain_high"] = measured.gain.high;
  return one;
}

template <typename Measures>
json::object measures_json(const Measures& measures) {
  json::object all;
  for (size_t m = 0; m < kGainMeasures; ++m) all[measure_name(static_cast<GainMeasure>(m))] = to_json(measures[m]);
  return all;
}

json::array to_json(const std::vector<ActionGain>& all) {
  json::array actions;
  for (const auto& [name, tally, drawn] : all) {
    json::object one = {{"name", name},           {"given", tally.given},
                        {"drawn", tally.drawn},   {"delivered", tally.delivered},
                        {"failed", tally.failed}, {"cost", tally.cost}};
    if (drawn) {
      one["draws"] = drawn->draws;
      one["measures"] = measures_json(drawn->measures);
    }
    actions.push_back(std::move(one));
  }
  return actions;
}

json::object to_json(const GainReport& report, const std::string& currency) {
  return {{"since", format_iso8601(report.since)},
          {"at", format_iso8601(report.at)},
          {"currency", currency},
          {"users_acted_on", report.acted_on},
          {"users_held_out", report.held_out},
          {"holdout_share", report.holdout_share},
          {"sample_ratio_p_value", report.sample_ratio_p_value},
          {"measures", measures_json(report.measures)}};
}

Status gain(const CommandLine& line, const LifecycleFlags& flags, const std::string& since_text) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  PERENNIAL_TRY_ASSIGN(const LifecycleData life, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const ActionRules rules, action_rules(settings, life.lives.definition()));
  PERENNIAL_TRY_ASSIGN(const ActionsGiven given, read_given(life));
  PERENNIAL_TRY_ASSIGN(const TimeMs since, instant_of(since_text, given.first));
  if (since == kNoTime) return failed_precondition("no action was given yet: say since when with --since 2026-03-01");
  if (since >= life.now)
    return invalid_argument("--since {:.10} is not before {:.10}", format_iso8601(since), format_iso8601(life.now));
  const GainReport report =
      measure_gain(life.lives, life.log->users(), settings.arbiter_holdout_share, since, life.now);
  PERENNIAL_TRY_ASSIGN(const ActionTallies tallies, tally(life, since));
  const std::vector<ActionGain> by_action = gain_by_action(tallies, rules, given.trials, life);
  if (line.json) {
    json::object told = to_json(report, life.currency);
    told["actions"] = to_json(by_action);
    fmt::print("{}\n", json::serialize(told));
  } else {
    print_report(report, life.currency);
    if (!by_action.empty()) print_actions(by_action, life.currency);
  }
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
