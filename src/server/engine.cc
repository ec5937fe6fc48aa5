#include "server/engine.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>

#include "base/text.h"
#include "events/feedback_kind.h"
#include "forecast/transformer_forecast.h"
#include "recommend/serving_model.h"

namespace perennial {
namespace {

constexpr TimeMs kDayMs = 86'400'000;
constexpr size_t kMostTypes = 10'000;
constexpr double kTickSeconds = 0.1;
constexpr size_t kInteractiveRecords = 64;  // of a commit, and tokens appended for it, before its reply
constexpr double kPopularityShare = 50;     // a refresh takes at most a fiftieth of the time
constexpr double kPopularityMinSeconds = 1;
constexpr double kOutcomesShare = 500;  // what comes of an item changes slowly
constexpr double kOutcomesMinSeconds = 10;
constexpr Offset kReplaySlice = 20'000;  // records between two looks at the memory

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(EngineOptions options, const Clock& clock) {
  PERENNIAL_TRY_ASSIGN(std::unique_ptr<LogWriter> log, open_log(options.data_folder, options.log));
  for (const char* name : {"state.snapshot", "lives.snapshot"})
    PERENNIAL_TRY(remove_leftovers(options.data_folder, name));
  std::unique_ptr<Engine> engine(new Engine(std::move(options), clock, std::move(log)));
  PERENNIAL_TRY(engine->load_state());
  PERENNIAL_TRY_ASSIGN(engine->slates_, SlateLog::open(engine->options_.data_folder, engine->options_.slates, clock,
                                                       [raw = engine.get()](size_t slates, const Status& status) {
                                                         raw->slates_written(slates, status);
                                                       }));
  engine->housekeeping_ = std::thread([raw = engine.get()] { raw->housekeeping(); });
  if (engine->arbiter_) engine->arbiter_->start();
  return engine;
}

Engine::Engine(EngineOptions options, const Clock& clock, std::unique_ptr<LogWriter> log)
    : options_(std::move(options)),
      clock_(clock),
      currency_(options_.currency),
      feedback_users_(options_.slates.recent),
      model_watch_(options_.data_folder, options_.load_model),
      forecast_watch_(options_.data_folder),
      list_rules_(options_.data_folder),
      memory_(options_.memory_bytes, options_.vector_bytes),
      lists_(options_.vector_bytes / KeptLists::kShareOfVectors),
      snapshot_tried_at_(monotonic_seconds()),
      log_(std::move(log)) {
  recommender_ = std::make_unique<Recommender>(log_->items(), options_.vector_bytes);
  log_->on_committed([this](std::span<const StoredRecord> records) { committed(records); });
}

Engine::~Engine() {
  if (housekeeping_.joinable()) {
    const Status status = stop();
    if (!status.ok()) spdlog::error("stopping: {}", status.message());
  }
}

Status Engine::load_state() {
  PERENNIAL_TRY_ASSIGN(const Offset end, log_->end());
  state_ = std::make_unique<State>(options_.roles, log_->event_types(), options_.history_limit);
  PERENNIAL_TRY_ASSIGN(const std::set<std::string> currencies, recent_currencies(*log_));
  if (currencies.size() == 1) {
    currency_ = *currencies.begin();
    use_currency(options_.stages, currency_);
  }
  lives_ = std::make_unique<Lives>(options_.stages, log_->event_types(), log_->users());
  take_new_model();  // before the users, who get what it leaves of the memory
  PERENNIAL_TRY(load_snapshots());
  snapshot_offset_ = std::min(state_->applied(), lives_->applied());
  PERENNIAL_TRY(catch_up(end));
  mind_memory();
  memory_due_at_ = std::numeric_limits<double>::max();  // nobody is moved while others look
  auto stages = std::async(std::launch::async, [&] { return std::make_unique<StageWatch>(*lives_, clock_.now_ms()); });
  applied_ = state_->applied();
  snapshot_due_ = applied_ != snapshot_offset_;  // there may be an erasure among what came since
  forecast_watch_.poll(options_.stages);
  if (const std::optional<Status> rules = list_rules_.poll()) PERENNIAL_TRY(*rules);
  refresh_popularity_when_due();
  refresh_outcomes_when_due();
  if (!options_.arbiter.rules.actions.empty()) {
    arbiter_ = std::make_unique<Arbiter>(
        options_.arbiter,
        Arbiter::World{gate_, *state_, *lives_, *log_, forecast_watch_, clock_, metrics_,
                       [this](std::vector<Record> records) { return post_and_wait(std::move(records)); },
                       [this](RecommendRequest request) { return serve(std::move(request), {}); }});
    PERENNIAL_TRY(arbiter_->load(end));
  }
  stages_ = stages.get();
  memory_due_at_ = 0;
  mind_memory();
  if (memory_full_)
    spdlog::warn("{} MiB are resident, more than the memory of {} MiB: events get 429, give the server more (--memory)",
                 resident_bytes() >> 20, memory_.bytes() >> 20);
  return {};
}

/// Both at once: of millions of users each takes a second. A replay from 0 gives the same as one that cannot be used.
Status Engine::load_snapshots() {
  for (const Status& status : {state_->spill_to(options_.data_folder), lives_->spill_to(options_.data_folder)})
    PERENNIAL_TRY(status);
  state_->set_budget(memory_.bytes() / 5);
  lives_->set_budget(memory_.bytes() / 5);
  const auto load = [this](auto& fold) {
    const Status loaded = fold.load(options_.data_folder);
    return loaded.ok() ? fold.check_log(*log_) : loaded;
  };
  auto lives = std::async(std::launch::async, [&] { return load(*lives_); });
  for (const Status& loaded : {load(*state_), lives.get()})
    if (!loaded.ok() && loaded.code() != Code::not_found)
      spdlog::warn("a snapshot is not used, replaying the whole log instead: {}", loaded.message());
  return {};
}

/// One reading of the log for both, from where the one that is further behind stands.
Status Engine::catch_up(Offset end) {
  const Offset first = std::min(state_->applied(), lives_->applied());
  return log_->replay_pages(first, end, [this](std::span<const StoredRecord> records) {
    for (size_t i = 0; i < records.size(); ++i) {
      const StoredRecord& record = records[i];
      if (record.offset > state_->applied()) state_->apply(record);
      lives_->look_ahead(i, records);
      if (record.offset > lives_->applied()) lives_->apply(record);
      if (record.offset % kReplaySlice == 0) mind_memory();
    }
    return Status();
  });
}

void Engine::begin_pending() {
  const std::lock_guard lock(pending_mutex_);
  ++pending_;
}

void Engine::end_pending() {
  const std::lock_guard lock(pending_mutex_);
  --pending_;
  pending_changed_.notify_all();
}

void Engine::post(std::vector<Record> records, Done done) {
  // What frees memory, and what has been done already and must not be done again.
  const RecordKind first = records.empty() ? RecordKind::event : kind_of(records.front().payload);
  if (memory_full_ && first != RecordKind::erasure && first != RecordKind::delivery)
    return done(
        resource_exhausted("the memory of {} MiB is full: send it again later, or give the server more (--memory)",
                           memory_.bytes() >> 20));
  begin_pending();
  log_->append_async(std::move(records), [this, done = std::move(done)](const Result<AppendOutcome>& outcome) mutable {
    if (outcome.ok()) metrics_.records_repeated.Increment(static_cast<double>(outcome->repeated));
    done(outcome);
    done = nullptr;  // what it holds on to must not outlive stop(), which waits for the next line
    end_pending();
  });
}

Result<AppendOutcome> Engine::post_and_wait(std::vector<Record> records) {
  std::promise<Result<AppendOutcome>> promise;
  post(std::move(records), [&](const Result<AppendOutcome>& outcome) { promise.set_value(outcome); });
  return promise.get_future().get();
}

Status Engine::check_type(const Record& record) const {
  const Dictionary& types = log_->event_types();
  if (record.type.empty() || types.size() < kMostTypes || types.find(record.type)) return {};
  return invalid_argument("'event' {:.60} would be type {}: put what varies into the properties", record.type,
                          types.size() + 1);
}

void Engine::committed(std::span<const StoredRecord> records) {
  const TimeMs now = clock_.now_ms();
  for (size_t first = 0; first < records.size(); first += kInteractiveRecords) {  // lists go on between
    const auto lock = gate_.write();
    const auto some = records.subspan(first, std::min(kInteractiveRecords, records.size() - first));
    for (size_t i = 0; i < some.size(); ++i) {
      apply_to_state(some[i]);
      lives_->look_ahead(i, some);
      lives_->apply(some[i]);
      stages_->look_ahead(i, some);
      stages_->touched(lives_->touched(), now);
      if (arbiter_) arbiter_->apply(some[i]);
    }
  }
  catch_up_vectors(records);
  double events = 0;
  for (const StoredRecord& record : records) {
    applied_ = record.offset;
    if (std::holds_alternative<Erasure>(record.payload)) snapshot_due_ = true;
    const auto* event = std::get_if<Event>(&record.payload);
    if (event == nullptr) continue;
    ++events;
    if (record.time != kNoTime)
      metrics_.ingest_lag.Observe(static_cast<double>(std::max<TimeMs>(0, now - record.time)) / 1e3);
    if (!event->recommendation_id.empty()) credit(record, *event);
  }
  metrics_.events_ingested.Increment(events);
}

/// Of users of a small commit, before its reply: an import's are left to their next request.
void Engine::catch_up_vectors(std::span<const StoredRecord> records) {
  if (records.size() > kInteractiveRecords) return;
  const auto lock = gate_.read();
  size_t tokens = 0;
  for (const StoredRecord& record : records)
    if (tokens < kInteractiveRecords && record.user != kNoId && std::holds_alternative<Event>(record.payload))
      tokens += recommender_->catch_up(*state_, state_->profiles().resolve(record.user));
}

void Engine::apply_to_state(const StoredRecord& record) {
  const UserId before = state_->profiles().resolve(record.user);
  const HistoryChange change = state_->apply(record);
  if (std::holds_alternative<ItemUpsert>(record.payload) || std::holds_alternative<ItemDelete>(record.payload))
    recommender_->item_changed(record.item);
  if (record.user == kNoId) return;
  if (std::holds_alternative<Erasure>(record.payload)) {
    lists_.forget(record.user);
    if (before != record.user) lists_.forget(before);
  }
  const UserId after = state_->profiles().resolve(record.user);
  recommender_->user_changed(after, change);
  if (before != after) recommender_->user_changed(before, change);
}

Result<UserView> Engine::user(const std::string& user_id, size_t history_limit) const {
  const std::optional<UserId> id = log_->users().find(user_id);
  const auto lock = gate_.read();
  const Profiles& profiles = state_->profiles();
  const Found<Profile> profile = id ? profiles.find(*id) : nullptr;
  if (profile == nullptr) return not_found("no events or traits of the user '{}' are known", user_id);
  UserView view;
  view.user_id = log_->users().name(profiles.resolve(*id));
  view.history_size = profile->history.size();
  for (auto token = profile->history.rbegin(); token != profile->history.rend() && view.history.size() < history_limit;
       ++token) {
    UserEvent event{log_->event_types().name(token->type), log_->items().name(token->item), {}, token->time, {}, {}};
    if (const Item* item = state_->catalogue().find(token->item)) event.item_title = item->title();
    if (!std::isnan(token->value())) event.value = token->value();
    event.device = kDeviceClasses.at(token->device);
    view.history.push_back(std::move(event));
  }
  for (const auto& [item, rejection] : profile->rejected) view.rejected.push_back(log_->items().name(item));
  for (const auto& [name, trait] : profile->traits) {
    Result<json::value> value = parse_json(trait.value);
    if (value.ok()) view.traits[name] = std::move(value).value();
  }
  for (const auto& [type, count] : profile->event_counts) view.event_counts[log_->event_types().name(type)] += count;
  view.value_by_currency.insert(profile->value_by_currency.begin(), profile->value_by_currency.end());
  view.first_seen = profile->first_seen;
  view.last_seen = profile->last_seen;
  return view;
}

Result<ItemView> Engine::item(const std::string& item_id) const {
  const std::optional<ItemId> id = log_->items().find(item_id);
  const auto lock = gate_.read();
  const Item* item = id ? state_->catalogue().find(*id) : nullptr;
  if (item == nullptr || item->deleted) return not_found("no item '{}' has been described", item_id);
  return ItemView{item_id, item->fields, item->available()};
}

bool Engine::knows_item(const std::string& item_id) const {
  const std::optional<ItemId> id = log_->items().find(item_id);
  if (!id) return false;
  const auto lock = gate_.read();
  const Item* item = state_->catalogue().find(*id);
  return item == nullptr || !item->deleted;
}

std::vector<UserId> Engine::identities_of(UserId user) const {
  const auto lock = gate_.long_read();
  return state_->profiles().identities_of(user);
}

/// The user's, and those of all identities that were merged with it; none of a user that the log does not know.
std::vector<std::string> Engine::names_of(const std::string& user_id) const {
  std::vector<std::string> names;
  if (const std::optional<UserId> user = log_->users().find(user_id))
    for (const UserId identity : identities_of(*user))
      if (std::string name = log_->users().name(identity); !name.empty()) names.push_back(std::move(name));
  return names;
}

void Engine::erase_user(const std::string& user_id, Done done) {
  begin_pending();
  const auto finish = [this, done = std::make_shared<Done>(std::move(done))](const Result<AppendOutcome>& outcome) {
    (*done)(outcome);
    *done = nullptr;  // what it holds on to must not outlive stop(), which waits for the next line
    end_pending();
  };
  erase_slates_and_user(user_id, names_of(user_id), finish);
}

/// Slates first, for when the power goes the client has no reply and asks again; anew when an identity joined
/// meanwhile; and once more behind the log, for those that were chosen meanwhile.
void Engine::erase_slates_and_user(const std::string& user_id, const std::vector<std::string>& names,
                                   const Done& finish) {
  const TimeMs since = clock_.now_ms();
  const std::vector<std::string> all = names.empty() ? std::vector{user_id} : names;  // whom only slates may name
  slates_->erase(all, 0, [=, this](const Result<int64_t>& slates) {
    if (!slates.ok()) return finish(slates.status());
    const std::vector<std::string> now = names_of(user_id);
    if (now != names) return erase_slates_and_user(user_id, now, finish);
    if (names.empty())
      return finish(*slates > 0 ? Result<AppendOutcome>(AppendOutcome()) : not_found("no user '{}' is known", user_id));
    std::vector<Record> erasures;
    for (const std::string& name : names)
      erasures.push_back({random_message_id(), clock_.now_ms(), name, {}, {}, Erasure{}});
    post(std::move(erasures), [=, this](const Result<AppendOutcome>& outcome) {
      if (!outcome.ok()) return finish(outcome);
      slates_->erase(names, since - kDayMs, [=](const Result<int64_t>& later) {
        finish(later.ok() ? outcome : Result<AppendOutcome>(later.status()));
      });
    });
  });
}

void Engine::set_objectives(const StageObjectives& objectives) {
  const auto lock = gate_.write();
  options_.objectives = objectives;
}

EngineStatus Engine::status() const {
  EngineStatus status;
  status.log_offset = applied_;
  status.snapshot_offset = snapshot_offset_;
  const std::shared_ptr<const ServingModel> model = recommender_->model();
  status.model = model ? model->id() : "none";
  const auto lock = gate_.read();
  status.users = state_->profiles().size();
  status.users_in_memory = state_->profiles().store().in_memory();
  status.items = log_->items().size();
  return status;
}

std::string Engine::metrics_text() {
  const EngineStatus now = status();
  metrics_.users.Set(static_cast<double>(now.users));
  metrics_.users_in_memory.Set(static_cast<double>(now.users_in_memory));
  metrics_.items.Set(static_cast<double>(now.items));
  const UserVectors::Counts vectors = recommender_->vector_counts();
  metrics_.user_vectors.Set(static_cast<double>(vectors.vectors));
  metrics_.user_vector_caches.Set(static_cast<double>(vectors.caches));
  metrics_.user_vector_bytes.Set(static_cast<double>(vectors.bytes));
  metrics_.kept_list_bytes.Set(static_cast<double>(lists_.bytes()));
  metrics_.actions_waiting.Set(arbiter_ ? static_cast<double>(arbiter_->undelivered()) : 0);
  metrics_.log_offset.Set(static_cast<double>(now.log_offset));
  const TimeMs published_at = model_watch_.published_at();
  tell_stages();
  metrics_.model_age.Set(published_at == kNoTime ? 0 : static_cast<double>(clock_.now_ms() - published_at) / 1e3);
  return metrics_.text();
}

void Engine::housekeeping() {
  std::unique_lock lock(pending_mutex_);
  while (!stopping_) {
    pending_changed_.wait_for(lock, std::chrono::duration<double>(kTickSeconds), [this] { return stopping_; });
    lock.unlock();
    if (monotonic_seconds() >= watch_due_at_) {
      watch_due_at_ = monotonic_seconds() + options_.watch_every_seconds;
      take_new_model();
      forecast_watch_.poll(options_.stages);
      take_new_rules();
    }
    mind_memory();
    scrub();
    refresh_popularity_when_due();
    refresh_outcomes_when_due();
    advance_stages_when_due();
    save_snapshot_when_due();
    lock.lock();
  }
}

void Engine::take_new_model() {
  auto model = model_watch_.poll(log_->items(), log_->event_types());
  if (!model) return;
  if (model->ok() && **model != nullptr)
    if (Status fits = (**model)->check_history_limit(options_.history_limit); !fits.ok()) model = std::move(fits);
  if (!model->ok()) {
    metrics_.model_loads_failed.Increment();
    spdlog::error("the model could not be loaded, going on without it: {}", model->status().message());
    return;
  }
  recommender_->set_model(**model);
  spdlog::info("now serving the model {}", **model ? (**model)->id() : "none");
}

void Engine::take_new_rules() {
  const std::optional<Status> read = list_rules_.poll();
  if (!read) return;
  if (read->ok())
    spdlog::info("lists go by {} rules now", list_rules_.size());
  else
    spdlog::error("the rules for lists stay as they were: {}", read->message());
  if (!read->ok()) metrics_.rule_loads_failed.Increment();
}

void Engine::refresh_popularity_when_due() {
  const double started = monotonic_seconds();
  const Offset offset = applied_;
  if (offset == popularity_offset_ || started < popularity_due_at_) return;
  recommender_->set_popularity(recommender_->popularity_weights(*state_, while_still()));
  popularity_offset_ = offset;
  const double took = monotonic_seconds() - started;
  popularity_due_at_ = started + std::max(kPopularityMinSeconds, took * kPopularityShare);
}

void Engine::refresh_outcomes_when_due() {
  const double started = monotonic_seconds();
  const Offset offset = applied_;
  if (offset == outcomes_offset_ || started < outcomes_due_at_) return;
  if (const auto lock = gate_.read(); !options_.objectives.enabled) return;
  const OutcomeTypes types = outcome_types(options_.stages, log_->event_types());
  recommender_->refresh_outcomes(*state_, types, while_still());
  outcomes_offset_ = offset;
  const double took = monotonic_seconds() - started;
  outcomes_due_at_ = started + std::max(kOutcomesMinSeconds, took * kOutcomesShare);
}

Status Engine::stop() {
  if (arbiter_) arbiter_->stop();
  {
    const std::lock_guard lock(pending_mutex_);
    stopping_ = true;
  }
  pending_changed_.notify_all();
  if (housekeeping_.joinable()) housekeeping_.join();
  std::unique_lock lock(pending_mutex_);
  pending_changed_.wait(lock, [this] { return pending_ == 0; });
  lock.unlock();
  return snapshot_offset_ == state_->applied() ? Status() : save_snapshot();
}

}  // namespace perennial
