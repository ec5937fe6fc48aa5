// Fitted forecasts: for each question the candidates with their quality and the one that was chosen, and the time until
// a user's next visit or purchase. Made from everybody's facts, kept as forecasts.json (docs/formats/forecasts.md),
// asked for one user. Covered by forecast/forecasts_test.cc. Thread rule: immutable once made.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "forecast/chooser.h"
#include "forecast/mbg_nbd.h"

namespace perennial {

struct QuestionForecast {
  Question question;
  std::string reason;                 // why there is no forecast; empty: there is one
  TimeMs measured_from = 0;           // quality is of forecasts made then, of answers until `until`
  std::vector<Candidate> candidates;  // the first is the chosen one, see hold_exam
};

/// The model behind survival curves, of one signal.
struct NextEvent {
  std::string signal;
  std::string reason;  // why there is none
  MbgNbd visits;       // in days
};

struct Prediction {
  double value = 0;  // a probability, or money in major units
  const Question* question = nullptr;
  const Candidate* by = nullptr;  // with its quality; both belong to the Forecasts
};

struct SurvivalPoint {
  double days = 0;         // from the moment of asking
  double probability = 1;  // of no event until then
};

/// Families fitted elsewhere: called once for each question that can be examined.
using RivalsOf = std::function<std::vector<Rival>(const Exam& exam)>;

/// The raw forecast of a family fitted elsewhere for the user asked about, or nullopt.
using RawForecast = std::function<std::optional<double>(const Question& question, std::string_view family)>;

class Forecasts {
 public:
  /// From all that is known up to `until`; facts later than that are not looked at. What cannot be forecast has a
  /// reason; nothing fails as a whole.
  static Forecasts fit(Definition definition, std::span<const Subject> everybody, TimeMs until,
                       const RivalsOf& rivals = {});

  /// From to_json. invalid_argument for what cannot be; failed_precondition when it was made under another definition.
  static Result<Forecasts> read(Definition definition, const json::object& object);
  [[nodiscard]] json::object to_json() const;

  [[nodiscard]] TimeMs until() const { return until_; }
  [[nodiscard]] const std::vector<QuestionForecast>& questions() const { return questions_; }

  /// By the best candidate that can speak: it has a model here, or `raw` knows its forecast. not_found for a question
  /// that there is not; failed_precondition, with the reason, when there is no forecast or the user is not asked.
  [[nodiscard]] Result<Prediction> predict(std::string_view question, const Subject& subject, TimeMs now,
                                           const RawForecast& raw = {}) const;

  /// That no event of the signal (the activity signal, or "value") has come yet, 1, 1 + every, ... up to `days` days
  /// after `now`. Not recalibrated. not_found for another signal; failed_precondition, with the reason, when there is
  /// no model or the user has no event yet.
  [[nodiscard]] Result<std::vector<SurvivalPoint>> survival(std::string_view signal, const Subject& subject, TimeMs now,
                                                            int days, int every = 1) const;

 private:
  Definition definition_;
  TimeMs until_ = 0;
  std::vector<QuestionForecast> questions_;
  std::vector<NextEvent> next_events_;
};

/// A digest of all that labels and features depend on.
std::string definition_digest(const Definition& definition);

}  // namespace perennial
