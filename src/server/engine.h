// The server without HTTP: the log, the state folded from it, the recommender and its model, kept together and moving.
// An event that post() has acknowledged is on the disk and in the state: the next recommendation knows it.
// Relies on log (durability), profiles (the fold), recommend (the choice). Covered by server/engine_test.cc.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "forecast/user_forecasts.h"
#include "insight/feedback_report.h"
#include "insight/reports.h"
#include "lifecycle/currencies.h"
#include "lifecycle/life_story.h"
#include "lifecycle/stage_watch.h"
#include "log/slate_log.h"
#include "log/sqlite_log.h"
#include "profiles/state.h"
#include "recommend/recommender.h"
#include "server/arbiter.h"
#include "server/feedback.h"
#include "server/forecast_watch.h"
#include "server/kept_lists.h"
#include "server/list_rules_file.h"
#include "server/memory_budget.h"
#include "server/metrics.h"
#include "server/model_watch.h"
#include "server/stage_objectives.h"
#include "server/state_gate.h"
#include "server/views.h"

namespace perennial {

struct EngineOptions {
  fs::path data_folder;
  SqliteLogOptions log;
  EventRoles roles;
  Definition stages;
  std::string currency = "USD";  // of amounts that name none
  StageObjectives objectives;
  ArbiterOptions arbiter;                           // without actions there is none
  size_t history_limit = 512;                       // tokens kept a user
  size_t vector_bytes = Recommender::kVectorBytes;  // for users' vectors, keys and values, at most
  size_t memory_bytes = SIZE_MAX;                   // of the process; users that do not fit are in a file
  SlateLogOptions slates;
  double snapshot_every_seconds = 600;
  int64_t snapshot_every_records = 500'000;
  double watch_every_seconds = 1;  // looks for a new model
  ModelLoader load_model;          // null: the server runs without a model
};

/// Who asks, beyond what the recommender reads.
struct Asker {
  std::string anonymous_id;  // used when user_id is empty or has no profile
  std::string context;       // the request's context as a JSON object, or empty; kept in the slate
  MessageId after{};         // the list whose next page is asked for; zero for none
};

/// Thread rule: any thread, but for open() and stop().
class Engine {
 public:
  using Done = LogWriter::Done;

  /// Opens the log and brings the state up to its end: from the snapshot if there is a good one, else by replay from 0.
  static Result<std::unique_ptr<Engine>> open(EngineOptions options, const Clock& clock);
  ~Engine();

  /// Puts valid records in (events/record.h, validate). `done` comes from the log's thread when they are on the disk
  /// and in the state, or at once when the log's queue or the memory is full (resource_exhausted). Never blocks on the
  /// disk.
  void post(std::vector<Record> records, Done done);

  /// The same, waiting.
  Result<AppendOutcome> post_and_wait(std::vector<Record> records);

  /// invalid_argument for an event of a type that the log does not know and that is one too many: clients may make up
  /// 10,000, so that the log's 65,535 are never used up.
  [[nodiscard]] Status check_type(const Record& record) const;

  /// Chooses a slate and queues it for the log. Never fails: see Recommender::recommend.
  ServedRecommendation recommend(RecommendRequest request, const Asker& asker);

  /// What the list and those before it have shown, of a list that goes on page by page; not_found for one that is not
  /// kept. Reads the disk: not for a server's own threads.
  Result<std::vector<ItemId>> shown_up_to(const MessageId& slate) const;

  /// The user's profile with at most `history_limit` of its newest events; not_found for a user without one.
  Result<UserView> user(const std::string& user_id, size_t history_limit) const;

  /// The user's stage at `at` and how it came there; not_found for a user of whom nothing is known. Reads the disk: not
  /// for a server's own threads.
  Result<LifeStory> life_story(const std::string& user_id, TimeMs at);

  /// What the user will do next, as of now; not_found for a user of whom nothing is known; failed_precondition, with
  /// the way out, when no forecasts have been fitted.
  Result<UserForecasts> forecasts(const std::string& user_id) const;

  /// What would be best done for the user now; not_found for a user of whom nothing is known; failed_precondition when
  /// no action is declared; unavailable while effects are learned for the first time.
  Result<NextBestActions> next_best_actions(const std::string& user_id) const;

  /// Of amounts.
  [[nodiscard]] const std::string& currency() const { return currency_; }

  /// Empty for an erased one.
  [[nodiscard]] std::string user_name(UserId user) const { return log_->users().name(user); }

  /// Null when no action is declared.
  [[nodiscard]] Arbiter* arbiter() { return arbiter_.get(); }

  /// A report of insight/reports.h as of `at`; invalid_argument for one that reads the whole log, or lists more than
  /// 10,000 users. Events wait while it is made, a second or two for millions of users: not for a server's own threads.
  Result<Table> lifecycle_report(const std::string& name, const std::map<std::string, std::string>& options,
                                 TimeMs at) const;

  /// What became of the lists served in the time: feedback_report. Reads the disk, seconds for millions of events: not
  /// for a server's own threads.
  Result<Table> feedback(const FeedbackOptions& options) const;

  /// Everybody's stages at `at`. Takes a second for millions of users: not for a server's own threads.
  StageCounts count_stages_at(TimeMs at) const;

  /// not_found when no upsert has described the item, or it was deleted.
  Result<ItemView> item(const std::string& item_id) const;

  /// That the log names, deleted ones too.
  [[nodiscard]] size_t item_count() const { return log_->items().size(); }

  /// Whether some record names the item and it is not deleted.
  [[nodiscard]] bool knows_item(const std::string& item_id) const;

  /// The slate and the events that name it. Reads the disk: not for a server's own threads.
  Result<SlateView> slate(const std::string& recommendation_id);

  /// Erases the user and all identities that were merged into it, from log, slates, state and the snapshot on the disk
  /// (within seconds: all of it is written anew). `done` comes from another thread; not_found for a name that neither
  /// log nor slates know.
  void erase_user(const std::string& user_id, Done done);

  /// From the next list on.
  void set_objectives(const StageObjectives& objectives);

  [[nodiscard]] EngineStatus status() const;

  /// The text of /metrics, gauges brought up to date.
  [[nodiscard]] std::string metrics_text();
  Metrics& metrics() { return metrics_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

  /// Waits for all that was posted, then saves the snapshot. No call may follow but status().
  Status stop();

 private:
  Engine(EngineOptions options, const Clock& clock, std::unique_ptr<LogWriter> log);

  Status load_state();
  Status load_snapshots();
  Status catch_up(Offset end);
  std::optional<double> churn_probability(const Subject& subject, TimeMs now) const;
  std::optional<HeadForecast> head_forecast(const ServingModel* model, const Subject& subject, TimeMs now) const;
  void committed(std::span<const StoredRecord> records);
  void apply_to_state(const StoredRecord& record);
  void catch_up_vectors(std::span<const StoredRecord> records);
  void credit(const StoredRecord& record, const Event& event);
  ServedRecommendation serve(RecommendRequest request, const Asker& asker);
  void keep_slate(const ServedRecommendation& served, const RecommendRequest& request, const Asker& asker, TimeMs now);
  std::optional<UserId> find_user(const RecommendRequest& request, const Asker& asker) const;
  std::string lasting_id(std::optional<UserId> user, const RecommendRequest& request, const Asker& asker) const;
  std::shared_ptr<const ServedList> list_for(std::optional<UserId> user, RecommendRequest& request,
                                             const ChosenObjective& objective, const Standing& standing, TimeMs now);
  std::vector<UserId> identities_of(UserId user) const;
  void slates_written(size_t slates, const Status& status);
  [[nodiscard]] std::vector<std::string> names_of(const std::string& user_id) const;
  void erase_slates_and_user(const std::string& user_id, const std::vector<std::string>& names, const Done& finish);
  [[nodiscard]] EventTypeId click_type() const;
  void begin_pending();
  void end_pending();
  void housekeeping();
  void take_new_model();
  void take_new_rules();
  void refresh_popularity_when_due();
  void refresh_outcomes_when_due();
  void advance_stages_when_due();
  void tell_stages();
  void mind_memory();
  void scrub();
  Status users_damage() const;
  Status give_up_snapshots(bool erased_since, Status damage);
  WhileStill while_still();
  void save_snapshot_when_due();
  Status save_snapshot();

  EngineOptions options_;
  const Clock& clock_;
  Metrics metrics_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Lives> lives_;
  std::unique_ptr<StageWatch> stages_;
  std::unique_ptr<Arbiter> arbiter_;
  mutable StateGate gate_;   // guards what these hold
  std::string currency_;     // of the log's amounts, or of those that name none
  StageMoves moves_told_{};  // to the metrics; guarded by metrics_mutex_
  std::mutex metrics_mutex_;
  FeedbackUsers feedback_users_;
  ModelWatch model_watch_;
  ForecastWatch forecast_watch_;
  ListRulesFile list_rules_;
  std::unique_ptr<Recommender> recommender_;

  std::atomic<Offset> applied_{0};
  std::atomic<Offset> snapshot_offset_{0};
  std::atomic<bool> snapshot_due_{false};
  const MemoryBudget memory_;
  std::atomic<bool> memory_full_{false};
  KeptLists lists_;
  double memory_due_at_ = 0;
  double snapshot_tried_at_ = 0;  // this and the next seven: housekeeping's thread
  bool snapshot_failed_ = false;
  Offset popularity_offset_ = -1;
  double popularity_due_at_ = 0;
  Offset outcomes_offset_ = -1;
  double outcomes_due_at_ = 0;
  double watch_due_at_ = 0;
  double stages_due_at_ = 0;

  std::mutex pending_mutex_;
  std::condition_variable pending_changed_;
  int64_t pending_ = 0;  // appends and erasures that are not done
  bool stopping_ = false;

  std::unique_ptr<SlateLog> slates_;
  std::unique_ptr<LogWriter> log_;  // its thread calls into the members above: it ends first
  std::thread housekeeping_;
};

}  // namespace perennial
