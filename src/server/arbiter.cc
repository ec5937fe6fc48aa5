#include "server/arbiter.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"
#include "experiments/assignment.h"

namespace perennial {
namespace {

constexpr TimeMs kTrialsKept = 365 * kMsOfDay;
constexpr UserId kUsersAtOnce = 100;      // looked at while events wait: a millisecond
constexpr size_t kDecisionsAtOnce = 500;  // in a commit
constexpr int kMostPosts = 240;
constexpr auto kPostPause = std::chrono::milliseconds(250);
constexpr double kFirstPlanSeconds = 5;  // after a start, at most
constexpr std::array kRead = {RecordKind::identity_merge, RecordKind::action, RecordKind::delivery,
                              RecordKind::erasure};

}  // namespace

Arbiter::Arbiter(ArbiterOptions options, World world)
    : options_(std::move(options)),
      world_(std::move(world)),
      contacts_(longest_window(options_.rules)),
      trials_(kTrialsKept) {
  if (options_.transport == nullptr) return;
  deliverer_ = std::make_unique<Deliverer>(
      options_.delivery,
      Deliverer::Dependencies{
          .transport = options_.transport.get(),
          .clock = &world_.clock,
          .body_of = [this](const Outgoing& outgoing) { return body_of(outgoing); },
          .may_send = [this](const Outgoing& outgoing, TimeMs now) { return may_send(outgoing, now); },
          .log = [this](const Outgoing& outgoing, Delivery delivery,
                        TimeMs now) { return log_delivery(outgoing, std::move(delivery), now); }});
}

Status Arbiter::load(Offset up_to) {
  return world_.log.replay_kinds(kRead, 0, up_to, [this](const StoredRecord& record) {
    apply(record);
    return Status();
  });
}

void Arbiter::apply(const StoredRecord& record) {
  if (std::ranges::find(kRead, kind_of(record.payload)) == kRead.end()) return;
  contacts_.apply(record);
  trials_.apply(record);
  if (deliverer_) deliverer_->apply(record);
}

void Arbiter::start() {
  if (deliverer_) deliverer_->start();
  thread_ = std::jthread([this] { work(); });
}

void Arbiter::stop() {
  if (thread_.joinable()) {
    stopping_.request_stop();
    woken_.notify_all();
    thread_.join();
  }
  if (deliverer_) deliverer_->stop();
}

void Arbiter::work() {
  const std::stop_token stopped = stopping_.get_token();
  double pause = std::min(kFirstPlanSeconds, options_.plan_every_seconds);
  if (const Status learned = learn_when_due(); !learned.ok()) spdlog::error("learning: {}", learned.message());
  while (!stopped.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      woken_.wait_for(lock, stopped, std::chrono::duration<double>(pause), [] { return false; });
    }
    if (stopped.stop_requested()) return;
    const double started = monotonic_seconds();
    const Status done = deliverer_ ? plan_now().status() : learn_when_due();
    if (!done.ok()) spdlog::error("planning: {}", done.message());
    pause = std::max(1.0, options_.plan_every_seconds - (monotonic_seconds() - started));
  }
}

WhileStill Arbiter::still() const {
  return [this](const std::function<void()>& look) {
    const auto lock = world_.gate.long_read();
    look();
  };
}

Status Arbiter::learn_when_due() {
  const std::lock_guard one(learning_);
  if (learned_at_ >= 0 && monotonic_seconds() - learned_at_ < options_.learn_every_seconds) return {};
  const TimeMs now = world_.clock.now_ms();
  PERENNIAL_TRY_ASSIGN(Effects effects, learn_action_effects(options_.rules, trials_, world_.lives, now, still()));
  auto made = std::make_shared<Known>();
  made->effects = std::move(effects);
  if (const std::shared_ptr<const Known> before = known()) made->prices = before->prices;
  const std::lock_guard lock(mutex_);
  known_ = std::move(made);
  learned_at_ = monotonic_seconds();
  return {};
}

std::shared_ptr<const Arbiter::Known> Arbiter::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

Result<ActionPlan> Arbiter::plan_now() {
  const std::lock_guard one(planning_);
  PERENNIAL_TRY(learn_when_due());
  const TimeMs now = world_.clock.now_ms();
  const std::shared_ptr<const Known> known = this->known();
  const std::shared_ptr<const Forecasts> forecasts = world_.forecasts.current();
  std::optional<Planner> planner;
  still()([&] { planner.emplace(options_.rules, known->effects, contacts_, world_.lives.definition(), now); });
  const auto each = [&](const std::function<void(const PlannedUser&)>& visit) {
    UserId end = 1;
    for (UserId first = 0; first < end && !stopping_.stop_requested(); first += kUsersAtOnce)
      still()([&] {
        end = world_.lives.end();
        const ActionUsers users(world_.lives, world_.state.profiles(), forecasts.get(), contacts_, world_.log.users(),
                                now);
        users.each(first, std::min(first + kUsersAtOnce, end), visit);
      });
  };
  PERENNIAL_TRY_ASSIGN(ActionPlan plan, planner->plan(each, 1));
  if (stopping_.stop_requested()) return Status(Code::cancelled, "stopping: the plan is left undone");
  auto made = std::make_shared<Known>(*known);
  made->prices.clear();
  for (const BudgetState& budget : plan.budgets) made->prices.push_back(budget.price);
  {
    const std::lock_guard lock(mutex_);
    known_ = std::move(made);
  }
  for (const auto& counts : plan.suppressed)
    for (size_t s = 1; s < kSuppressions; ++s)
      if (counts[s] > 0)
        world_.metrics.action_suppressed(suppression_name(static_cast<Suppression>(s)), static_cast<double>(counts[s]));
  PERENNIAL_TRY_ASSIGN(const int64_t logged, log_decisions(plan));
  spdlog::info("planned for {} users: {} decisions, {} of them logged, {:.2f} {} expected", with_commas(plan.users),
               with_commas(static_cast<int64_t>(plan.decisions.size())), with_commas(logged), plan.gain, "gain");
  return plan;
}

/// While the queue is full, for a minute at most. Sent again the same records are repeats.
Status Arbiter::post_patiently(const std::vector<Record>& records) {
  Status posted;
  for (int attempt = 0; attempt < kMostPosts; ++attempt) {
    posted = world_.post(records).status();
    if (posted.code() != Code::resource_exhausted || stopping_.stop_requested()) return posted;
    std::this_thread::sleep_for(kPostPause);
  }
  return posted;
}

Result<int64_t> Arbiter::log_decisions(const ActionPlan& plan) {
  int64_t logged = 0;
  const std::shared_ptr<const Forecasts> forecasts = world_.forecasts.current();
  for (size_t first = 0; first < plan.decisions.size(); first += kDecisionsAtOnce) {
    std::vector<Record> records;
    still()([&] {
      const TimeMs now = world_.clock.now_ms();
      const ActionUsers users(world_.lives, world_.state.profiles(), forecasts.get(), contacts_, world_.log.users(),
                              now);
      const Eligibility eligibility(options_.rules, contacts_, world_.lives.definition());
      for (size_t i = first; i < std::min(first + kDecisionsAtOnce, plan.decisions.size()); ++i) {
        const Decision& decision = plan.decisions[i];
        users.one(decision.user, [&](const PlannedUser& user) {
          if (user.subject.user != decision.user) return;  // has become somebody else, who was decided on as well
          const auto may = [&](uint16_t action) {
            return action == kDoNothing || eligibility.of(action, user.view, now) == Suppression::none;
          };
          // Of a draw all that could come up: else what came up would decide who stays in the trial.
          if (!may(decision.action) ||
              !std::ranges::all_of(decision.chances, [&](const auto& arm) { return may(arm.first); }))
            return;
          records.push_back(action_record(decision, options_.rules, std::string(user.view.id), plan.at));
        });
      }
    });
    if (records.empty()) continue;
    std::map<std::string, double> decided;
    for (const Record& record : records) ++decided[std::get<Action>(record.payload).name];
    logged += static_cast<int64_t>(records.size());
    PERENNIAL_TRY(post_patiently(records));
    for (const auto& [action, count] : decided) world_.metrics.action_decided(action, count);
  }
  return logged;
}

Result<NextBestActions> Arbiter::next_best(const std::string& user_id) const {
  const std::shared_ptr<const Known> known = this->known();
  if (known == nullptr)
    return Status(Code::unavailable, "the actions' effects are still being learned: ask again in a minute");
  const std::shared_ptr<const Forecasts> forecasts = world_.forecasts.current();
  const TimeMs now = world_.clock.now_ms();
  NextBestActions found{.user_id = user_id, .at = now, .actions = {}};
  const auto lock = world_.gate.read();
  const ActionUsers users(world_.lives, world_.state.profiles(), forecasts.get(), contacts_, world_.log.users(), now);
  const Planner planner(options_.rules, known->effects, contacts_, world_.lives.definition(), now);
  const std::optional<UserId> id = world_.log.users().find(user_id);
  if (!id || !users.one(*id, [&](const PlannedUser& user) { found.actions = planner.weigh(user, known->prices); }))
    return not_found("no events or traits of the user '{}' are known", user_id);
  return found;
}

bool Arbiter::holds_out(std::string_view user_id) const {
  return is_held_out(kActionHoldout, options_.rules.holdout_share, user_id);
}

std::string Arbiter::body_of(const Outgoing& outgoing) const {
  json::object body = {{"action_id", outgoing.action_id},
                       {"user_id", world_.log.users().name(outgoing.user)},
                       {"action", outgoing.name},
                       {"channel", outgoing.channel},
                       {"decided_at", format_iso8601(outgoing.decided)}};
  if (const std::optional<uint16_t> action = options_.rules.find(outgoing.name)) {
    const ActionSpec& spec = options_.rules.actions[*action];
    body["kind"] = kind_name(spec.kind);
    if (!spec.payload.empty()) body["payload"] = parse_json(spec.payload).value();
  }
  return json::serialize(body);
}

Clearance Arbiter::may_send(const Outgoing& outgoing, TimeMs now) const {
  const std::optional<uint16_t> action = options_.rules.find(outgoing.name);
  if (!action) return {Clearance::May::never, 0, "the action is declared no more"};
  Clearance clearance{Clearance::May::never, 0, "nothing is known of the user any more"};
  const auto lock = world_.gate.read();
  const Eligibility eligibility(options_.rules, contacts_, world_.lives.definition());
  const ActionUsers users(world_.lives, world_.state.profiles(), nullptr, contacts_, world_.log.users(), now);
  users.one(outgoing.user, [&](const PlannedUser& user) {
    const Suppression suppression = eligibility.of_handing_over(*action, user.view, now);
    if (suppression == Suppression::none)
      clearance = {};
    else if (suppression == Suppression::quiet_hours)
      clearance = {Clearance::May::wait, eligibility.end_of_quiet(*action, user.view, now), ""};
    else
      clearance.reason = suppression_name(suppression);
  });
  return clearance;
}

Status Arbiter::log_delivery(const Outgoing& outgoing, Delivery delivery, TimeMs now) const {
  Record record;
  record.message_id =
      message_id_of(fmt::format("delivery\n{}\n{}\n{}", delivery.action_id, outgoing.decided, delivery.outcome));
  record.time = now;
  record.user = world_.log.users().name(outgoing.user);
  const std::string outcome = delivery.outcome;
  record.payload = std::move(delivery);
  PERENNIAL_TRY(world_.post({std::move(record)}).status());
  world_.metrics.handed_over(outcome);
  return {};
}

}  // namespace perennial
