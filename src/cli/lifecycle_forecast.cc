// perennial lifecycle forecast: fit and examine the forecasts, and ask them of one user.
#include <algorithm>

#include "base/text.h"
#include "cli/lifecycle_data.h"
#include "cli/transformer_rival.h"

namespace perennial {
namespace {

fs::path forecasts_path(const fs::path& data_folder) { return data_folder / "forecasts.json"; }

/// The origins of all questions' exams, rising.
std::vector<TimeMs> origins_of(const Definition& definition, TimeMs until) {
  std::vector<TimeMs> origins;
  for (const Question& question : questions_of(definition))
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
  fmt::print("Forecasts as of {:.10}; * is the family that answers. Measured on users and answers held out.\n\n",
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
  Result<TransformerRival> rival = TransformerRival::create(line.data, settings, definition, *data.log);
  if (!rival.ok()) {
    if (rival.status().code() != Code::not_found) fmt::print(stderr, "note: {}\n", rival.status().message());
    return Forecasts::fit(definition, subjects, data.now);
  }
  rival->prepare(origins_of(definition, data.now));
  return Forecasts::fit(definition, subjects, data.now, [&](const Exam& exam) { return rival->rivals(exam); });
}

/// Those that were kept, or fitted now and not kept.
Result<Forecasts> kept_or_fitted(const CommandLine& line, const LifecycleData& data) {
  const Result<std::string> bytes = read_file(forecasts_path(line.data));
  if (!bytes.ok()) return fit(line, data);
  PERENNIAL_TRY_ASSIGN(const json::object object, parse_json_object(*bytes));
  Result<Forecasts> read = Forecasts::read(data.lives.definition(), object);
  if (!read.ok()) return read.status().with_context(forecasts_path(line.data).string());
  return read;
}

Status forecast_all(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  PERENNIAL_TRY_ASSIGN(const Forecasts forecasts, flags.fit ? fit(line, data) : kept_or_fitted(line, data));
  const json::object object = forecasts.to_json();
  if (flags.fit) PERENNIAL_TRY(write_file_atomically(forecasts_path(line.data), json::serialize(object)));
  if (line.json)
    fmt::print("{}\n", json::serialize(object));
  else
    print_quality(forecasts);
  return {};
}

std::string value_text(const Prediction& prediction, const std::string& currency) {
  return prediction.question->kind() == OutcomeKind::money ? fmt::format("{:.2f} {}", prediction.value, currency)
                                                           : fmt::format("{:.1f} %", 100 * prediction.value);
}

std::string quality_text(const Candidate& by) {
  if (by.probability)
    return fmt::format("AUC {:.2f}, Brier skill {:.2f}", by.probability->auc, by.probability->brier_skill.value);
  return fmt::format("mean absolute error {:.2f}", by.amount->mean_absolute_error.value);
}

json::value quality_json(const Candidate& by) {
  if (by.probability)
    return json::object{{"auc", by.probability->auc}, {"brier_skill", by.probability->brier_skill.value}};
  return json::object{{"mean_absolute_error", by.amount->mean_absolute_error.value}};
}

Status forecast_user(const CommandLine& line, const LifecycleFlags& flags) {
  PERENNIAL_TRY_ASSIGN(const LifecycleData data, read_lifecycle(line, flags.at));
  const std::optional<UserId> id = data.log->users().find(flags.user);
  const Life* life = id ? data.lives.find(*id) : nullptr;
  if (life == nullptr) return not_found("nothing is known of the user '{}' in {}", flags.user, line.data);
  PERENNIAL_TRY_ASSIGN(const Forecasts forecasts, kept_or_fitted(line, data));
  PERENNIAL_TRY_ASSIGN(const Settings settings, line.settings());
  const Subject subject{data.lives.root_of(*id), life->first_seen, &life->facts};
  Result<TransformerRival> rival = TransformerRival::create(line.data, settings, data.lives.definition(), *data.log);
  const RawForecast raw = [&](const Question& question, std::string_view family) -> std::optional<double> {
    if (!rival.ok() || family != kTransformerFamily) return std::nullopt;
    return rival->forecast(question, subject, data.now);
  };
  json::array told;
  if (!line.json) fmt::print("{} at {}\n\n", flags.user, format_iso8601(data.now));
  for (const QuestionForecast& each : forecasts.questions()) {
    const Result<Prediction> prediction = forecasts.predict(each.question.name, subject, data.now, raw);
    if (line.json) {
      json::object row{{"question", each.question.name}, {"horizon_days", each.question.horizon_days()}};
      if (prediction.ok()) {
        row["value"] = prediction->value;
        row["family"] = prediction->by->family;
        row["quality"] = quality_json(*prediction->by);
      } else {
        row["value"] = nullptr;
        row["reason"] = prediction.status().message();
      }
      told.push_back(std::move(row));
    } else {
      fmt::print("{:14} {:>12}  {}\n", each.question.name,
                 prediction.ok() ? value_text(*prediction, data.currency) : "-",
                 prediction.ok() ? fmt::format("{} ({})", prediction->by->family, quality_text(*prediction->by))
                                 : std::string(prediction.status().message()));
    }
  }
  const std::string& signal = data.lives.definition().signals[data.lives.definition().activity].name;
  const Result<std::vector<SurvivalPoint>> curve = forecasts.survival(signal, subject, data.now, 90, 1);
  if (line.json) {
    json::array points;
    if (curve.ok())
      for (const SurvivalPoint& point : *curve) points.push_back({point.days, point.probability});
    fmt::print("{}\n", json::serialize(json::object{{"user_id", flags.user},
                                                    {"at", format_iso8601(data.now)},
                                                    {"forecasts", std::move(told)},
                                                    {"survival", std::move(points)}}));
  } else if (curve.ok()) {
    fmt::print("\nStill silent after    7 days {:.0f} %   30 days {:.0f} %   90 days {:.0f} %\n",
               100 * (*curve)[6].probability, 100 * (*curve)[29].probability, 100 * (*curve)[89].probability);
  }
  return {};
}

}  // namespace

void add_lifecycle_forecast_command(CLI::App& app, CommandLine& line) {
  const auto flags = std::make_shared<LifecycleFlags>();
  CLI::App* command = add_command(
      app, line, "forecast", "What users will do next, and how good such forecasts were",
      "perennial lifecycle forecast --data shop --fit\n"
      "  perennial lifecycle forecast --data shop user-42\n\n"
      "Without a user: the quality of each forecast, classical and of the Transformer, and which one answers.\n"
      "--fit keeps them in the data directory. The Transformer is examined on what came after its training: train it\n"
      "with --holdout none --before a date one horizon ago, run --fit, then train on everything.",
      [&line, flags] { return flags->user.empty() ? forecast_all(line, *flags) : forecast_user(line, *flags); });
  command->add_option("user", flags->user, "user id");
  command->add_flag("--fit", flags->fit, "fit and examine anew, and keep the result");
  add_output_flags(*command, line, *flags, false);
}

}  // namespace perennial
