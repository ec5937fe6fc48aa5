// The current model's forecasts of users, read from the log: at the origins of an exam, and of one user at an instant.
#pragma once

#include "cli/command_line.h"
#include "evaluation/dataset.h"
#include "forecast/forecasts.h"
#include "forecast/transformer_forecast.h"
#include "log/sqlite_log.h"
#include "model/model_folder.h"

namespace perennial {

/// Thread rule: one thread.
class TransformerRival {
 public:
  /// not_found when there is no model; failed_precondition, with the way out, when it does not forecast, or was trained
  /// under another definition of the stages or other event roles. `definition` is borrowed.
  static Result<TransformerRival> create(const fs::path& data_folder, const Settings& settings,
                                         const Definition& definition, LogReader& log);

  /// The time of the newest event that its training looked at.
  [[nodiscard]] TimeMs newest_seen() const { return model_.ensemble->config().holdout.newest_time_ms; }

  /// Reads all histories up to each of the instants, which rise; forecast() is quick there.
  void prepare(const std::vector<TimeMs>& instants);

  /// Its forecasts for the exam; none, with a note on stderr, when it has looked at what came after an origin.
  std::vector<Rival> rivals(const Exam& exam);

  [[nodiscard]] std::optional<double> forecast(const Question& question, const Subject& subject, TimeMs now);

 private:
  TransformerRival(StoredModel model, Dataset dataset, const Definition& definition);

  StoredModel model_;
  Dataset dataset_;
  const Definition& definition_;
  HeadFeatures features_;
  std::map<std::pair<TimeMs, UserId>, std::vector<float>> vectors_;  // those of all members, end to end
  std::pair<TimeMs, UserId> last_asked_{kNoTime, kNoId};             // most questions follow others about the same user
  HeadForecast last_;
  bool told_ = false;
};

}  // namespace perennial
