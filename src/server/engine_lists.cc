// The engine's part in lists: who asks, what they get, and what became of it.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "events/feedback_kind.h"
#include "server/engine.h"
#include "server/list_text.h"

namespace perennial {
namespace {

constexpr int kMostPages = 100;              // that a list goes back over
constexpr const char* kControl = "control";  // variant of who is held out from all that is done

}  // namespace

std::optional<UserId> Engine::find_user(const RecommendRequest& request, const Asker& asker) const {
  const std::optional<UserId> known = request.user_id.empty() ? std::nullopt : log_->users().find(request.user_id);
  if (known && state_->profiles().contains(*known)) return known;
  const std::optional<UserId> anonymous =
      asker.anonymous_id.empty() ? std::nullopt : log_->users().find(asker.anonymous_id);
  return anonymous ? anonymous : known;
}

/// Of the identity that the user was merged into; of somebody of whom nothing is known, the id that was asked with.
std::string Engine::lasting_id(std::optional<UserId> user, const RecommendRequest& request, const Asker& asker) const {
  if (user) return log_->users().name(state_->profiles().resolve(*user));
  return request.user_id.empty() ? asker.anonymous_id : request.user_id;
}

ServedRecommendation Engine::recommend(RecommendRequest request, const Asker& asker) {
  const double started = monotonic_seconds();
  ServedRecommendation served = serve(std::move(request), asker);
  if (const std::string& fallback = served.recommendation().fallback; !fallback.empty()) metrics_.fallback(fallback);
  served.seconds = monotonic_seconds() - started;
  metrics_.recommend_duration.Observe(served.seconds);
  return served;
}

/// Chooses a list and logs it, whoever waits for it.
ServedRecommendation Engine::serve(RecommendRequest request, const Asker& asker) {
  const TimeMs now = clock_.now_ms();
  ServedRecommendation served;
  const auto lock = gate_.read();
  const std::optional<UserId> user = find_user(request, asker);
  std::optional<double> churn;
  if (const Found<Life> life = user ? lives_->find(*user) : nullptr) {
    served.standing = standing_at(lives_->definition(), life->facts, now);
    if (options_.objectives.enabled) churn = churn_probability({*user, life->first_seen, &life->facts}, now);
  }
  const std::string lasting = lasting_id(user, request, asker);
  const bool control = arbiter_ != nullptr && arbiter_->holds_out(lasting);
  served.objective = choose_objective(options_.objectives, served.standing, lasting, churn);
  if (control) {
    served.objective.variant = served.objective.why = kControl;
    request.session_items.clear();
  }
  if (!request.similar_to.empty() && served.objective.applied()) served.objective.why = "similar_items";
  if (served.objective.applied()) request.objective = served.objective.objective;
  if (!request.session_items.empty()) request.session_type = click_type();
  // Who is in the control group of all that is done sees what anybody would who is not known.
  served.list = list_for(control ? std::nullopt : user, request, served.objective, served.standing, now);
  served.id = new_recommendation_id(now);
  keep_slate(served, request, asker, now);  // before an erasure of the user can be applied
  return served;
}

/// One that was kept, or else made by what the rules add to the request.
std::shared_ptr<const ServedList> Engine::list_for(std::optional<UserId> user, RecommendRequest& request,
                                                   const ChosenObjective& objective, const Standing& standing,
                                                   TimeMs now) {
  const Found<Profile> profile = user ? state_->profiles().find(*user) : nullptr;
  std::optional<ListKey> key;
  if (std::optional<ListBasis> basis = recommender_->basis_of(*state_, user, profile.get(), request, now))
    key = {*std::move(basis), list_rules_.version(),       request.surface,
           standing,          objective.objective.weights, objective.variant};
  if (std::shared_ptr<const ServedList> kept = key ? lists_.find(*key) : nullptr) {
    metrics_.kept_lists_served.Increment();
    return kept;
  }
  list_rules_.apply(request.surface, standing.stage, request.controls);
  auto list = std::make_shared<ServedList>();
  list->recommendation = recommender_->recommend(*state_, user, profile.get(), request, now);
  if (objective.variant == kControl) list->recommendation.fallback = "control_group";
  list->slate_items = slate_items(list->recommendation);
  list->members = list_members(list->recommendation, objective, standing, state_->catalogue(), request.explain);
  if (key && request.controls.exploration == 0) lists_.keep(*std::move(key), list);
  return list;
}

/// What a touch of an item is called here; none when no such event has come yet.
EventTypeId Engine::click_type() const {
  const Dictionary& types = log_->event_types();
  for (uint32_t type = 0; type < types.size(); ++type)
    if (feedback_kind(types.name(type)) == FeedbackKind::click) return static_cast<EventTypeId>(type);
  return kNoEventType;
}

void Engine::keep_slate(const ServedRecommendation& served, const RecommendRequest& request, const Asker& asker,
                        TimeMs now) {
  if (served.list->slate_items.empty()) return;
  slates_->add({.id = served.id,
                .time = now,
                .after = asker.after,
                .user = request.user_id.empty() ? asker.anonymous_id : request.user_id,
                .surface = request.surface,
                .model = served.recommendation().model,
                .policy = served.objective.variant,
                .stage = stage_name(served.standing.stage),
                .context = asker.context,
                .items = served.list->slate_items});
}

Result<std::vector<ItemId>> Engine::shown_up_to(const MessageId& slate) const {
  std::vector<ItemId> shown;
  MessageId at = slate;
  for (int page = 0; page < kMostPages && !at.is_zero(); ++page) {
    PERENNIAL_TRY_ASSIGN(const Slate served, slates_->find(at));
    for (const SlateItem& item : served.items) shown.push_back(item.item);
    at = served.after;
  }
  return shown;
}

void Engine::slates_written(size_t slates, const Status& status) {
  const auto count = static_cast<double>(slates);
  (status.ok() ? metrics_.slates_logged : metrics_.slates_dropped).Increment(count);
  if (!status.ok()) spdlog::warn("{} slates not logged: {}", slates, status.message());
}

void Engine::credit(const StoredRecord& record, const Event& event) {
  const Result<MessageId> id = message_id_from_hex(event.recommendation_id);
  const std::optional<Slate> slate = id.ok() ? slates_->recent(*id) : std::nullopt;
  if (!slate) {
    metrics_.feedback_uncredited.Increment();
    return;
  }
  feedback_users_.note(*id, record.user);
  const auto shown = std::ranges::find(slate->items, record.item, &SlateItem::item);
  metrics_.feedback(feedback_kind_name(feedback_kind(log_->event_types().name(record.type))),
                    record.item == kNoId          ? "slate"
                    : shown == slate->items.end() ? "not_in_slate"
                                                  : source_name(shown->source));
}

Result<SlateView> Engine::slate(const std::string& recommendation_id) {
  const Result<MessageId> id = message_id_from_hex(recommendation_id);
  if (!id.ok()) return not_found("no recommendation has the id '{:.64}'", recommendation_id);
  PERENNIAL_TRY_ASSIGN(Slate slate, slates_->find(*id));
  SlateView view{std::move(slate), {}, {}};
  for (const SlateItem& item : view.slate.items) view.items.push_back(log_->items().name(item.item));
  std::vector<UserId> users = feedback_users_.of(*id);
  if (const auto user = view.slate.user.empty() ? std::nullopt : log_->users().find(view.slate.user)) {
    for (const UserId identity : identities_of(*user)) users.push_back(identity);
  }
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());

  std::vector<std::pair<Offset, SlateFeedback>> feedback;
  for (const UserId user : users) {
    PERENNIAL_TRY(log_->replay_user(user, [&](const StoredRecord& record) {
      const auto* event = std::get_if<Event>(&record.payload);
      if (event == nullptr || event->recommendation_id != recommendation_id) return Status();
      const std::string type = log_->event_types().name(record.type);
      const std::string item = record.item == kNoId ? std::string() : log_->items().name(record.item);
      feedback.emplace_back(record.offset, SlateFeedback{feedback_kind_name(feedback_kind(type)), type, item,
                                                         log_->users().name(record.user), record.time});
      return Status();
    }));
  }
  std::sort(feedback.begin(), feedback.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [offset, said] : feedback) view.feedback.push_back(std::move(said));
  return view;
}

}  // namespace perennial
