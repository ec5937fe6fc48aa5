#include "server/arbiter.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>

#include "base/json.h"
#include "base/text.h"
#include "experiments/assignment.h"
#include "server/list_text.h"

namespace perennial {
namespace {

constexpr UserId kUsersAtOnce = 100;      // looked at while events wait: a millisecond
constexpr size_t kDecisionsAtOnce = 500;  // in a commit
constexpr size_t kGainClasses = 8;
constexpr int kMostPosts = 240;
constexpr auto kPostPause = std::chrono::milliseconds(250);
constexpr double kFirstPlanSeconds = 5;  // after a start, at most

/// Of more than `most`: what was drawn, then by classes of falling gain, in each by user, whose neighbours are near.
std::vector<uint32_t> logging_order(const std::vector<Decision>& decisions, size_t most) {
  std::vector<uint32_t> order(decisions.size());
  std::iota(order.begin(), order.end(), 0U);
  if (decisions.size() <= most) return order;
  const auto chosen =
      std::stable_partition(order.begin(), order.end(), [&](uint32_t i) { return !decisions[i].chances.empty(); });
  std::stable_sort(chosen, order.end(), [&](uint32_t a, uint32_t b) { return decisions[a].gain > decisions[b].gain; });
  const auto left = static_cast<size_t>(order.end() - chosen), size = (left + kGainClasses - 1) / kGainClasses;
  for (size_t first = 0; first < left; first += size)
    std::sort(chosen + static_cast<ptrdiff_t>(first), chosen + static_cast<ptrdiff_t>(std::min(first + size, left)));
  return order;
}

}  // namespace

RecommendRequest slate_request(const ActionSpec& action, const std::string& user_id) {
  RecommendRequest request;
  request.user_id = user_id;
  request.surface = action.channel;
  request.count = action.items;
  request.explain = true;
  return request;
}

Arbiter::Arbiter(ArbiterOptions options, World world)
    : options_(std::move(options)), world_(std::move(world)), contacts_(longest_window(options_.rules)) {
  if (options_.transport == nullptr) return;
  deliverer_ = std::make_unique<Deliverer>(
      options_.delivery,
      Deliverer::Dependencies{
          .transport = options_.transport.get(),
          .clock = &world_.clock,
          .body_of = [this](const Outgoing& outgoing) { return body_of(outgoing); },
          .may_send = [this](std::span<const Outgoing> all, TimeMs now) { return may_send(all, now); },
          .log = [this](std::span<const Settled> settled, TimeMs now) { return log_deliveries(settled, now); }});
}

Status Arbiter::load(Offset up_to) {
  return world_.log.replay_kinds(kActionRecords, 0, up_to, [this](const StoredRecord& record) {
    apply(record);
    return Status();
  });
}

void Arbiter::apply(const StoredRecord& record) {
  if (std::ranges::find(kActionRecords, kind_of(record.payload)) == kActionRecords.end()) return;
  const ActionDetails details = action_details(record);
  contacts_.apply(record, details);
  trials_.apply(record, details);
  if (deliverer_) deliverer_->apply(record, details);
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
  const auto tell = [](const char* what, const Status& done) {
    if (!done.ok() && done.code() != Code::cancelled) spdlog::error("{}: {}", what, done.message());
  };
  tell("learning", learn_when_due());
  while (!stopped.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      woken_.wait_for(lock, stopped, std::chrono::duration<double>(pause), [] { return false; });
    }
    if (stopped.stop_requested()) return;
    const double started = monotonic_seconds();
    tell("planning", deliverer_ ? plan_now().status() : learn_when_due());
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
  PERENNIAL_TRY_ASSIGN(Effects effects, learn_action_effects(options_.rules, trials_, world_.lives, now, still(),
                                                             trait_features(options_.rules, world_.state.profiles()),
                                                             stopping_.get_token()));
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
  const double started = monotonic_seconds();
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
  PERENNIAL_TRY_ASSIGN(const Logged logged, log_decisions(plan));
  spdlog::info("planned for {} users in {:.1f} s: {} decisions, {} of them logged, {:.2f} gain expected",
               with_commas(plan.users), monotonic_seconds() - started,
               with_commas(static_cast<int64_t>(plan.decisions.size())), with_commas(logged.decisions), logged.gain);
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

/// Until more may be decided; false when there is no room by `until`, or it is stopped.
bool Arbiter::wait_for_room(double until) {
  const auto has_room = [this] {
    return deliverer_ == nullptr ||
           (deliverer_->waiting() < options_.most_waiting && deliverer_->due() < options_.most_due);
  };
  std::unique_lock lock(mutex_);
  while (!stopping_.stop_requested() && !has_room()) {
    if (monotonic_seconds() >= until) return false;
    woken_.wait_for(lock, stopping_.get_token(), kPostPause, [] { return false; });
  }
  return !stopping_.stop_requested();
}

Result<Arbiter::Logged> Arbiter::log_decisions(const ActionPlan& plan) {
  Logged logged;
  const double until = monotonic_seconds() + options_.patience_seconds;
  const std::shared_ptr<const Forecasts> forecasts = world_.forecasts.current();
  const std::vector<uint32_t> order =
      logging_order(plan.decisions, options_.most_due - std::min(options_.most_due, due()));
  for (size_t first = 0; first < order.size(); first += kDecisionsAtOnce) {
    if (!wait_for_room(until)) {
      if (stopping_.stop_requested()) return Status(Code::cancelled, "stopping: the plan is left undone");
      spdlog::warn("{} decisions are left to the next plan: {} actions wait to be handed over",
                   with_commas(static_cast<int64_t>(order.size() - first)),
                   with_commas(static_cast<int64_t>(undelivered())));
      break;
    }
    std::vector<Record> records;
    double gain = 0;
    const size_t end = std::min(first + kDecisionsAtOnce, order.size());
    for (size_t begin = first; begin < end; begin += kUsersAtOnce)
      still()([&] {
        const TimeMs now = world_.clock.now_ms();
        const ActionUsers users(world_.lives, world_.state.profiles(), forecasts.get(), contacts_, world_.log.users(),
                                now);
        const Eligibility eligibility(options_.rules, contacts_, world_.lives.definition());
        for (size_t i = begin; i < std::min(begin + kUsersAtOnce, end); ++i) {
          const Decision& decision = plan.decisions[order[i]];
          users.one(decision.user, [&](const PlannedUser& user) {
            if (user.subject.user != decision.user) return;  // has become somebody else, who was decided on as well
            if (user.view.id.empty()) return;                // is being erased
            const auto may = [&](uint16_t action) {
              return action == kDoNothing || eligibility.of(action, user.view, now) == Suppression::none;
            };
            // Of a draw all that could come up: else what came up would decide who stays in the trial.
            if (!may(decision.action) ||
                !std::ranges::all_of(decision.chances, [&](const auto& arm) { return may(arm.first); }))
              return;
            records.push_back(action_record(decision, options_.rules, std::string(user.view.id), plan.at, now));
            if (decision.chances.empty()) gain += decision.gain;
          });
        }
      });
    if (records.empty()) continue;
    std::map<std::string, double> decided;
    for (const Record& record : records) ++decided[std::get<Action>(record.payload).name];
    logged.decisions += static_cast<int64_t>(records.size());
    logged.gain += gain;
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
  std::vector<Weighed> weighed;
  {
    const auto lock = world_.gate.read();
    const ActionUsers users(world_.lives, world_.state.profiles(), forecasts.get(), contacts_, world_.log.users(), now);
    const Planner planner(options_.rules, known->effects, contacts_, world_.lives.definition(), now);
    const std::optional<UserId> id = world_.log.users().find(user_id);
    if (!id || !users.one(*id, [&](const PlannedUser& user) { weighed = planner.weigh(user, known->prices); }))
      return not_found("no events or traits of the user '{}' are known", user_id);
  }
  NextBestActions found{.user_id = user_id, .at = now, .actions = {}, .steps = {}};
  std::vector<std::optional<size_t>> slate_sizes;
  for (const Weighed& one : weighed) {
    const ActionSpec& action = options_.rules.actions[one.action];
    AdvisedAction advised{one, effect_reason(one, action, known->effects[one.action], world_.lives.definition()),
                          std::nullopt};
    slate_sizes.emplace_back();
    if (action.kind == ActionKind::slate && one.suppression == Suppression::none) {
      advised.slate = world_.serve(slate_request(action, user_id));
      slate_sizes.back() = advised.slate->recommendation().items.size();
    }
    found.actions.push_back(std::move(advised));
  }
  found.steps = next_steps(weighed, slate_sizes);
  return found;
}

bool Arbiter::holds_out(std::string_view user_id) const {
  return is_held_out(kActionHoldout, options_.rules.holdout_share, user_id);
}

Result<std::string> Arbiter::body_of(const Outgoing& outgoing) const {
  const std::string user_id = world_.log.users().name(outgoing.user);
  if (user_id.empty()) return not_found("the user was erased");
  json::object body = {{"action_id", outgoing.action_id},
                       {"user_id", user_id},
                       {"action", outgoing.name},
                       {"channel", outgoing.channel},
                       {"decided_at", format_iso8601(outgoing.decided)}};
  if (const std::optional<uint16_t> action = options_.rules.find(outgoing.name)) {
    const ActionSpec& spec = options_.rules.actions[*action];
    body["kind"] = kind_name(spec.kind);
    if (!spec.payload.empty()) body["payload"] = parse_json(spec.payload).value();
    if (spec.kind == ActionKind::slate) {
      const ServedRecommendation slate = world_.serve(slate_request(spec, user_id));
      if (slate.recommendation().items.empty()) return not_found("there is nothing to show");
      body["recommendation_id"] = to_hex(slate.id);
      body["items"] = items_of(slate);
    }
  }
  return json::serialize(body);
}

std::vector<Clearance> Arbiter::may_send(std::span<const Outgoing> all, TimeMs now) const {
  std::vector<Clearance> clearances(all.size(), {Clearance::May::never, 0, "nothing is known of the user any more"});
  const auto look = [&](const Eligibility& eligibility, const ActionUsers& users, size_t i) {
    const std::optional<uint16_t> action = options_.rules.find(all[i].name);
    if (!action) {
      clearances[i].reason = "the action is declared no more";
      return;
    }
    users.one(all[i].user, [&](const PlannedUser& user) {
      const Suppression suppression = eligibility.of_handing_over(*action, user.view, now);
      if (suppression == Suppression::none)
        clearances[i] = {};
      else if (suppression == Suppression::quiet_hours)
        clearances[i] = {Clearance::May::wait, eligibility.end_of_quiet(*action, user.view, now), ""};
      else
        clearances[i].reason = suppression_name(suppression);
    });
  };
  for (size_t first = 0; first < all.size(); first += kUsersAtOnce)
    still()([&] {
      const Eligibility eligibility(options_.rules, contacts_, world_.lives.definition());
      const ActionUsers users(world_.lives, world_.state.profiles(), nullptr, contacts_, world_.log.users(), now);
      for (size_t i = first; i < std::min(first + kUsersAtOnce, all.size()); ++i) look(eligibility, users, i);
    });
  return clearances;
}

Status Arbiter::log_deliveries(std::span<const Settled> settled, TimeMs now) const {
  std::vector<Record> records;
  std::map<std::string, double> handed_over;
  for (const auto& [outgoing, delivery, reason] : settled) {
    const std::string user_id = world_.log.users().name(outgoing.user);
    if (user_id.empty()) continue;  // erased: it leaves the outbox by that
    Record& record = records.emplace_back();
    record.message_id =
        message_id_of(fmt::format("delivery\n{}\n{}\n{}", delivery.action_id, outgoing.decided, delivery.outcome));
    record.time = now;
    record.user = user_id;
    record.of_known_user = true;
    record.payload = delivery;
    ++handed_over[delivery.outcome];
  }
  if (records.empty()) return {};
  PERENNIAL_TRY(world_.post(std::move(records)).status());
  for (const auto& [outcome, count] : handed_over) world_.metrics.handed_over(outcome, count);
  return {};
}

}  // namespace perennial
