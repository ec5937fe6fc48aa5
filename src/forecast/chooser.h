// Which family answers a question best, found out on time held out: every family is fitted where the horizon is over
// twice (T - 2h), recalibrated on users it was not fitted to, and measured on the last horizon (T - h, T]. Families
// fitted elsewhere compete by their raw forecasts for the same users. Covered by forecast/chooser_test.cc.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "forecast/logistic.h"
#include "forecast/model.h"
#include "forecast/quality.h"

namespace perennial {

/// The users asked at both origins, with their answers: what a rival has to forecast.
struct Exam {
  Question question;
  Asked first;   // at T - 2h
  Asked second;  // at T - h
};

/// Forecasts of a family that is fitted elsewhere, raw, in the order of the exam's users. Those of the second origin
/// must owe nothing to what came after it. Of the first only those of judges count, to recalibrate: their answers must
/// not have been trained on.
struct Rival {
  std::string family;
  std::vector<double> at_first;
  std::vector<double> at_second;
};

/// Whether recalibration is learned from the user; models are fitted to the others. The same at all origins, about one
/// in three.
bool is_judge(UserId user);

/// The users of whom the question is asked at `at`; with answers when `at` + horizon <= `until`.
Asked ask(const Definition& definition, const Question& question, std::span<const Subject> everybody, TimeMs at,
          TimeMs until);

/// failed_precondition, saying what is missing, when the log, known from `since` to `until`, is shorter than two
/// horizons, when fewer than 100 users are asked, or when fewer than 10 did it, or did not, at one of the origins.
Result<Exam> prepare_exam(const Definition& definition, const Question& question, std::span<const Subject> everybody,
                          TimeMs since, TimeMs until);

/// What makes a raw forecast mean what it says: a line on the logit, or a factor of money.
struct Calibration {
  Recalibration line;
  double factor = 1;

  [[nodiscard]] double apply(OutcomeKind kind, double raw) const;
};

/// On forecasts and answers of the same users. The factor makes the sums equal, within [0.1, 10].
Calibration fit_calibration(OutcomeKind kind, std::span<const double> raw, std::span<const double> answers);

struct Candidate {
  std::string family;
  std::string reason;  // why it does not compete; empty: it does
  std::optional<ProbabilityQuality> probability;
  std::optional<AmountQuality> amount;
  Interval95 loss_above_best;  // Brier, or mean absolute error of money, above that of the chosen; paired by user
  Calibration calibration;     // for serving: of the newest horizon that is over
  std::shared_ptr<const Model> model;  // for serving, fitted at T - h; null of a rival
};

/// Best first: by Brier score, or by mean absolute error of money; then those that do not compete.
std::vector<Candidate> hold_exam(const Definition& definition, const Exam& exam, std::span<const Subject> everybody,
                                 std::span<const Rival> rivals);

}  // namespace perennial
