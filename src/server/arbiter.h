// Acts on users while the server runs: plans at times, logs what was decided, hands it over, and knows the next best
// action of each. Joins actions and delivery with the engine's state. Covered by server/arbiter_test.cc.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "actions/advice.h"
#include "actions/trials.h"
#include "actions/users.h"
#include "delivery/deliverer.h"
#include "log/event_log.h"
#include "profiles/state.h"
#include "server/forecast_watch.h"
#include "server/metrics.h"
#include "server/state_gate.h"
#include "server/views.h"

namespace perennial {

struct ArbiterOptions {
  ActionRules rules;
  std::shared_ptr<Transport> transport;  // null: nothing is decided, for nobody would hand it over; advice is given
  double plan_every_seconds = 3600;
  double learn_every_seconds = 6 * 3600;
  // While so many could be handed over now, or wait for their time, no more is decided; what could not be decided in
  // that time is left to the next plan.
  size_t most_due = 10'000;
  size_t most_waiting = 20'000;
  double patience_seconds = 3600;
  DelivererOptions delivery;
};

/// An action weighed for one user.
struct AdvisedAction {
  Weighed weighed;
  std::string reason;
  std::optional<ServedRecommendation> slate;  // of a slate that nothing stands against: what it would show, as served
};

/// For one user, the best first.
struct NextBestActions {
  std::string user_id;
  TimeMs at = 0;
  std::vector<AdvisedAction> actions;
  std::vector<NextStep> steps;  // actions and items
};

/// What the action shows the user, by the rules for its channel.
RecommendRequest slate_request(const ActionSpec& action, const std::string& user_id);

/// Thread rule: any thread, but for start() and stop(); apply() with the gate's write lock held.
class Arbiter {
 public:
  /// What it works on; all outlives it.
  struct World {
    StateGate& gate;
    const State& state;
    const Lives& lives;
    LogReader& log;
    const ForecastWatch& forecasts;
    const Clock& clock;
    Metrics& metrics;
    std::function<Result<AppendOutcome>(std::vector<Record>)> post;
    std::function<ServedRecommendation(RecommendRequest)> serve;  // logged as served
  };

  Arbiter(ArbiterOptions options, World world);
  ~Arbiter() { stop(); }

  /// Reads what the log holds of actions, up to the offset; before start().
  Status load(Offset up_to);
  void apply(const StoredRecord& record);

  void start();
  void stop();

  /// Learns, plans and logs the decisions, now, on this thread. What changed for a user while it was planned counts:
  /// a decision that is not allowed any more when it is to be logged is dropped. Decisions are logged as fast as they
  /// are handed over, what was drawn first, then by gain.
  Result<ActionPlan> plan_now();

  /// not_found for a user of whom nothing is known. Slates are served, and logged as served.
  Result<NextBestActions> next_best(const std::string& user_id) const;

  [[nodiscard]] const ActionRules& rules() const { return options_.rules; }
  [[nodiscard]] bool holds_out(std::string_view user_id) const;
  [[nodiscard]] size_t undelivered() const { return deliverer_ ? deliverer_->waiting() : 0; }
  [[nodiscard]] size_t due() const { return deliverer_ ? deliverer_->due() : 0; }
  [[nodiscard]] std::vector<DeadLetter> dead_letters() const {
    return deliverer_ ? deliverer_->dead_letters() : std::vector<DeadLetter>();
  }

 private:
  struct Known {  // by the last plan
    Effects effects;
    std::vector<double> prices;
  };

  void work();
  Status learn_when_due();
  [[nodiscard]] std::shared_ptr<const Known> known() const;
  [[nodiscard]] WhileStill still() const;
  struct Logged {
    int64_t decisions = 0;
    double gain = 0;  // expected, of those that were chosen
  };
  [[nodiscard]] Result<Logged> log_decisions(const ActionPlan& plan);
  [[nodiscard]] bool wait_for_room(double until);
  [[nodiscard]] Status post_patiently(const std::vector<Record>& records);
  [[nodiscard]] Result<std::string> body_of(const Outgoing& outgoing) const;
  [[nodiscard]] std::vector<Clearance> may_send(std::span<const Outgoing> all, TimeMs now) const;
  [[nodiscard]] Status log_deliveries(std::span<const Settled> settled, TimeMs now) const;

  const ArbiterOptions options_;
  const World world_;
  Contacts contacts_;  // this and the next: guarded by the world's gate
  Trials trials_;
  std::unique_ptr<Deliverer> deliverer_;

  std::mutex planning_;  // one plan at a time
  std::mutex learning_;
  double learned_at_ = -1;  // by learning_

  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const Known> known_;
  std::condition_variable_any woken_;

  std::stop_source stopping_;
  std::jthread thread_;
};

}  // namespace perennial
