#include "forecast/chooser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "base/text.h"

namespace perennial {
namespace {

constexpr size_t kLeastAsked = 100;
constexpr int64_t kLeastOfEachAnswer = 10;
constexpr size_t kMostLearners = 100'000;  // more make a fit slower, not better
constexpr uint64_t kSplitSeed = 0x5b1d'3a97'c0de'7e11;

Status check_answers(const Question& question, const Asked& asked) {
  const std::string date = format_iso8601(asked.at).substr(0, 10);
  if (asked.subjects.size() < kLeastAsked)
    return failed_precondition("{} could be asked of {} users on {}, want at least {}", question.name,
                               asked.subjects.size(), date, kLeastAsked);
  const auto yes = std::count_if(asked.answers.begin(), asked.answers.end(), [](double answer) { return answer > 0; });
  const auto no = static_cast<int64_t>(asked.answers.size()) - yes;
  if (yes < kLeastOfEachAnswer || no < kLeastOfEachAnswer)
    return failed_precondition("{} came true for {} of {} users asked on {}: want at least {} of either kind",
                               question.name, yes, yes + no, date, kLeastOfEachAnswer);
  return {};
}

Asked learners_of(const Asked& asked) {
  Asked learners{asked.at, {}, {}};
  const size_t every = 1 + asked.subjects.size() / kMostLearners;
  for (size_t i = 0; i < asked.subjects.size(); ++i) {
    const UserId user = asked.subjects[i].user;
    if (is_judge(user) || mix64(user) % every != 0) continue;
    learners.subjects.push_back(asked.subjects[i]);
    learners.answers.push_back(asked.answers[i]);
  }
  return learners;
}

/// On the judges among the users asked; `raw` is of all of them.
Calibration calibrate(OutcomeKind kind, const Asked& asked, std::span<const double> raw) {
  std::vector<double> of_judges;
  std::vector<double> answers;
  for (size_t i = 0; i < asked.subjects.size(); ++i) {
    if (!is_judge(asked.subjects[i].user)) continue;
    of_judges.push_back(raw[i]);
    answers.push_back(asked.answers[i]);
  }
  return fit_calibration(kind, of_judges, answers);
}

std::vector<double> forecasts_of(const Definition& definition, const Model& model, const Asked& asked) {
  std::vector<double> forecasts;
  forecasts.reserve(asked.subjects.size());
  for (const Subject& subject : asked.subjects) forecasts.push_back(model.forecast(definition, subject, asked.at));
  return forecasts;
}

/// A candidate with its calibrated forecasts at the second origin.
struct Trial {
  Candidate candidate;
  std::vector<double> forecasts;
};

Loss loss_of(OutcomeKind kind) { return kind == OutcomeKind::money ? Loss::absolute : Loss::squared; }

/// Recalibrates by the first origin and measures at the second.
Status measure(const Exam& exam, std::span<const double> raw_at_first, std::span<const double> raw_at_second,
               Trial& trial) {
  const OutcomeKind kind = exam.question.kind();
  const Calibration calibration = calibrate(kind, exam.first, raw_at_first);
  for (const double raw : raw_at_second) trial.forecasts.push_back(calibration.apply(kind, raw));
  if (kind == OutcomeKind::money) {
    PERENNIAL_TRY_ASSIGN(trial.candidate.amount, measure_amounts(trial.forecasts, exam.second.answers));
  } else {
    PERENNIAL_TRY_ASSIGN(trial.candidate.probability, measure_probabilities(trial.forecasts, exam.second.answers));
  }
  return {};
}

Status try_family(const Definition& definition, const Exam& exam, std::span<const Subject> everybody,
                  const Family& family, Trial& trial) {
  const auto fit = [&](const Asked& asked) {
    const Asked learners = learners_of(asked);
    return family.fit({definition, exam.question, everybody, learners});
  };
  PERENNIAL_TRY_ASSIGN(const std::unique_ptr<Model> earlier, fit(exam.first));
  const std::vector<double> at_second = forecasts_of(definition, *earlier, exam.second);
  PERENNIAL_TRY(measure(exam, forecasts_of(definition, *earlier, exam.first), at_second, trial));
  PERENNIAL_TRY_ASSIGN(std::shared_ptr<const Model> serving, fit(exam.second));
  trial.candidate.calibration =
      calibrate(exam.question.kind(), exam.second, forecasts_of(definition, *serving, exam.second));
  trial.candidate.model = std::move(serving);
  return {};
}

Status try_rival(const Exam& exam, const Rival& rival, Trial& trial) {
  if (rival.at_first.size() != exam.first.subjects.size() || rival.at_second.size() != exam.second.subjects.size())
    return invalid_argument("{} and {} forecasts for {} and {} users asked", rival.at_first.size(),
                            rival.at_second.size(), exam.first.subjects.size(), exam.second.subjects.size());
  const auto is_finite = [](double forecast) { return std::isfinite(forecast); };
  if (!std::all_of(rival.at_first.begin(), rival.at_first.end(), is_finite) ||
      !std::all_of(rival.at_second.begin(), rival.at_second.end(), is_finite))
    return invalid_argument("a forecast is not a finite number");
  PERENNIAL_TRY(measure(exam, rival.at_first, rival.at_second, trial));
  // It was not fitted to any answer after the second origin, so all users are judges there.
  trial.candidate.calibration = fit_calibration(exam.question.kind(), rival.at_second, exam.second.answers);
  return {};
}

double loss_of(const Candidate& candidate) {
  if (!candidate.reason.empty()) return std::numeric_limits<double>::infinity();
  return candidate.amount ? candidate.amount->mean_absolute_error.value : candidate.probability->brier;
}

}  // namespace

bool is_judge(UserId user) { return mix64(user ^ kSplitSeed) % 3 == 0; }

Asked ask(const Definition& definition, const Question& question, std::span<const Subject> everybody, TimeMs at,
          TimeMs until) {
  Asked asked{at, {}, {}};
  for (const Subject& subject : everybody)
    if (is_asked(question, definition, subject, at)) asked.subjects.push_back(subject);
  if (at + question.horizon_ms > until) return asked;
  for (const Subject& subject : asked.subjects)
    asked.answers.push_back(answer(question, definition, *subject.facts, at));
  return asked;
}

Result<Exam> prepare_exam(const Definition& definition, const Question& question, std::span<const Subject> everybody,
                          TimeMs since, TimeMs until) {
  if (until - since < 2 * question.horizon_ms)
    return failed_precondition("the log is {:.0f} days long, {} needs {:.0f}",
                               static_cast<double>(until - since) / static_cast<double>(kMsOfDay), question.name,
                               2 * question.horizon_days());
  const TimeMs second = until - question.horizon_ms;
  const TimeMs first = second - question.horizon_ms;
  Exam exam{question, ask(definition, question, everybody, first, until),
            ask(definition, question, everybody, second, until)};
  PERENNIAL_TRY(check_answers(question, exam.first));
  PERENNIAL_TRY(check_answers(question, exam.second));
  return exam;
}

double Calibration::apply(OutcomeKind kind, double raw) const {
  return kind == OutcomeKind::money ? factor * raw : line.apply(raw);
}

Calibration fit_calibration(OutcomeKind kind, std::span<const double> raw, std::span<const double> answers) {
  Calibration calibration;
  if (kind == OutcomeKind::probability) {
    calibration.line = fit_recalibration(raw, answers);
    return calibration;
  }
  const double forecast = std::accumulate(raw.begin(), raw.end(), 0.0);
  const double came = std::accumulate(answers.begin(), answers.end(), 0.0);
  if (forecast > 0 && came > 0) calibration.factor = std::clamp(came / forecast, 0.1, 10.0);
  return calibration;
}

std::vector<Candidate> hold_exam(const Definition& definition, const Exam& exam, std::span<const Subject> everybody,
                                 std::span<const Rival> rivals) {
  std::vector<Trial> trials;
  const auto add = [&](std::string_view family, const auto& attempt) {
    Trial& trial = trials.emplace_back();
    trial.candidate.family = family;
    if (const Status status = attempt(trial); !status.ok()) trial.candidate.reason = status.message();
  };
  for (const Family& family : classical_families())
    if (family.suits(exam.question))
      add(family.name, [&](Trial& trial) { return try_family(definition, exam, everybody, family, trial); });
  for (const Rival& rival : rivals) add(rival.family, [&](Trial& trial) { return try_rival(exam, rival, trial); });
  std::stable_sort(trials.begin(), trials.end(),
                   [](const Trial& a, const Trial& b) { return loss_of(a.candidate) < loss_of(b.candidate); });
  std::vector<Candidate> candidates;
  for (Trial& trial : trials) {
    if (trial.candidate.reason.empty())
      trial.candidate.loss_above_best =
          loss_difference(trial.forecasts, trials[0].forecasts, exam.second.answers, loss_of(exam.question.kind()));
    candidates.push_back(std::move(trial.candidate));
  }
  return candidates;
}

}  // namespace perennial
