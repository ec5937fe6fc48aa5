// perennial lifecycle forecast: fit and examine the forecasts, and ask them of one user.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/lifecycle_data.h"
#include "cli/transformer_rival.h"
#include "forecast/forecasts_file.h"
#include "forecast/user_forecasts.h"

namespace perennial {
namespace {

/// The origins of the exams that a model may sit which has seen all up to `seen`; rising.
std::vector<TimeMs> origins_of(const Definition& definition, TimeMs until, TimeMs seen) {
  std::vector<TimeMs> origins;
  for (const Question& question : questions_of(definition))
    if (until - question.horizon_ms >= seen)
      for (const int horizons : {1, 2}) origins.push_back(until - horizons * question.horizon_ms);
  std::sort(origins.begin(), origins.end());
  origins.erase(std::unique(origins.begin(), origins.end()), origins.end());
  return origins;
}

std::string interval_text(const Interval95& interval) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", interval.value, interval.low, interval.high);
}

void print_candidate(const Candidate& candidate, bool chosen) {
  fmt::print("  {} {:20}", chosen ? "*" : " ", candidate.family);
  if (!candidate.reason.empty()) {
    fmt::print(" {}\n", candidate.reason);
  } else if (candidate.probability) {
    const ProbabilityQuality& quality = *candidate.probability;
    fmt::print(" {:.3f}  {:24}  {:24}  {:5.1f}\n", quality.auc, interval_text(quality.brier_skill),
               quality.calibration_slope ? interval_text(*quality.calibration_slope) : "not measurable",
               quality.lift_at_10_percent);
  } else {
    const AmountQuality& quality = *candidate.amount;
    fmt::print(" mean absolute error {}, bias {:+.2f}, Gini {}\n", interval_text(quality.mean_absolute_error),
               quality.mean_bias, quality.gini ? fmt::format("{:.3f}", *quality.gini) : "not measurable");
  }
}

void print_quality(const Forecasts& forecasts) {
  fmt::print("Forecasts as of {:.10}; * is the family that answers. Measured on answers held out in time.\n\n",
             format_iso8601(forecasts.until()));
  fmt::print("{:24} {:5}  {:24}  {:24}  {:>5}\n", "", "AUC", "Brier skill", "calibration slope", "lift");
  for (const QuestionForecast& forecast : forecasts.questions()) {
    fmt::print("{} within {:.0f} days", forecast.question.name, forecast.question.horizon_days());
    if (forecast.candidates.empty()) {
      fmt::print(": {}\n", forecast.reason);
      continue;
    }
    const Candidate& best = forecast.candidates.front();
    if (best.probability)
      fmt::print(
          ", {} users, {:.1f} % did\n", with_commas(best.probability->users),
          100.0 * static_cast<double>(best.probability->positives) / static_cast<double>(best.probability->users));
    else
      fmt::print("{}\n", best.amount ? fmt::format(", {} users, {:.2f} on average", with_commas(best.amount->users),
                                                   best.amount->mean_outcome)
                                     : "");
    for (size_t i = 0; i < forecast.candidates.size(); ++i) print_candidate(forecast.candidates[i], i == 0);
  }
}

Result<Forecasts> fit(const CommandLine& line, const LifecycleData& data) {
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  const Definition& definition = data.lives.definition();
  const std::vector<Subject> subjects = subjects_of(data.lives);
  // What came after the newest event is not known: it is no silence.
  const TimeMs until = std::min(data.now, newest_fact(data.lives));
  Result<TransformerRival> rival = TransformerRival::create(line.data, settings, definition, *data.log);
  if (!rival.ok()) {
    if (rival.status().code() != Code::not_found) fmt::print(stderr, "note: {}\n", rival.status().message());
    return Forecasts::fit(definition, subjects, until);
  }
  rival->prepare(origins_of(definition, until, rival->newest_seen()));
  return Forecasts::fit(definition, subjects, until, [&](const Exam& exam) { return rival->rivals(exam); });
}

/// Those that were kept; or fitted now and not kept, when there are none or they know what came after the instant asked
/// about.
Result<Forecasts> kept_or_fitted(const CommandLine& line, const LifecycleData& data) {
  Result<Forecasts> kept = load_forecasts(line.data, data.lives.definition());
  if (kept.ok() && kept->until() > data.now) return fit(line, data);
  return !kept.ok() && kept.status().code() == Code::not_found ? fit(line, data) : std::move(kept);
}

/// Keeps them, unless those there are know more.
Status keep(const CommandLine& line, const LifecycleData& data, const Forecasts& forecasts) {
  const Result<Forecasts> kept = load_forecasts(line.data, data.lives.definition());
  if (kept.ok() && kept->until() > forecasts.until()) {
    fmt::print(stderr, "note: not kept, since those in {} are as of {:.10}\n", forecasts_path(line.data).string(),
               format_iso8601(kept->until()));
    return {};
  }
  return save_forecasts(line.data, forecasts);
}

Status forecast_all(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const Forecasts forecasts, flags.fit ? fit(line, data) : kept_or_fitted(line, data));
  if (flags.fit) PERENNIAL_TRY(keep(line, data, forecasts));
  if (flags.csv) return invalid_argument("--csv is for --everyone");
  if (line.json)
    fmt::print("{}\n", json::serialize(forecasts.to_json()));
  else
    print_quality(forecasts);
  return {};
}

void print_answer(const ForecastAnswer& answer, const std::string& currency) {
  std::string value = "-";
  if (answer.value)
    value = answer.question.kind() == OutcomeKind::money ? fmt::format("{:.2f} {}", *answer.value, currency)
                                                         : fmt::format("{:.1f} %", 100 * *answer.value);
  fmt::print("{:14} {:>12}  {}\n", answer.question.name, value,
             answer.value ? fmt::format("{} ({})", answer.family, quality_in_words(answer)) : answer.reason);
}

void print_forecasts(const UserForecasts& forecasts, const std::string& currency) {
  fmt::print("{} at {}\n\n", forecasts.user_id, format_iso8601(forecasts.at));
  for (const ForecastAnswer& answer : forecasts.answers) print_answer(answer, currency);
  if (forecasts.survival.empty()) return;
  fmt::print("\nStill silent after");
  for (const size_t days : {7, 30, 60, 90})
    fmt::print("   {} days {:.0f} %", days, 100 * forecasts.survival[days - 1].probability);
  fmt::print("\n");
}

Cell cell_of(const ForecastAnswer& answer, int64_t minor_units) {
  if (!answer.value) return {};
  if (answer.question.kind() != OutcomeKind::money) return *answer.value;
  return std::llround(*answer.value * static_cast<double>(minor_units));
}

/// A row a user who is known by the instant, in the order of ids.
Status forecast_everyone(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const Forecasts forecasts, kept_or_fitted(line, data));
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  const Definition& definition = data.lives.definition();
  Result<TransformerRival> rival = TransformerRival::create(line.data, settings, definition, *data.log);
  if (rival.ok()) rival->prepare({data.now});
  Table table{.name = "forecasts", .title = "Forecasts", .at = data.now, .currency = data.currency};
  table.explanation = "What each user will do next, by the family of models that was best on time held out.";
  table.columns = {{.name = "user_id", .head = "user"}, {.name = "stage"}, {.name = "overlay"}};
  for (const QuestionForecast& each : forecasts.questions())
    table.columns.push_back(
        {.name = each.question.name,
         .type = each.question.kind() == OutcomeKind::money ? ColumnType::money : ColumnType::share});
  for (const Subject& subject : subjects_of(data.lives)) {
    if (subject.first_seen == kNoTime || subject.first_seen > data.now) continue;
    const RawForecast raw = [&](const Question& question, std::string_view family) -> std::optional<double> {
      if (!rival.ok() || family != kTransformerFamily) return std::nullopt;
      return rival->forecast(question, subject, data.now);
    };
    const Standing standing = standing_at(definition, *subject.facts, data.now);
    std::vector<Cell>& row = table.rows.emplace_back();
    row = {data.log->users().name(subject.user), std::string(stage_name(standing.stage)),
           standing.overlay == Overlay::none ? Cell() : Cell(std::string(overlay_name(standing.overlay)))};
    for (const ForecastAnswer& answer : forecasts_of(forecasts, definition, subject, {}, data.now, raw).answers)
      row.push_back(cell_of(answer, definition.minor_units));
  }
  return print_table(table, line, flags);
}

Status forecast_user(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  const std::optional<UserId> id = data.log->users().find(flags.user);
  const Found<Life> life = id ? data.lives.find(*id) : nullptr;
  if (life == nullptr) return not_found("nothing is known of the user '{}' in {}", flags.user, line.data);
  PERENNIAL_TRY_ASSIGN(const Forecasts forecasts, kept_or_fitted(line, data));
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  const Definition& definition = data.lives.definition();
  const Subject subject{data.lives.root_of(*id), life->first_seen, &life->facts};
  Result<TransformerRival> rival = TransformerRival::create(line.data, settings, definition, *data.log);
  const RawForecast raw = [&](const Question& question, std::string_view family) -> std::optional<double> {
    if (!rival.ok() || family != kTransformerFamily) return std::nullopt;
    return rival->forecast(question, subject, data.now);
  };
  const UserForecasts all = forecasts_of(forecasts, definition, subject, flags.user, data.now, raw);
  if (line.json)
    fmt::print("{}\n", json::serialize(to_json(all)));
  else
    print_forecasts(all, data.currency);
  return {};
}

}  // namespace

void add_lifecycle_forecast_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<LifecycleFlags>();
  CLI::App* command = add_command(
      app, line, "forecast", "What users will do next, and how good such forecasts were",
      "perennial lifecycle forecast --data shop --fit\n"
      "  perennial lifecycle forecast --data shop user-42\n"
      "  perennial lifecycle forecast --data shop --everyone --csv > forecasts.csv\n\n"
      "Without a user: the quality of each forecast, classical and of the Transformer, and which one answers.\n"
      "--fit keeps them in the data directory. The Transformer is examined on what came after its training: train it\n"
      "with --holdout none --before a date one horizon ago, run --fit, then train on everything.",
      [&line, flags] {
        if (flags->everyone) return forecast_everyone(line, *flags);
        return flags->user.empty() ? forecast_all(line, *flags) : forecast_user(line, *flags);
      });
  CLI::Option* user = command->add_option("user", flags->user, "user id");
  CLI::Option* fit =
      command->add_flag("--fit", flags->fit, "fit and examine anew, and keep the result")->excludes(user);
  command->add_flag("--everyone", flags->everyone, "a row for every user")->excludes(user)->excludes(fit);
  add_output_flags(*command, line, *flags, true);
}

}  // namespace perennial
